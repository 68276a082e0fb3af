"""A bounded file that keeps the last of what a process says, as an instance's console does."""

import contextlib
import os

KEPT_BYTES = 64 * 1024  # what GetConsoleOutput returns at most
_FILE_BYTES_MAX = 4 * KEPT_BYTES  # the file is cut when it reaches this: one rewrite per 192 KiB written
_READ_BYTES = 16 * 1024  # at a time, so that one loud process does not hold up the keeper


class Console:
    """The reading end of a process's output, and the file that it goes to."""

    def __init__(self, path: str) -> None:
        """Open the file at its end and make the pipe; `writing` is for the process."""
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.lseek(self._file, 0, os.SEEK_END)
        self.reading, self.writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.reading, False)

    def release(self) -> None:
        """Close our copy of the writing end, once the process has its own."""
        os.close(self.writing)

    def take(self) -> bool:
        """Move what was said to the file; False when nobody can say anything any more."""
        try:
            said = os.read(self.reading, _READ_BYTES)
        except BlockingIOError:
            return True
        if not said:
            return False
        if self._size + len(said) > _FILE_BYTES_MAX:
            self._keep_the_last()
        with contextlib.suppress(OSError):  # a full disk loses console output; it must not stop the instance
            self._size += os.write(self._file, said)
        return True

    def close(self) -> None:
        """Close the pipe and the file."""
        os.close(self.reading)
        os.close(self._file)

    def _keep_the_last(self) -> None:
        os.lseek(self._file, max(0, self._size - KEPT_BYTES), os.SEEK_SET)
        last = os.read(self._file, KEPT_BYTES)
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self._size = os.write(self._file, last)
