"""Terminals in pages: a shell in an instance, as `atoll exec` has it, on a pseudo-terminal of ours.

What it says goes out as server-sent events, what is typed comes in by POST.  A shell belongs to the session that
opened it, and ends when its page has gone.
"""

import asyncio
import base64
import fcntl
import os
import secrets
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field

SHELLS_MAX = 20  # at a time; a person has a handful
READ_BYTES = 16 << 10
SAID_BYTES_MAX = 256 << 10  # that wait for a page: then the shell waits for its reader, as in any terminal
INPUT_BYTES_MAX = 64 << 10
ALONE_SECONDS = 15.0  # without a page that listens: a reload takes less
ALIVE_SECONDS = 15.0
SIZE_MAX = 1_000  # columns or rows


class TooMany(Exception):
    """So many shells are open already."""


@dataclass(eq=False)
class Shell:
    """A shell, and what it said that no page has read yet."""

    id: str
    session: str
    process: "subprocess.Popen[bytes]"
    terminal: int  # our side of it
    said: bytearray = field(default_factory=bytearray)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    readers: int = 0
    is_reading: bool = False

    def read(self) -> None:
        """Take what the shell says now."""
        try:
            part = os.read(self.terminal, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: nobody has the other side any more
            part = b""
        if not part:
            self.stop_reading()
            self.ended = True
        self.said += part
        if len(self.said) > SAID_BYTES_MAX:
            self.stop_reading()
        self.news.set()

    def go_on_reading(self) -> None:
        """Read whenever the shell says something."""
        if not self.is_reading and not self.ended:
            self.is_reading = True
            asyncio.get_running_loop().add_reader(self.terminal, self.read)

    def stop_reading(self) -> None:
        """Let the shell wait."""
        if self.is_reading:
            self.is_reading = False
            asyncio.get_running_loop().remove_reader(self.terminal)

    def size(self, columns: int, rows: int) -> None:
        """Tell the shell how large its window is."""
        packed = struct.pack("HHHH", min(max(rows, 1), SIZE_MAX), min(max(columns, 1), SIZE_MAX), 0, 0)
        with suppress(OSError):
            fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, packed)


class Shells:
    """The shells of one daemon."""

    def __init__(self) -> None:
        """Begin without any."""
        self._shells: dict[str, Shell] = {}
        self._keeping: set[asyncio.Task[None]] = set()

    def open(self, session: str, pid: int, *, rootless: bool, user: str) -> Shell:
        """Start a login shell of a user in the instance whose init has this pid.  Raises TooMany, OSError."""
        if len(self._shells) >= SHELLS_MAX:
            raise TooMany
        ours, theirs = os.openpty()
        os.set_blocking(ours, False)
        command = [sys.executable, "-m", "atoll.console.shell", str(pid), "rootless" if rootless else "root", user]
        try:
            process = subprocess.Popen(
                command, stdin=theirs, stdout=theirs, stderr=theirs, cwd="/", start_new_session=True,
                env={"PATH": os.environ.get("PATH", ""), "TERM": "xterm-256color", "LANG": "C.UTF-8"},
            )  # fmt: skip
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        shell = Shell(secrets.token_hex(16), session, process, ours)
        self._shells[shell.id] = shell
        shell.go_on_reading()
        keeping = asyncio.create_task(self._keep(shell))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)
        return shell

    def find(self, session: str, id: str) -> Shell | None:
        """Return a session's shell."""
        shell = self._shells.get(id)
        return shell if shell and shell.session == session else None

    async def type(self, shell: Shell, text: bytes) -> None:
        """Give a shell what was typed; waits until it takes it."""
        rest = text[:INPUT_BYTES_MAX]
        while rest and not shell.ended:
            try:
                rest = rest[os.write(shell.terminal, rest) :]
            except BlockingIOError:
                await asyncio.sleep(0.02)
            except OSError:
                return

    async def events(self, shell: Shell) -> AsyncGenerator[bytes, None]:
        """Yield what a shell says, and that it has ended."""
        shell.readers += 1
        try:
            yield b": open\n\n"
            while shell.said or not shell.ended:
                try:
                    async with asyncio.timeout(ALIVE_SECONDS):
                        await shell.news.wait()
                except TimeoutError:
                    yield b": alive\n\n"
                    continue
                said, shell.said = bytes(shell.said), bytearray()
                shell.news.clear()
                shell.go_on_reading()
                if said:
                    yield b"data: " + base64.b64encode(said) + b"\n\n"
            yield b"event: ended\ndata: \n\n"
        finally:
            shell.readers -= 1

    async def _keep(self, shell: Shell) -> None:
        """Wait until a shell has ended or nobody listens, and clear it away."""
        alone = 0.0
        try:
            while not shell.ended and alone < ALONE_SECONDS:
                await asyncio.sleep(1.0)
                alone = 0.0 if shell.readers else alone + 1.0
        finally:
            del self._shells[shell.id]
            shell.stop_reading()
            shell.ended = True
            shell.news.set()
            os.close(shell.terminal)  # hangs up: the shell and what it runs in the foreground get a SIGHUP
            if shell.process.poll() is None:
                shell.process.terminate()
            await asyncio.shield(asyncio.to_thread(shell.process.wait))
