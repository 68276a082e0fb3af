"""`python -m tests.unified`: boot a kernel that has cgroup v2 only, and run tests in it.

    python -m tests.unified                                          # those of limits, as each kind of machine
    python -m tests.unified --machine systemd tests/kernel/test_limits.py tests/security/test_guest.py
    python -m tests.unified --machine container --run '.venv/bin/atoll doctor'

Needs qemu-system-x86 and, for the kernel, Debian's apt-get; no root, but tests that need it are root inside.  The
machine sees all files of this one, reads them only, has no network card, and forgets what it wrote.  It has KVM where
`--kvm` says so; without, all is some twenty times slower.  Ends with the status of what ran.
"""

import argparse
import base64
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.tidy.tree import ROOT
from tests.unified import kernel

MACHINES = ("plain", "container", "systemd")
TESTS = ("tests/kernel/test_limits.py", "tests/kernel/test_unified.py")
CHILD_SECONDS = 900  # for one test, as everything is slow
ENDED = "ended with status "


def boot(machine: str, command: str, options: argparse.Namespace, archive: Path, files: Path) -> int:
    """Boot one machine, show what it says, and return the status of the command."""
    run = base64.b64encode(command.encode()).decode()
    line = f"console=ttyS0 quiet panic=-1 atoll.tree={ROOT} atoll.as={machine} atoll.run={run}"
    shares = [
        f"-fsdev local,id={tag},path={path},security_model=none,readonly=on,multidevs=remap"
        f" -device virtio-9p-pci,fsdev={tag},mount_tag={tag}"
        for tag, path in (("files", "/"), ("modules", files / "lib/modules"))
    ]
    accelerated = "-accel kvm -cpu host" if options.kvm else "-accel tcg,thread=multi -cpu max"
    flags = f"{accelerated} -smp 2 -m {options.memory_mb} -no-reboot -nic none -nodefaults -display none"
    image = files / "boot" / f"vmlinuz-{kernel.version(files)}"
    words = ["qemu-system-x86_64", *flags.split(), "-serial", "stdio", *" ".join(shares).split()]
    words += ["-kernel", str(image), "-initrd", str(archive), "-append", line]
    status = 1
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as qemu:
        assert qemu.stdout is not None, "it is a pipe"
        for line_ in qemu.stdout:
            said = line_.decode(errors="replace").rstrip()
            print(said, flush=True)
            if said.startswith(ENDED):
                status = int(said.removeprefix(ENDED))
    return status


def main() -> int:
    """Boot one machine of each kind that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.unified", description=__doc__.partition("\n")[0])
    parser.add_argument("--machine", choices=MACHINES, action="append", help="all, without it")
    parser.add_argument("--run", help="a command of the shell, instead of pytest")
    parser.add_argument("--kvm", action="store_true", help="where /dev/kvm can run other kernels")
    parser.add_argument("--memory-mb", type=int, default=4096)
    parser.add_argument("tests", nargs="*", default=TESTS, help="and other arguments of pytest, after --")
    options = parser.parse_args()
    pytest = f".venv/bin/python -m pytest -q -p no:cacheprovider -rs --timeout {CHILD_SECONDS}"
    command = options.run or f"ATOLL_CHILD_SECONDS={CHILD_SECONDS} {pytest} {' '.join(options.tests)}"
    files, worst = kernel.fetched(), 0
    with tempfile.TemporaryDirectory(prefix="atoll-unified-") as place:
        archive = kernel.first_files(files, Path(place))
        for machine in options.machine or MACHINES:
            print(f"== {machine}: {command}", flush=True)
            worst = max(worst, boot(machine, command, options, archive, files))
    return worst


if __name__ == "__main__":
    sys.exit(main())
