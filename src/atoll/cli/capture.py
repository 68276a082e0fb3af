"""`atoll capture`: what passes an interface, as a pcap file or as lines.

It listens at the machine's own end of its link: what the machine sends, also what the network will refuse, and what
reaches it.  Nothing is installed and nothing stays: it is one socket of this process.
"""

import os
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import BinaryIO, NamedTuple

from atoll.cli import bpf, enter, private
from atoll.cli.failure import Failure
from atoll.cli.packet_text import say

SNAP_BYTES = 262_144  # tcpdump's: more than the largest packet that Linux hands over
ETHERNET = 1  # LINKTYPE_ETHERNET
BUFFER_BYTES = 16 << 20
IDLE_SECONDS = 0.1  # after which what was captured is on its way to whoever reads it

_EVERY_PROTOCOL = 3  # ETH_P_ALL
_TIMESTAMPS = 35  # SO_TIMESTAMPNS, and the type of the message that carries it
_SOL_PACKET, _STATISTICS = 263, 6
_RECEIVE_BUFFER_FORCED = 33
_FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAP_BYTES, ETHERNET)


class Packet(NamedTuple):
    """A frame and when it passed."""

    nanoseconds: int  # since 1970
    frame: bytes


def capture(target: str, *, to: str | None, filter: str | None, count: int | None) -> int:
    """Capture until interrupted or `count` packets have come; `to` is a file, `-` for standard output."""
    place = enter.place_of(private.machine(target))
    program = bpf.compiled(filter, SNAP_BYTES) if filter else None
    out = _opened(to) if to else None  # before we are somebody else
    enter.join_network(place)
    sock = _listening(place.link, program)
    heading = f"listening on {place.link} of {place.id} ({place.address}); Ctrl-C ends it"
    try:
        tape = Tape(sock, out, count)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, tape.end)
        with suppress(KeyboardInterrupt):  # who asks twice is in a hurry
            print(heading, file=sys.stderr, flush=True)
            tape.record()
    except BrokenPipeError:  # nobody reads any more: an end as good as any
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python writes what is left when it ends
        return 0
    if out:
        with suppress(BrokenPipeError):
            out.flush()
    print(f"{tape.seen} packets captured, {_lost(sock)} lost", file=sys.stderr)
    return 0


def _opened(to: str) -> BinaryIO:
    if to == "-":
        if sys.stdout.isatty():
            raise Failure("a capture file is not for a terminal", "atoll capture ... -w FILE, or -w - into a pipe")
        return sys.stdout.buffer
    try:
        return open(to, "wb")  # closed when the process ends
    except OSError as error:
        raise Failure(f"{to} cannot be written: {error.strerror}", "name another file after -w") from None


def _listening(link: str, program: bpf.Program | None) -> socket.socket:
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # nothing comes before it is bound
        with suppress(OSError):  # a smaller buffer captures, too
            sock.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCED, BUFFER_BYTES)
        if program:
            bpf.attach(sock, program)
        sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        sock.bind((link, _EVERY_PROTOCOL))
    except OSError as error:
        raise Failure(f"{link} cannot be heard: {error.strerror}", "is it still there? `atoll status`") from None
    sock.settimeout(IDLE_SECONDS)
    return sock


class Tape:
    """What a capture writes, and how much of it there was."""

    def __init__(self, sock: socket.socket, out: BinaryIO | None, count: int | None) -> None:
        """Write frames from `sock` to `out`, else as lines; `count`: no more than so many."""
        self._sock, self._out, self._count, self.seen = sock, out, count, 0
        self._ended: int | None = None  # when somebody wanted that, as time since 1970
        if out:
            out.write(_FILE_HEADER)
            out.flush()

    def record(self) -> None:
        """Write what comes, until there is enough or `end`; then what had come by that moment."""
        while self.seen != self._count and self._ended is None:
            try:
                self._write(_received(self._sock))
            except TimeoutError:
                if self._out:
                    self._out.flush()
        self._sock.setblocking(False)
        with suppress(BlockingIOError):
            while self.seen != self._count and (packet := _received(self._sock)).nanoseconds <= (self._ended or 0):
                self._write(packet)

    def end(self, *_: object) -> None:
        """Have `record` end, within IDLE_SECONDS; a signal's handler.  Raises KeyboardInterrupt the second time.

        An exception at any moment would do for the first, too, but Python loses one that falls into a finalizer.
        """
        if self._ended is not None:
            raise KeyboardInterrupt
        self._ended = time.time_ns()

    def _write(self, packet: Packet) -> None:
        self.seen += 1
        if self._out:
            self._out.write(_packed(packet))
        else:
            print(say(packet.nanoseconds, packet.frame), flush=True)


def _received(sock: socket.socket) -> Packet:
    frame, told, _, _ = sock.recvmsg(SNAP_BYTES, 128)
    stamps = (raw for level, kind, raw in told if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMPS))
    seconds, nanoseconds = struct.unpack("qq", next(stamps)[:16])
    return Packet(seconds * 1_000_000_000 + nanoseconds, frame)


def _packed(packet: Packet) -> bytes:
    seconds, nanoseconds = divmod(packet.nanoseconds, 1_000_000_000)
    size = len(packet.frame)
    return struct.pack("<IIII", seconds, nanoseconds // 1000, size, size) + packet.frame


def _lost(sock: socket.socket) -> int:
    """Return how many packets came too fast."""
    lost: int = struct.unpack("II", sock.getsockopt(_SOL_PACKET, _STATISTICS, 8))[1]
    return lost
