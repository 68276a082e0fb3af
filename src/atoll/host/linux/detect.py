"""What this machine can do, by trying it; and for what it cannot, the command that mends it.

    report = detect()
    report.mode                 # "root", "rootless" or "none"
    report.probes               # each kernel feature, with the error if it failed
    report.repairs              # what is missing, what for, and the command: for `atoll doctor`

Each mode is tried in a forked child that really makes namespaces, links, rules and mounts, and ends.  Versions are
not looked at: a kernel with the right number may be configured otherwise.  Costs 0.1 s; no thread may run.
"""

import ctypes.util
import json
import os
import platform
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from atoll.host.contract import HostError
from atoll.host.engine.programs import terminator
from atoll.host.linux import cgroups
from atoll.host.linux.guard import guard
from atoll.host.linux.keeper import become_root_of_own
from atoll.host.linux.namespaces import THIS_NETWORK, set_sysctl
from atoll.host.linux.netlink import LOOPBACK, Netlink, Rule
from atoll.host.linux.nft import Nft
from atoll.host.linux.seccomp import pretend_ownership
from atoll.host.linux.syscalls import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MS_PRIVATE,
    MS_REC,
    install_seccomp,
    mount,
    setns,
    unmount,
    unshare,
)

_GUEST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"  # where instances look
_PROBE_SECONDS = 30  # for all probes of one mode; more means a kernel that hangs

_RULES = {
    "nft filter and conntrack": """
        table inet a { chain c { type filter hook forward priority 0; ct state established accept; ct mark set 1; }; }
    """,
    "nft nat": """
        table ip b { map m { type ipv4_addr : ipv4_addr; }
                     chain c { type nat hook postrouting priority 100; snat to ip saddr map @m; }; }
    """,
    "nft concatenated maps": """
        table inet d { map m { type ifname . ipv4_addr : verdict; elements = { "v0" . 10.0.0.1 : drop }; }
                       set s { type ipv4_addr . inet_service; flags interval; }; }
    """,
    "nft ARP responder": """
        table netdev e { chain c { type filter hook ingress device v0 priority 0;
                                   arp operation set reply fwd to iif; }; }
    """,
    "nft sets that packets fill": """
        table ip g { set s { type mark . ifname . ifname; size 16; flags dynamic,timeout; timeout 9s; }
                     chain c { type filter hook forward priority 0;
                               update @s { meta mark . iifname . oifname counter } drop; }; }
    """,
    "nft limits in sets": """
        table ip h { set s { type ifname; size 16; flags dynamic,timeout; timeout 9s; }
                     chain c { type filter hook input priority 0;
                               update @s { iifname limit rate over 9/second burst 9 packets } drop; }; }
    """,
}


@dataclass(frozen=True, slots=True)
class Probe:
    """A kernel feature that was tried."""

    name: str
    error: str  # empty: it works

    @property
    def works(self) -> bool:
        """Tell whether it works."""
        return not self.error


@dataclass(frozen=True, slots=True)
class Repair:
    """Something missing, and what mends it."""

    missing: str
    purpose: str
    command: str  # empty: there is none, `purpose` says what to do
    needed: bool  # without it nothing runs in this mode


@dataclass(frozen=True, slots=True)
class Report:
    """What this machine can do."""

    mode: str  # "root", "rootless", "none"
    probes: dict[str, tuple[Probe, ...]] = field(default_factory=dict)  # by mode
    repairs: tuple[Repair, ...] = ()
    limits: cgroups.Support = field(default_factory=cgroups.support)

    def works(self, mode: str) -> bool:
        """Tell whether all that a mode needs works."""
        return all(probe.works for probe in self.probes[mode])


def detect(state_dir: Path | None = None) -> Report:
    """Try both modes and look for programs.

    Overlays are tried in `state_dir` (None: where temporary files are), because it depends on the file system there.
    """
    probes = {mode: _try(mode, state_dir) for mode in ("root", "rootless")}
    mode = next((mode for mode in ("root", "rootless") if all(probe.works for probe in probes[mode])), "none")
    return Report(
        mode,
        probes,
        (*_kernel_repairs(mode, probes), *program_repairs(f"{os.environ.get('PATH', '')}:{_GUEST_PATH}")),
    )


def namespaces_refused(*, rootless: bool) -> str:
    """Return why namespaces cannot be made in one mode; empty if they can."""
    probes = _try("rootless" if rootless else "root", None)
    return next((probe.error for probe in probes if probe.name == "namespaces"), "")


def _try(mode: str, state_dir: Path | None) -> tuple[Probe, ...]:
    """Run the probes in a child and return what it says.  The first that fails may end it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(_PROBE_SECONDS)
            os.close(reading)
            _run_probes(
                mode, state_dir, lambda name, error: os.write(writing, json.dumps([name, error]).encode() + b"\n")
            )
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        lines = [json.loads(line) for line in pipe]
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    probes = [Probe(name, error) for name, error in lines]
    if status:
        probes.append(Probe("the probes", f"ended with {status}"))
    return tuple(probes)


def _run_probes(mode: str, state_dir: Path | None, say: Callable[[str, str], object]) -> None:
    def probe(name: str, run: Callable[[], object]) -> bool:
        try:
            run()
        except (OSError, HostError, KeyError) as error:
            say(name, str(error))
            return False
        say(name, "")
        return True

    flags = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID
    enter = (lambda: become_root_of_own(flags)) if mode == "rootless" else (lambda: unshare(flags))
    if not probe("namespaces", enter):
        return  # all else would be tried on the host itself
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    probe("links between namespaces", _link)
    probe("forwarding", lambda: set_sysctl("net.ipv4.ip_forward", 1))
    probe("policy routing", _route_by_mark)
    for name, rules in _RULES.items():
        probe(name, lambda rules=rules: _load(rules))  # type: ignore[misc]
    _in_first_process(lambda: _try_guest(mode, state_dir, probe))


def _link() -> None:
    home = os.open(THIS_NETWORK, os.O_RDONLY)
    unshare(CLONE_NEWNET)
    there = os.open(THIS_NETWORK, os.O_RDONLY)
    setns(home, CLONE_NEWNET)
    with Netlink() as net:
        net.set_up(LOOPBACK)
        net.add_veth("v0", peer="v1", peer_namespace=there)
        net.commit()


def _route_by_mark() -> None:
    with Netlink() as net:
        net.add_rule(Rule(100, 1000, mark=1))
        net.commit()


def _load(rules: str) -> None:
    with Nft() as nft:
        nft.run(rules)


def _in_first_process(run: Callable[[], None]) -> None:
    """Run in the first process of the new PID namespace, where alone /proc can be mounted."""
    pid = os.fork()
    if pid == 0:
        try:
            run()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def _try_guest(mode: str, state_dir: Path | None, probe: Callable[[str, Callable[[], object]], bool]) -> None:
    unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)
    with tempfile.TemporaryDirectory(prefix="atoll-probe-", dir=state_dir) as place:
        for name in ("lower", "upper", "work", "root", "proc"):
            Path(place, name).mkdir()
        layers = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"
        rootless = ",userxattr" if mode == "rootless" else ""
        if probe("overlay file system", lambda: mount("overlay", f"{place}/root", "overlay", 0, layers + rootless)):
            unmount(f"{place}/root")
        if probe("a /proc of one's own", lambda: mount("proc", f"{place}/proc", "proc")):
            unmount(f"{place}/proc")
    probe("system call filter", lambda: install_seccomp(guard("guest")))
    if mode == "rootless":
        probe("root emulation", lambda: install_seccomp(pretend_ownership()))


def _kernel_repairs(mode: str, probes: dict[str, tuple[Probe, ...]]) -> list[Repair]:
    found = []
    if mode == "none":
        for path, wanted, purpose in (
            ("kernel/apparmor_restrict_unprivileged_userns", "0", "AppArmor keeps ordinary users from namespaces"),
            ("kernel/unprivileged_userns_clone", "1", "this kernel keeps ordinary users from namespaces"),
        ):
            now = _sysctl(path)
            if now is not None and now != wanted:
                key = path.replace("/", ".")
                found.append(Repair(key, purpose, f"sudo sysctl -w {key}={wanted}", needed=True))
        if _sysctl("user/max_user_namespaces") == "0":
            command = "sudo sysctl -w user.max_user_namespaces=15000"
            found.append(Repair("user.max_user_namespaces", "no user namespaces are allowed", command, needed=True))
    failed = {probe.name: probe.error for probe in probes["root" if os.getuid() == 0 else "rootless"] if probe.error}
    for name, error in failed.items():
        if name == "namespaces" and os.getuid() == 0:
            purpose = f"{error}; in a container, run it with --privileged"
            found.append(Repair(name, purpose, "", needed=True))
        elif name in _MODULES:
            found.append(Repair(name, error, f"sudo modprobe -a {_MODULES[name]}", needed=True))
        else:
            found.append(Repair(name, error, "", needed=True))
    return found


_MODULES = {
    "links between namespaces": "veth",
    "nft filter and conntrack": "nf_tables nft_ct",
    "nft nat": "nft_nat nft_chain_nat",
    "nft concatenated maps": "nf_tables",
    "nft ARP responder": "nft_fwd_netdev",
    "nft sets that packets fill": "nf_tables",
    "nft limits in sets": "nft_limit",
    "overlay file system": "overlay",
}

# Program, what for, and its package by the family of the distribution (os-release ID or ID_LIKE).
_PROGRAMS = (
    ("iptables", "address translation inside instances", {"debian": "iptables", "fedora": "iptables-nft"}),
    ("ip", "network commands inside instances", {"debian": "iproute2", "fedora": "iproute"}),
    ("sysctl", "network settings inside instances", {"debian": "procps", "fedora": "procps-ng"}),
    ("dropbear", "ssh into instances", {"debian": "dropbear-bin", "fedora": "dropbear"}),
    ("sudo", "ec2-user with an id of its own", {"debian": "sudo", "fedora": "sudo"}),
    ("bash", "the shell of instances", {"debian": "bash", "fedora": "bash"}),
    ("redis-cli", "redis-cli and valkey-cli inside instances", {"debian": "redis-tools", "fedora": "valkey"}),
    ("telnet", "telnet inside instances", {"debian": "inetutils-telnet", "fedora": "telnet"}),
    ("nft", "nft inside instances", {"debian": "nftables", "fedora": "nftables"}),
)
_INSTALL = {"debian": "sudo apt-get install --no-install-recommends", "fedora": "sudo dnf install"}


def program_repairs(path: str) -> list[Repair]:
    """Return what is missing of programs (looked for in `path`), libraries and the machine's layout."""
    family = _family()
    found = []
    if ctypes.util.find_library("nftables") is None:
        package = {"debian": "libnftables1", "fedora": "nftables"}.get(family, "libnftables")
        found.append(_installed("libnftables", "the network's rules", package, family, needed=True))
    for program, purpose, packages in _PROGRAMS:
        if shutil.which(program, path=path) is None:
            found.append(_installed(program, purpose, packages.get(family, program), family, needed=False))
    if terminator() is None:
        found.append(_installed("haproxy", "TLS in front of caches", "haproxy", family, needed=False))
    if not Path("/bin").is_symlink():
        found.append(
            Repair("a merged /usr", "instances see the host's /usr; here /bin is not in it", "", needed=True)
        )
    if platform.machine() not in ("x86_64", "aarch64"):
        purpose = "system calls are known for x86_64 and aarch64 only"
        found.append(Repair(f"support of {platform.machine()}", purpose, "", needed=True))
    return found


def _installed(missing: str, purpose: str, package: str, family: str, *, needed: bool) -> Repair:
    command = f"{_INSTALL[family]} {package}" if family in _INSTALL else ""
    return Repair(missing, purpose if command else f"{purpose} (package {package})", command, needed)


def _family() -> str:
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    names = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if names & {"debian", "ubuntu"}:
        return "debian"
    return "fedora" if names & {"fedora", "rhel", "centos", "amzn"} else ""


def _sysctl(path: str) -> str | None:
    try:
        return Path("/proc/sys", path).read_text().strip()
    except OSError:
        return None
