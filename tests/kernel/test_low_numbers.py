"""libnftables aborts a process whose descriptors are many; a daemon with hundreds of nodes has thousands."""

import os
import resource
import threading
import time

import pytest

from atoll.host.contract import HostError
from atoll.host.linux import low_numbers
from atoll.host.linux.nft import Nft

from .conftest import in_child

pytestmark = pytest.mark.kernel
MANY = 2000
ROUNDS = 150


def fill() -> list[int]:
    """Open descriptors until no low number is free but those that are reserved."""
    low_numbers.reserve()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * MANY), hard))
    return [os.open(os.devnull, os.O_RDONLY) for _ in range(MANY)]


def test_contexts_come_and_go_beside_threads_that_open_descriptors(nameless):
    def steps():
        fill()
        fd, over, mistakes = nameless.new(), threading.Event(), []

        def churn():
            while not over.is_set():
                held = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
                time.sleep(0)
                for number in held:
                    os.close(number)

        def contexts():
            try:
                for _ in range(ROUNDS):
                    with Nft(fd) as nft:
                        nft.run("list tables")
            except BaseException as mistake:
                mistakes.append(mistake)

        churning = [threading.Thread(target=churn) for _ in range(3)]
        working = [threading.Thread(target=contexts) for _ in range(3)]
        for thread in churning + working:
            thread.start()
        for thread in working:
            thread.join()
        over.set()
        for thread in churning:
            thread.join()
        assert not mistakes, mistakes
        low_numbers.reserve()
        assert len(low_numbers._reserved) == low_numbers.RESERVED

    in_child(steps)


def test_a_lower_number_that_becomes_free_is_used_and_costs_none_of_the_reserved(nameless):
    def steps():
        held, fd = fill(), nameless.new()
        with Nft(fd):
            pass
        kept = sorted(low_numbers._reserved)
        for number in held[:3]:
            os.close(number)
        with Nft(fd) as nft:
            nft.run("list tables")
        assert sorted(low_numbers._reserved) == kept

    in_child(steps)


def test_a_number_that_somebody_else_has_taken_is_not_used(nameless):
    def steps():
        fill()
        fd = nameless.new()
        taken = []

        def slow_library():
            if not taken:
                taken.append(os.open(os.devnull, os.O_RDONLY))
            return os.open("/dev/zero", os.O_RDONLY)  # opened, but not the library's socket

        before = len(low_numbers._reserved)
        with pytest.raises(HostError, match="below 1024"):
            low_numbers.open_low(slow_library, os.close)
        assert taken[0] < low_numbers.SELECT_MAX  # a daemon's other threads have opened it
        with Nft(fd) as nft:  # what was lost is reserved again
            nft.run("list tables")
        assert len(low_numbers._reserved) == before - 1

    in_child(steps)


def test_without_a_low_number_there_is_an_error_and_the_process_lives():
    def steps():
        fill()
        low_numbers._reserved.clear()  # and stay open: nobody gives them back
        with pytest.raises(HostError, match="below 1024"):
            Nft()

    in_child(steps)
