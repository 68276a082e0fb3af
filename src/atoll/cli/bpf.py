"""Filters of captures: the language of tcpdump, compiled by libpcap, run by the kernel."""

import ctypes
import socket
import struct
from dataclasses import dataclass

from atoll.cli.failure import Failure

LIBRARIES = ("libpcap.so.0.8", "libpcap.so.1")
ERROR_BYTES = 256
_ETHERNET, _NO_MASK = 1, 0xFFFFFFFF
_ATTACH_FILTER = 26  # SO_ATTACH_FILTER


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


@dataclass(frozen=True)
class Program:
    """Instructions of classic BPF, eight bytes each."""

    instructions: bytes


def compiled(expression: str, snap_bytes: int) -> Program:
    """Compile an expression such as `tcp port 6379`."""
    library = _library()
    handle = library.pcap_open_dead(_ETHERNET, snap_bytes)
    made = _Program()
    try:
        if library.pcap_compile(handle, ctypes.byref(made), expression.encode(), 1, _NO_MASK):
            said = library.pcap_geterr(handle).decode(errors="replace")
            raise Failure(f"{expression!r} is not a filter: {said}", "such as -f 'tcp port 6379'", 2)
        program = Program(ctypes.string_at(made.instructions, made.length * 8))
        library.pcap_freecode(ctypes.byref(made))
        return program
    finally:
        library.pcap_close(handle)


def attach(sock: socket.socket, program: Program) -> None:
    """Have the kernel give the socket what the program admits.  Raises OSError."""
    held = ctypes.create_string_buffer(program.instructions, len(program.instructions))
    count = len(program.instructions) // 8
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HxxxxxxP", count, ctypes.addressof(held)))


def _library() -> ctypes.CDLL:
    for name in LIBRARIES:
        try:
            loaded = ctypes.CDLL(name)
        except OSError:
            continue
        loaded.pcap_open_dead.restype = ctypes.c_void_p
        loaded.pcap_geterr.restype = ctypes.c_char_p
        loaded.pcap_geterr.argtypes = loaded.pcap_close.argtypes = (ctypes.c_void_p,)
        loaded.pcap_compile.argtypes = (
            ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32,
        )  # fmt: skip
        return loaded
    raise Failure("a filter needs libpcap, which this machine does not have", "sudo apt-get install libpcap0.8")
