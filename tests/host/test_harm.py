"""Harm on purpose, and a process that ends meanwhile."""

import asyncio
import os
from types import SimpleNamespace

from atoll.host.linux import machine
from atoll.host.linux.client import Process


def test_a_process_that_goes_while_its_network_is_healed_gets_no_signal(monkeypatch):
    reading, writing = os.pipe()
    host = machine.LinuxHost.__new__(machine.LinuxHost)
    host._keeper = SimpleNamespace(namespaces=None)
    host._processes = {"a#1": SimpleNamespace(process=Process("a#1", os.getpid(), reading))}

    def goes(*_):
        os.close(host._processes.pop("a#1").process.pidfd)

    monkeypatch.setattr(machine, "cut", goes)
    try:
        asyncio.run(host.harm(SimpleNamespace(process="a#1"), "heal"))
    finally:
        os.close(writing)
