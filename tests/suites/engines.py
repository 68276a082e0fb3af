"""The engine projects' own test suites (in Tcl), against Atoll's endpoints and against the bare engine.

The sources are those of Debian's packages; the machine's own list of packages is not touched.  Tests that only make
sense for a server that the suite starts itself leave themselves out; so do those that need DEBUG or a replica of
their own, and the slow ones.  One thing is changed in the suite: where a file asks for settings before its tests
(CONFIG SET) and is refused, its tests run all the same.
"""

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

HOME = Path(__file__).parents[2] / ".venv" / "suites"
FILE_SECONDS = 90  # what a file has not tried by then is not compared
TAGS = "-slow -needs:debug -needs:repl -needs:reset -needs:config-maxmemory -needs:save"
FILES = (
    "unit/type/string", "unit/type/incr", "unit/type/hash", "unit/type/set", "unit/type/zset", "unit/type/stream",
    "unit/type/stream-cgroups", "unit/keyspace", "unit/expire", "unit/scan", "unit/multi", "unit/pubsub",
    "unit/scripting", "unit/functions", "unit/bitfield", "unit/geo", "unit/sort", "unit/protocol", "unit/acl",
    "unit/slowlog", "unit/introspection-2",
)  # fmt: skip
FEW = ("unit/type/incr", "unit/bitfield")  # for CI
_REFUSED = "dict set saved_config $param [lindex [r config get $param] 1]"
_LINE = re.compile(r"\[(ok|err|exception)\]: (.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_APT = Path("/etc/apt")


Environment: TypeAlias = Mapping[str, str] | None


class NoSource(Exception):
    """The source cannot be had here."""


@dataclass(frozen=True)
class EngineSuite:
    """The suite of an engine, as a release of Debian has it."""

    project: str
    package: str
    suite: str
    engine: str


SUITES = (
    EngineSuite("Valkey", "valkey", "trixie", "valkey"),
    EngineSuite("Redis", "redis", "bookworm", "redis"),
)


def source(suite: EngineSuite, home: Path) -> tuple[Path, str]:
    """Return where a suite's source is unpacked, and its version.  Raises NoSource."""
    place = home / f"{suite.package}-source"
    if (place / "version").exists():
        return place, (place / "version").read_text()
    with tempfile.TemporaryDirectory() as temporary:
        archive = _download(suite, Path(temporary))
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "xf", archive, "-C", place, "--strip-components=1"], check=True)
        version = archive.name.removeprefix(f"{suite.package}_").partition("+")[0].partition(".orig")[0]
    server = place / "tests" / "support" / "server.tcl"
    text = server.read_text()
    if text.count(_REFUSED) != 1:
        raise NoSource(f"{suite.project} {version} asks for settings in another way than its suite did")
    server.write_text(text.replace(_REFUSED, f"if {{[catch {{{_REFUSED}}}]}} continue"))
    (place / "version").write_text(version)
    return place, version


def _download(suite: EngineSuite, temporary: Path) -> Path:
    """Fetch the archive of a package's source, by a list of our own.  Raises NoSource."""
    for directory in ("lists/partial", "cache/archives/partial"):
        (temporary / directory).mkdir(parents=True)
    (temporary / "sources.list").write_text(f"deb-src {_mirror()} {suite.suite} main\n")
    options = {
        "Dir::Etc::sourcelist": temporary / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": temporary / "lists", "Dir::Cache": temporary / "cache", "APT::Sandbox::User": "root",
    }  # fmt: skip
    apt = ["apt-get", "-qq", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    for words in (["update"], ["source", "--tar-only", "--download-only", suite.package]):
        done = subprocess.run([*apt, *words], cwd=temporary, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoSource(f"apt-get {words[0]} for {suite.package}: {done.stderr.strip()[-300:]}")
    return next(temporary.glob(f"{suite.package}_*.orig.tar.*"))


def _mirror() -> str:
    """Return whence this machine has Debian's packages, with its key.  Raises NoSource."""
    for file in sorted(_APT.glob("sources.list.d/*.sources")):
        for part in file.read_text().split("\n\n"):
            fields = dict(re.findall(r"^([\w-]+): *(.+)$", part, re.M))
            if (uri := fields.get("URIs", "").split()) and "-security" not in fields.get("Suites", ""):
                key = fields.get("Signed-By")
                return f"[signed-by={key}] {uri[0]}" if key else uri[0]
    for line in (_APT / "sources.list").read_text().splitlines() if (_APT / "sources.list").exists() else ():
        if found := re.match(r"deb +(\[[^]]*\] +)?(\S+)", line):
            return f"{found[1] or ''}{found[2]}"
    raise NoSource("this machine has no list of Debian packages")


def play(
    place: Path, host: str, port: int, before: Sequence[str], files: Sequence[str], environment: Environment
) -> dict[str, str]:
    """Run files of a suite against a server; returns what became of each test: "passed", or what went wrong."""
    found: dict[str, str] = {}
    for file in files:
        if not (place / "tests" / f"{file}.tcl").exists():
            continue
        run = f"cd {place} && exec timeout {FILE_SECONDS} tclsh tests/test_helper.tcl"
        words = f"{run} --host {host} --port {port} --single {file} --durable --ignore-encoding --tags '{TAGS}'"
        done = subprocess.run(
            [*before, "sh", "-c", words], env=environment, capture_output=True, text=True, errors="replace",
            timeout=FILE_SECONDS + 60, check=False,
        )  # fmt: skip
        found |= read(file, done.stdout)
    return found


def read(file: str, said: str) -> dict[str, str]:
    """Read the output of one file's tests."""
    found: dict[str, str] = {}
    lines = _COLOUR.sub("", said).splitlines()
    for number, line in enumerate(lines):
        match = _LINE.match(line)
        if match is None:
            continue
        kind, rest = match.groups()
        if kind == "ok":
            found[f"{file}: {rest.rpartition(' (')[0]}"] = "passed"
        else:
            name = rest.rpartition(" in tests/")[0] or rest
            why = " ".join(lines[number + 1 : number + 3]) or rest
            found[f"{file}: {name}"] = f"{rest} {why}"[:300]
    return found
