"""How the relay has stock Memcached answer `config get cluster`, as the kernel's rules do elsewhere. Pure.

The engine keeps the answer as an item (`engine/announcing.py`).  What a client sends is touched only if it is the
request and nothing else; what the engine sends, only if it begins with the answer.
"""

from atoll.host.engine.announcing import BINARY_FLAGS, BINARY_KEY, TEXT_KEY

_TEXT = b"config get cluster"
_BINARY = bytes.fromhex("80 60 0007 00 00 0000 00000007")  # request, config get, a key of seven bytes
_BINARY_HEADER_BYTES = 24
_ANSWER = b"VALUE " + TEXT_KEY
_BINARY_ANSWER = bytes.fromhex("81 00 0000 04 00")  # to get: no key, flags
_FLAGS = BINARY_FLAGS.to_bytes(4, "big")
_FLUSHES = (b"flush_all", b"\x80\x08", b"\x80\x18")  # the last two: binary, and binary and quiet


def request(sent: bytes) -> bytes:
    """Return what the engine is to see of what a client sent."""
    if sent in (_TEXT + b"\r\n", _TEXT + b"\n"):
        return b"get " + TEXT_KEY + sent[len(_TEXT) :]
    header = sent[:_BINARY_HEADER_BYTES]
    if header.startswith(_BINARY) and sent[_BINARY_HEADER_BYTES:] == b"cluster":
        return bytes((0x80, 0x00)) + header[2:] + BINARY_KEY
    return sent


def answer(said: bytes) -> bytes:
    """Return what a client is to see of what the engine said."""
    if said.startswith(_ANSWER):
        return b"CONFIG cluster" + said[len(_ANSWER) :]
    flags = said[_BINARY_HEADER_BYTES : _BINARY_HEADER_BYTES + 4]
    if said.startswith(_BINARY_ANSWER) and flags == _FLAGS:
        header = bytes((0x81, 0x60)) + said[2:_BINARY_HEADER_BYTES]
        return header + bytes(4) + said[_BINARY_HEADER_BYTES + 4 :]
    return said


def is_flush(sent: bytes) -> bool:
    """Tell whether what a client sent takes all items, that of the answer too."""
    return sent.startswith(_FLUSHES)
