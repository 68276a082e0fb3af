"""The base image of instances: a small root disk like Amazon Linux's, made once and shared read-only by all.

It has what a root disk has beside /usr, which is the host's: /etc, homes, and under /opt/atoll the init script and
the commands that the documentation uses (`rootfs/` in this package, plain files).  Nothing of the host's /etc gets
in, except files that everyone may read and programs need: certificates, PHP's modules, names of ports.
"""

import hashlib
import os
import shutil
from pathlib import Path

from atoll.host.contract import HostError

_ROOTFS = Path(__file__).with_name("rootfs")
_MADE_HERE = "2"  # goes up when this file makes something else of the same rootfs
_DIRECTORIES = (
    "dev", "etc/alternatives", "etc/dropbear", "etc/sysconfig", "etc/sysctl.d", "home", "media", "mnt",
    "opt/atoll/seed", "proc", "root", "run", "srv", "sys", "tmp", "usr", "var/cache", "var/empty",
    "var/lib/cloud/instance", "var/lib/php/sessions", "var/log", "var/spool/mail", "var/tmp", "var/www/html",
)  # fmt: skip
# Below the host's /etc; those that a distribution does not have are left out.
_FROM_HOST = (
    "protocols", "services", "ethertypes", "inputrc", "terminfo", "php", "php.d", "php.ini", "python3",
    "ssl", "pki/tls", "pki/ca-trust", "ca-certificates", "crypto-policies",
)  # fmt: skip
_NEVER = ("private", "*.key")  # keys of the host, whatever their mode
_ROOT_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def build(state_dir: Path, *, single_id: bool) -> Path:
    """Return the image's directory below `state_dir`/images, making it if this version is not there.

    `single_id`: there is no uid but 0 (rootless, or a host without sudo), so ec2-user is another name of root, and
    sudo is a script.  Raises HostError where /bin and the like are not links into /usr.
    """
    images = state_dir.resolve() / "images"
    image = images / _version(single_id)
    if image.is_dir():
        return image
    unfinished = images / f".{image.name}.{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        _make(unfinished, single_id)
        try:
            unfinished.rename(image)
        except OSError:
            if not image.is_dir():  # else somebody else has just finished the same one
                raise
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise HostError(str(error), "build the instances' image") from error
    return image


def _version(single_id: bool) -> str:
    content = hashlib.sha256(_MADE_HERE.encode())
    for path in sorted(_ROOTFS.rglob("*")):
        if path.is_file():
            content.update(str(path.relative_to(_ROOTFS)).encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()[:12] + ("-single" if single_id else "")


def _make(image: Path, single_id: bool) -> None:
    before = os.umask(0o022)
    try:
        for name in _DIRECTORIES:
            (image / name).mkdir(parents=True, exist_ok=True)
        for name in ("tmp", "var/tmp", "var/lib/php/sessions"):
            (image / name).chmod(0o1777)
        (image / "root").chmod(0o700)
        _link_into_usr(image)
        for name in _FROM_HOST:
            _copy_public(Path("/etc") / name, image / "etc" / name)
        (image / "etc/ld.so.cache").touch()  # the host's is shown here, see `chamber`
        shutil.copytree(_ROOTFS, image, dirs_exist_ok=True)
        _set_modes(image)
        _add_users(image, single_id)
    finally:
        os.umask(before)


def _link_into_usr(image: Path) -> None:
    for name in _ROOT_LINKS:
        path = Path("/") / name
        if path.is_symlink():
            target = os.readlink(path)
            (image / name).symlink_to(target.lstrip("/"))
        elif path.exists():
            raise HostError(
                f"/{name} is not a link into /usr: instances need a merged /usr", "build the instances' image"
            )


def _copy_public(source: Path, target: Path) -> None:
    """Copy what everyone may read."""

    def hidden(directory: str, names: list[str]) -> set[str]:
        left_out = shutil.ignore_patterns(*_NEVER)(directory, names)
        return left_out | {name for name in names if not _is_public(Path(directory) / name)}

    if not source.exists() or not _is_public(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=hidden, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def _is_public(path: Path) -> bool:
    if path.is_symlink():
        return True
    wanted = 0o005 if path.is_dir() else 0o004
    return path.stat().st_mode & wanted == wanted


def _set_modes(image: Path) -> None:
    """Set the modes that packaging may have lost."""
    for path in (image / "opt/atoll").rglob("*"):
        path.chmod(0o755)
    (image / "etc/sudoers").chmod(0o440)


def _add_users(image: Path, single_id: bool) -> None:
    shell = "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"
    uid = 0 if single_id else 1000
    home = image / "home/ec2-user"
    home.mkdir(mode=0o700)
    for directory in (home, image / "root"):
        (directory / ".bashrc").write_text(". /etc/bashrc\n")
        (directory / ".bash_profile").write_text("[ ! -f ~/.bashrc ] || . ~/.bashrc\n")
    (image / "etc/passwd").write_text(
        f"root:x:0:0:root:/root:{shell}\n"
        f"ec2-user:x:{uid}:{uid}:EC2 Default User:/home/ec2-user:{shell}\n"
        "nobody:x:65534:65534:Nobody:/:/usr/sbin/nologin\n"
    )
    (image / "etc/group").write_text(
        f"root:x:0:\ntty:x:5:\nwheel:x:10:ec2-user\nec2-user:x:{uid}:\nnogroup:x:65534:\nnobody:x:65533:\n"
    )
    (image / "etc/shadow").write_text("root:*:20000:0:99999:7:::\nec2-user:*:20000:0:99999:7:::\n")
    (image / "etc/shadow").chmod(0o600)
    if single_id:
        (image / "opt/atoll/single/sudo").rename(image / "opt/atoll/bin/sudo")
    else:
        for path in (home, *home.iterdir()):
            os.chown(path, uid, uid)
    shutil.rmtree(image / "opt/atoll/single")
