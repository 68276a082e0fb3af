"""Machines with cgroup v2, for who has none: a kernel of Debian in QEMU, on this machine's own files."""
