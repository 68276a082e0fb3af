"""Root emulation for rootless instances: ids and owners seem to change, and nothing happens.

A user namespace made by an ordinary user has one id, so setgroups fails and every other uid is invalid.  Programs
that only want to become the user whom they already are (sshd, sudo, tar, package scripts) then give up.  Told that
they succeeded, they work.  Source: Charliecloud, "seccomp" root emulation.
"""

import platform
import struct

_ARCHITECTURES = {
    # machine: audit number, and the numbers of: chown fchown lchown fchownat setuid setgid setreuid setregid
    # setgroups setresuid setresgid setfsuid setfsgid
    "x86_64": (0xC000003E, (92, 93, 94, 260, 105, 106, 113, 114, 116, 117, 119, 122, 123)),
    "aarch64": (0xC00000B7, (55, 54, 146, 144, 145, 143, 159, 147, 149, 151, 152)),
}
_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4  # in struct seccomp_data
_ALLOW, _ERRNO_ZERO = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ERRNO with errno 0: "it worked"


def pretend_ownership() -> bytes:
    """Return the BPF program for this machine; of another architecture's calls it allows all."""
    audit, numbers = _ARCHITECTURES[platform.machine()]
    program = [
        _instruction(_LOAD_WORD, 0, 0, _ARCHITECTURE_AT),
        _instruction(_JUMP_EQUAL, 0, len(numbers) + 1, audit),  # else to ALLOW
        _instruction(_LOAD_WORD, 0, 0, _NUMBER_AT),
    ]
    for place, number in enumerate(numbers):
        program.append(_instruction(_JUMP_EQUAL, len(numbers) - place, 0, number))  # to ERRNO_ZERO
    return b"".join([*program, _instruction(_RETURN, 0, 0, _ALLOW), _instruction(_RETURN, 0, 0, _ERRNO_ZERO)])


def _instruction(code: int, if_true: int, if_false: int, operand: int) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, operand)
