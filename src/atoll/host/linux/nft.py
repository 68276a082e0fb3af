"""nftables' structure (tables, chains, rules, sets) as text, by libnftables in this process.

    with Nft(fd) as nft:                     # keeps a context for the namespace of a descriptor (None: the thread's)
        nft.run("add table ip vpc ...")    # one transaction; in force when the call returns; HostError otherwise
        nft.run("list table ip vpc", json=True)

Elements of sets change through `nfnl`, which is a hundred times faster.  Keep one `Nft` per namespace that changes
often: it costs one descriptor, and a fresh one costs about 0.1 ms.
"""

import ctypes
import os
from functools import cache
from types import TracebackType
from typing import Self

from atoll.host.contract import HostError
from atoll.host.linux.namespaces import inside

_JSON, _HANDLE = 1 << 4, 1 << 3
_SAID_BYTES_MAX = 2000  # of the offending text and of the library's complaint, in an error

# libnftables waits with select(): a socket whose number is 1024 or more aborts the process ("bit out of range 0 -
# FD_SETSIZE").  Numbers are reserved while they are still low, and given to the library one by one.
_LOW_NUMBERS = 256
_low: list[int] = []


class Nft:
    """A libnftables context in one network namespace.  Not for two threads at once."""

    def __init__(self, namespace: int | None = None) -> None:
        """Open a context in the namespace of a descriptor (None: where the calling thread is)."""
        self._library = library()
        self._low = _low.pop() if reserve_low_numbers() and _low else None
        if namespace is None:
            self._context: int | None = self._new_context()
        else:
            with inside(namespace):
                self._context = self._new_context()

    def __enter__(self) -> Self:
        """Use as a context: freed at its end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the context."""
        self.close()

    def run(self, commands: str, *, json: bool = False) -> str:
        """Run commands as one transaction and return what they print (`json`: as JSON, with handles)."""
        assert self._context is not None, "a closed context runs nothing"
        self._library.nft_ctx_output_set_flags(self._context, _JSON | _HANDLE if json else 0)
        failed = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        printed: bytes = self._library.nft_ctx_get_output_buffer(self._context)
        complaint: bytes = self._library.nft_ctx_get_error_buffer(self._context)
        if failed:
            said = complaint.decode(errors="replace").strip()[:_SAID_BYTES_MAX]
            raise HostError(f"{said}\nin: {commands.strip()[:_SAID_BYTES_MAX]}", step="change nftables")
        return printed.decode()

    def close(self) -> None:
        """Free the context and reserve its number again.  The rules stay."""
        if self._context is not None:
            self._library.nft_ctx_free(self._context)
            self._context = None
            if self._low is not None:
                _low.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def _new_context(self) -> int:
        if self._low is not None:
            os.close(self._low)  # free at the last moment: the library's socket shall be the one who gets it
        context: int = self._library.nft_ctx_new(0)
        self._library.nft_ctx_buffer_output(context)
        self._library.nft_ctx_buffer_error(context)
        return context


@cache
def reserve_low_numbers() -> bool:
    """Reserve low descriptor numbers; call it early, before a daemon opens many.  Returns True."""
    _low.extend(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(_LOW_NUMBERS))
    return True


@cache
def library() -> ctypes.CDLL:
    """Load libnftables; HostError names the package if it is not there."""
    try:
        loaded = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise HostError(f"{error}; it is in the package libnftables1", step="load libnftables") from error
    loaded.nft_ctx_new.restype = ctypes.c_void_p
    loaded.nft_ctx_new.argtypes = (ctypes.c_uint32,)
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(loaded, name).restype = ctypes.c_char_p
        getattr(loaded, name).argtypes = (ctypes.c_void_p,)
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
        getattr(loaded, name).argtypes = (ctypes.c_void_p,)
    loaded.nft_run_cmd_from_buffer.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    loaded.nft_ctx_output_set_flags.argtypes = (ctypes.c_void_p, ctypes.c_uint)
    return loaded
