"""Runs in an instance: keeps files that have no name, each in another way, until it is ended."""

import ctypes
import mmap
import os
import threading
import time

MB = 1 << 20


def ghost(directory, megabytes):
    """Return a file without a name."""
    fd = os.open(f"{directory}/ghost-{megabytes}", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    for _ in range(megabytes):
        os.write(fd, os.urandom(MB))
    os.unlink(f"{directory}/ghost-{megabytes}")
    return fd


def map_it(fd, megabytes):
    """Map a file, and keep no descriptor of it, as `mmap.mmap` would."""
    libc.mmap.restype = ctypes.c_void_p
    flags = (mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED)
    at = libc.mmap(None, ctypes.c_size_t(megabytes * MB), *flags, fd, ctypes.c_long(0))
    assert at not in (None, ctypes.c_void_p(-1).value)


def kept_by_a_thread():
    """Keep a file that is open in this thread alone."""
    assert libc.unshare(0x400) == 0, "CLONE_FILES"
    ghost("/root", 8)
    ready.set()
    time.sleep(1000)


libc = ctypes.CDLL(None, use_errno=True)
ready = threading.Event()
threading.Thread(target=kept_by_a_thread, daemon=True).start()
ready.wait()
mapped = ghost("/root", 4)
map_it(mapped, 4)
os.close(mapped)
both = ghost("/root", 16)
map_it(both, 16)
in_memory = ghost("/tmp", 5)
memory = os.memfd_create("ghost")
os.write(memory, bytes(6 * MB))
shared = mmap.mmap(-1, 7 * MB)
shared.write(bytes(7 * MB))
print("kept", flush=True)
time.sleep(1000)
