"""Run the client and engine projects' own test suites against Atoll's endpoints and the bare engine, and compare.

    python -m tests.suites              # as root, some minutes; prints Markdown
    python -m tests.suites --write-docs # docs/suites.md
    python -m tests.suites --engines    # the suites of Valkey and Redis only; --write-docs: their part of the page

Each suite is of the version that is named below and comes from PyPI.  Against the bare engine it runs on loopback,
against Atoll in an instance's network, with the endpoint's name.  What passes on one and not on the other is listed
with what the engine said: AWS restricts commands, and so does Atoll.
"""

import argparse
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from tests.daemon.atoll import Atoll, running
from tests.scenario.stage import ANYWHERE, Stage
from tests.suites import engines
from tests.suites.bare import bare_engine

CHECKOUT = Path(__file__).parents[2]
HOME = engines.HOME
DOCS = CHECKOUT / "docs" / "suites.md"
NEEDED = ("pytest==8.3.5", "pytest-asyncio==0.24.0", "pytest-timeout", "mock", "cachetools", "packaging", "requests")
# Not about a server that is not a cluster: these need a Sentinel, a cluster, certificates or modules of their own.
LEFT_OUT = ("sentinel", "cluster", "ssl", "bloom", "json", "search", "timeseries", "graph", "credentials", "cache")
SUITE_SECONDS, TEST_SECONDS = 900, 60


@dataclass(frozen=True)
class Suite:
    """A project's suite."""

    project: str
    package: str
    version: str
    option: str

    @property
    def home(self) -> Path:
        return HOME / f"{self.package}-{self.version}"


SUITES = (
    Suite("redis-py", "redis", "5.2.1", "--redis-url=redis"),
    Suite("valkey-py", "valkey", "6.1.0", "--valkey-url=valkey"),
)
Outcomes = Mapping[str, str]  # test -> "passed", "skipped" or what went wrong


def main() -> int:
    """Run all, print what differs."""
    parser = argparse.ArgumentParser(prog="tests.suites", description="The client projects' own suites.")
    parser.add_argument("--write-docs", action="store_true", help="write docs/suites.md")
    parser.add_argument("--engines", action="store_true", help="the suites of the engines only")
    parser.add_argument("--files", nargs="*", default=engines.FILES, help="of those suites")
    options = parser.parse_args()
    parts = []
    with running() as atoll:
        stage = Stage(atoll)
        vpc = stage.vpc()
        subnet, group = stage.subnet(vpc, "10.0.0.0/24"), stage.group(vpc)
        stage.allow(group, 6379, ANYWHERE)
        app, subnets = stage.instance(subnet), stage.subnet_group(subnet)
        for suite, engine in zip(SUITES, ("redis", "valkey"), strict=True) if not options.engines else ():
            _install(suite)
            name = stage.replication_group(engine, subnets, group, 2)
            (found,) = stage.cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
            endpoint = found["NodeGroups"][0]["PrimaryEndpoint"]["Address"]
            print(f"{suite.project} {suite.version} against {engine}", file=sys.stderr)
            with bare_engine(_program(atoll, engine)) as port:
                bare = _run(suite, f"127.0.0.1:{port}", ())
            ours = _run(
                suite, f"{endpoint}:6379", (sys.executable, "-m", "atoll.cli", "run", "--in", app, "--"), atoll
            )
            parts.append(_table(f"{suite.project} {suite.version} against {engine}", bare, ours))
        own = [_own_suite(suite, atoll, stage, subnets, group, app, options.files) for suite in engines.SUITES]
    clients, today = "\n\n".join(parts) + "\n", datetime.now(UTC).date()
    servers = _ENGINES.format(date=today) + "\n\n".join(own) + "\n"
    print(clients + servers)
    if options.write_docs and options.engines:
        DOCS.write_text(DOCS.read_text().partition(_MARK)[0].rstrip() + "\n" + servers)
    elif options.write_docs:
        DOCS.write_text(_PAGE.format(date=today) + clients + servers)
    return 0


def _own_suite(
    suite: engines.EngineSuite, atoll: Atoll, stage: Stage, subnets: str, group: str, instance: str,
    files: Sequence[str],
) -> str:  # fmt: skip
    """Run an engine project's suite; returns its part of the page."""
    place, version = engines.source(suite, engines.HOME)
    name = stage.replication_group(suite.engine, subnets, group, 2)
    (found,) = stage.cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    endpoint = found["NodeGroups"][0]["PrimaryEndpoint"]["Address"]
    print(f"{suite.project} {version} against {suite.engine}", file=sys.stderr)
    with bare_engine(_program(atoll, suite.engine)) as port:
        bare = engines.play(place, "127.0.0.1", port, (), files, None)
    before = (sys.executable, "-m", "atoll.cli", "run", "--in", instance, "--")
    ours = engines.play(place, endpoint, 6379, before, files, atoll.environment)
    names = ", ".join(f"`{file}`" for file in files)
    table = _table(f"The suite of {suite.project} {version} against {suite.engine}", bare, ours)
    return f"{table}\n\nFiles: {names}."


_MARK = "# The engines' own test suites"
_ENGINES = (
    "\n"
    + _MARK
    + """

Written by `python -m tests.suites --engines --write-docs` on {date}. The suites (in Tcl) of the engine projects, of
the release that Debian has, run as above against the engines that Atoll runs, which may be newer. Slow tests,
and those that need `DEBUG` or a replica of their own, are left out.

"""
)


_PAGE = """# The clients' own test suites

Written by `python -m tests.suites --write-docs` on {date}. The suites of the client projects run against a
replication group's primary endpoint, from an instance, and against the bare engine of the same version on loopback.
What is about clusters, Sentinel, certificates of their own and modules is left out.

"""


def _program(atoll: Atoll, engine: str) -> str:
    """Return the binary that Atoll runs for an engine."""
    notes = json.loads((atoll.state / "engines.json").read_text())
    return next(path for path, note in notes.items() if note["engine"] and note["engine"]["name"] == engine)


def _install(suite: Suite) -> None:
    if (suite.home / "ready").exists():
        return
    suite.home.mkdir(parents=True, exist_ok=True)
    python = suite.home / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(suite.home)], check=True)
    wanted = f"{suite.package}=={suite.version}"
    pip = [str(python), "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", wanted, *NEEDED], check=True)
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([*pip, "download", "--no-binary", ":all:", "--no-deps", "-d", place, wanted], check=True)
        (archive,) = Path(place).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            wanted_members = [m for m in tar.getmembers() if "/tests/" in m.name]
            for member in wanted_members:
                member.name = member.name.split("/", 1)[1]
            tar.extractall(suite.home, members=wanted_members, filter="data")
    (suite.home / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")  # as the projects' own
    (suite.home / "ready").touch()


def _run(suite: Suite, address: str, before: tuple[str, ...], atoll: Atoll | None = None) -> Outcomes:
    report = suite.home / "report.xml"
    report.unlink(missing_ok=True)
    files = [
        str(path.relative_to(suite.home))
        for path in sorted((suite.home / "tests").rglob("test_*.py"))
        if not any(word in path.stem for word in LEFT_OUT)
    ]
    command = [
        *before, str(suite.home / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "--continue-on-collection-errors",
        "-c", str(suite.home / "pytest.ini"), f"--timeout={TEST_SECONDS}", f"--junitxml={report}",
        f"{suite.option}://{address}/9",
        "-m", "not onlycluster and not redismod and not valkeymod and not ssl",
        *(str(suite.home / f) for f in files),
    ]  # fmt: skip
    environment = atoll.environment if atoll else None
    done = subprocess.run(
        command, cwd=suite.home, env=environment, capture_output=True, text=True, timeout=SUITE_SECONDS, check=False
    )
    if not report.exists():
        raise SystemExit(f"{' '.join(command)}\n{(done.stdout + done.stderr)[-3000:]}")
    return dict(map(_outcome, ElementTree.parse(report).iter("testcase")))


def _outcome(case: ElementTree.Element) -> tuple[str, str]:
    name = f"{case.get('classname')}::{case.get('name')}"
    for kind in ("error", "failure"):
        if (bad := case.find(kind)) is not None:
            return name, (bad.get("message") or kind).splitlines()[0]
    return name, "passed" if case.find("skipped") is None else "skipped"


def _table(title: str, bare: Outcomes, ours: Outcomes) -> str:
    both = sum(bare[name] == ours.get(name) == "passed" for name in bare)
    neither = sum(_bad(bare[name]) and _bad(ours.get(name, "absent")) for name in bare)
    passed = [name for name in bare if bare[name] == "passed"]
    differ = {name: ours.get(name, "absent") for name in passed if ours.get(name) != "passed"}
    better = sum(_bad(bare[name]) and ours.get(name) == "passed" for name in bare)
    why = Counter(_reason(said) for said in differ.values())
    lines = [
        f"## {title}",
        "",
        f"{len(bare)} tests: {both} pass on both, {neither} fail on both, {better} pass on Atoll only, "
        f"{len(differ)} pass on the bare engine only:",
        "",
        "| tests | what Atoll's endpoint said |",
        "|---:|---|",
        *(f"| {count} | {reason} |" for reason, count in why.most_common()),
    ]
    return "\n".join(lines)


def _bad(outcome: str) -> bool:
    return outcome not in ("passed", "skipped")


def _reason(said: str) -> str:
    """Return what is common to alike failures: the command that was refused, else the error."""
    if said == "absent":
        return "not tried: its file ended before, at a command that is restricted"
    if found := re.search(r"run the '([^']+)' command|unknown command '?`?([\w|-]+)", said):
        return f"`{(found[1] or found[2]).split('|')[0].upper()}` is restricted"
    return said[:110].replace("|", "\\|")


sys.exit(main())
