"""The program behind a terminal in a page: becomes a login shell in an instance.

    python -m atoll.console.shell PID root|rootless USER

Its standard input is a pseudo-terminal, and it leads a session of its own.
"""

import fcntl
import os
import signal
import sys
import termios

from atoll.host.contract import HostError
from atoll.host.linux.inside import run_inside


def main() -> int:
    """Run the shell; returns its exit status."""
    pid, mode, user = sys.argv[1:]
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        return run_inside(int(pid), [], rootless=mode == "rootless", user=user)
    except HostError as error:
        os.write(2, f"{error}\r\n".encode())
        return 1


if __name__ == "__main__":
    sys.exit(main())
