"""A kernel of Debian with its modules, fetched once into .venv, and a first file system that finds this machine's."""

import shutil
import subprocess
from pathlib import Path

from tests.tidy.tree import ROOT

HERE = ROOT / ".venv" / "unified"
NEEDED = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng")
BUSYBOX = "busybox-static"


def fetched(package: str = "linux-image-amd64") -> Path:
    """Return a directory that has boot/ and lib/modules/ of a package of Debian's, and bin/busybox."""
    found = HERE / package
    if found.is_dir():
        return found
    debs, new = HERE / "debs", HERE / f"{package}.new"
    for directory in (debs, new):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    told = subprocess.run(["apt-cache", "depends", package], capture_output=True, text=True, check=True).stdout
    images = [line.split()[-1] for line in told.splitlines() if "Depends: linux-image-" in line]
    subprocess.run(["apt-get", "download", "-qq", (images or [package])[0], BUSYBOX], cwd=debs, check=True)
    for deb in debs.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", deb, new], check=True)
    subprocess.run([new / "bin/busybox", "depmod", "-b", new, version(new)], check=True)
    return new.rename(found)


def version(kernel: Path) -> str:
    """Return the version of a kernel, as its modules' directory is called."""
    return next((kernel / "lib/modules").iterdir()).name


def first_files(kernel: Path, into: Path) -> Path:
    """Write the archive that a kernel begins with: a shell, the modules that lead to the real files, and first.sh."""
    modules = kernel / "lib/modules" / version(kernel)
    lines = (line.partition(":") for line in (modules / "modules.dep").read_text().splitlines())
    needs = {name: depends.split() for name, _, depends in lines}
    paths = {Path(name).name.split(".ko")[0].replace("-", "_"): name for name in needs}
    root = into / "first"
    for directory in ("bin", "modules"):
        (root / directory).mkdir(parents=True)
    shutil.copy(kernel / "bin/busybox", root / "bin")
    shutil.copy(Path(__file__).with_name("first.sh"), root / "init")
    (root / "init").chmod(0o755)
    ordered: list[str] = []
    for name in NEEDED:
        if name in paths:  # else it is built in
            _add(paths[name], needs, ordered)
    for number, name in enumerate(ordered):
        shutil.copy(modules / name, root / "modules" / f"{number:02}.ko")
    archive = into / "first.cpio"
    with archive.open("wb") as file:
        names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
        packer = [kernel / "bin/busybox", "cpio", "-o", "-H", "newc"]
        subprocess.run(packer, input=names.encode(), stdout=file, stderr=subprocess.DEVNULL, cwd=root, check=True)
    return archive


def _add(name: str, needs: dict[str, list[str]], ordered: list[str]) -> None:
    for need in needs[name]:
        _add(need, needs, ordered)
    if name not in ordered:
        ordered.append(name)
