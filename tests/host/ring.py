"""A cluster of real engines on loopback, made at once: every node begins with a file that names all of them."""

import secrets
import subprocess
import time
from ipaddress import IPv4Address
from types import SimpleNamespace

import redis

from atoll.cache.acl import ADMINISTRATOR, users
from atoll.cache.restricted import renames
from atoll.cache.shards import write_slots
from tests.cache.test_real_engines import LOOPBACK, free_port

PASSWORD = "0123456789abcdef" * 2
SECONDS = 15.0


class Ring:
    """Primaries with slots as given, one after the other; each with so many replicas."""

    def __init__(self, directory, engine, version, program, owned, replicas=0):
        self.directory, self._engine, self._version, self._program = directory, engine, version, program
        self.nodes, self._processes = [], {}
        ids = [secrets.token_hex(20) for _ in range(len(owned) * (1 + replicas))]
        ports = [free_port() for _ in ids]
        shards = [secrets.token_hex(20) for _ in owned]
        lines = []
        for n, (id, port) in enumerate(zip(ids, ports, strict=True)):
            shard, is_primary = n % len(owned), n < len(owned)
            more = f",,tcp-port={port},shard-id={shards[shard]}" if engine == "valkey" else ""
            bus = port + 10000 if port < 55000 else port - 10000
            role = "master -" if is_primary else f"slave {ids[shard]}"
            has = write_slots(owned[shard]).replace(",", " ") if is_primary else ""
            epoch = shard + 1 if is_primary else 0
            lines.append((f"{id} 127.0.0.1:{port}@{bus}{more}", f"{role} 0 0 {epoch} connected {has}"))
            self.nodes.append(
                SimpleNamespace(
                    name=f"n{n}", process=f"n{n}#1", engine=engine, version=version, address=IPv4Address(LOOPBACK),
                    port=port, bus=bus, id=id, is_memcached=False,
                )
            )  # fmt: skip
        for n, node in enumerate(self.nodes):
            home = directory / node.name
            home.mkdir()
            rows = [f"{a} {'myself,' if n == k else ''}{b}" for k, (a, b) in enumerate(lines)]
            (home / "nodes.conf").write_text("\n".join([*rows, f"vars currentEpoch {len(owned)} lastVoteEpoch 0\n"]))
            self.start(node)
        try:
            for node in self.nodes:
                self.until(node, "cluster_state:ok", "CLUSTER", "INFO")
        except BaseException:
            self.close()
            raise

    def socket(self, node):
        return self.directory / node.name / "s"

    def start(self, node):
        home = self.directory / node.name
        (home / "conf").write_text("\n".join([
            f"port {node.port}", f"cluster-port {node.bus}", "bind 127.0.0.1", "unixsocket s", f"dir {home}",
            'save ""', "cluster-enabled yes", "cluster-node-timeout 15000", "logfile log",
            "repl-diskless-sync-delay 0", "cluster-allow-replica-migration no",
            "protected-mode no", *renames(PASSWORD), *users(self._engine, self._version, PASSWORD),
            f"masteruser {ADMINISTRATOR}",
            f"masterauth {PASSWORD}", "",
        ]))  # fmt: skip
        self._processes[node.name] = subprocess.Popen([self._program, str(home / "conf")], cwd=home)

    def kill(self, node):
        process = self._processes.pop(node.name)
        process.kill()
        process.wait()

    def close(self):
        for process in self._processes.values():
            process.kill()
            process.wait()

    def ask(self, node, *words):
        """Ask as the administrator, by a connection of its own."""
        link = redis.UnixDomainSocketConnection(
            path=str(self.socket(node)), username=ADMINISTRATOR, password=PASSWORD, protocol=2
        )
        try:
            link.send_command(*words)
            said = link.read_response()
            return said.decode() if isinstance(said, bytes) else said
        finally:
            link.disconnect()

    def until(self, node, text, *words):
        end, said = time.monotonic() + SECONDS, None
        while time.monotonic() < end:
            try:
                said = self.ask(node, *words)
                if text in str(said):
                    return
            except Exception as error:  # it is coming up
                said = error
            time.sleep(0.01)
        raise AssertionError(f"{node.name}: {said}\n{(self.directory / node.name / 'log').read_text()}")
