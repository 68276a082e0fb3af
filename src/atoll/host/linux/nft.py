"""nftables' structure (tables, chains, rules, sets) as text, by libnftables in this process.

    with Nft(fd) as nft:                     # keeps a context for the namespace of a descriptor (None: the thread's)
        nft.run("add table ip vpc ...")    # one transaction; in force when the call returns; HostError otherwise
        nft.run("list table ip vpc", json=True)

Elements of sets change through `nfnl`, which is a hundred times faster.  Keep one `Nft` per namespace that changes
often: it costs one descriptor, and a fresh one costs about 0.1 ms.
"""

import ctypes
from contextlib import nullcontext
from functools import cache
from types import TracebackType
from typing import Self

from atoll.host.contract import HostError
from atoll.host.linux.low_numbers import close_low, open_low
from atoll.host.linux.namespaces import inside

_JSON, _HANDLE = 1 << 4, 1 << 3
_SAID_BYTES_MAX = 2000  # of the offending text and of the library's complaint, in an error


class Nft:
    """A libnftables context in one network namespace.  Not for two threads at once."""

    def __init__(self, namespace: int | None = None) -> None:
        """Open a context in the namespace of a descriptor (None: where the calling thread is)."""
        self._library = library()
        with inside(namespace) if namespace is not None else nullcontext():
            self._context: int | None = open_low(self._new_context, self._library.nft_ctx_free)

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
        """Free the context.  The rules stay."""
        if (context := self._context) is not None:
            self._context = None
            close_low(lambda: self._library.nft_ctx_free(context))

    def _new_context(self) -> int:
        context: int = self._library.nft_ctx_new(0)
        self._library.nft_ctx_buffer_output(context)
        self._library.nft_ctx_buffer_error(context)
        return context


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
