r"""The nftables rules by which stock Memcached answers ElastiCache's `config get cluster`.

Memcached does not know the command, and nothing stands between it and its clients.  But the answer that clients want
is, byte for byte, as long as that to a `get` of a key with eight characters:

    config get cluster\r\n                   CONFIG cluster 0 136\r\n12\n...\n\r\nEND\r\n
    get       \x01cluster\r\n                VALUE \x01cluster 0 136\r\n12\n...\n\r\nEND\r\n

So the engine keeps the answer as an item (`engine/announcing.py`), and the kernel rewrites the request on its way in,
the answer on its way out; in the binary protocol an opcode and the flags.  A packet is touched only if it is the
request and nothing else, or begins with the answer; to all others the rules cost a comparison.

A `flush_all` takes the item, too; so the kernel is asked to tell of one (`packet_log.py`).
"""

from atoll.host.engine.announcing import BINARY_FLAGS, BINARY_KEY, TEXT_KEY

TABLE = "atoll_discovery"

_TEXT = b"config get cluster"
_BINARY = bytes.fromhex("80 60 0007 00 00 0000 00000007")  # request, config get, a key of seven bytes
_BINARY_VALUE = bytes.fromhex("81 00 0000 04 00")  # answer to get: no key, flags
FLUSH_LOG = 11211  # the log group
_FLUSH = b"flush_all"
_FLUSHES_BINARY = (b"\x80\x08", b"\x80\x18")  # flush, and the quiet one
_KEY_AT = _FLAGS_AT = 24  # bytes of the binary protocol's header


def rules(port: int, *, log: bool = True) -> str:
    """Return the transaction that puts the rules into a node's namespace, in place of those that are there.

    `log`: also those that tell of a flush, for kernels that can.
    """
    flushes = "".join(
        f"    tcp dport {port} {_is(0, text)} log group {FLUSH_LOG}\n" for text in (_FLUSH, *_FLUSHES_BINARY) if log
    )
    get = _put(0, b"get".ljust(10) + TEXT_KEY[:6])  # the rest of both is the same
    flags = BINARY_FLAGS.to_bytes(4, "big")
    return f"""
table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
  chain text {{
    {_has_byte(len(_TEXT) + 2)} return
    {_is(0, _TEXT[:16])} {_is(16, _TEXT[16:] + bytes((13, 10)))} {get} counter accept
    {_has_byte(len(_TEXT) + 1)} return
    {_is(0, _TEXT[:16])} {_is(16, _TEXT[16:] + bytes((10,)))} {get} counter accept
  }}
  chain binary {{
    {_has_byte(_KEY_AT + len(BINARY_KEY))} return
    {_is(_KEY_AT, b"cluster")} {_put(0, bytes((0x80, 0)))} {_put(_KEY_AT, BINARY_KEY[:6])} counter accept
  }}
  chain input {{
    type filter hook input priority 0
    tcp dport {port} {_is(0, _TEXT[:8])} goto text
    tcp dport {port} {_is(0, _BINARY)} goto binary
{flushes}  }}
  chain output {{
    type filter hook output priority 0
    tcp sport {port} {_is(0, b"VALUE " + TEXT_KEY)} {_put(0, b"CONFIG cluster")} accept
    tcp sport {port} {_is(0, _BINARY_VALUE)} {_is(_FLAGS_AT, flags)} {_put(0, bytes((0x81, 0x60)))} {
        _put(_FLAGS_AT, bytes(4))
    } accept
  }}
}}
"""


def _is(at: int, text: bytes) -> str:
    """Compare bytes of the packet's data, 16 at most; not so if there are fewer."""
    return f"@ih,{at * 8},{len(text) * 8} 0x{text.hex()}"


def _has_byte(at: int) -> str:
    return f"@ih,{at * 8},8 >= 0"


def _put(at: int, text: bytes) -> str:
    return f"@ih,{at * 8},{len(text) * 8} set 0x{text.hex()}"
