"""The private API of digital twins: the files of a recording become an account's region, or only a report."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from atoll.admin.wire import Bad, answer, body, text
from atoll.aws.http import Answer, Request
from atoll.model.world import Tx, World
from atoll.store.sqlite import StoreError, utc_now

if TYPE_CHECKING:  # imports of atoll.twin wait for the first import: few daemons ever see one
    from atoll.twin.draft import Twin

Route = Callable[[Request], Awaitable[Answer]]


class Worlds(Protocol):
    """Where files are brought."""

    @property
    def directory(self) -> Path: ...  # noqa: D102


class Service(Protocol):
    """What the routes ask of the daemon."""

    @property
    def worlds(self) -> Worlds: ...  # noqa: D102
    @property
    def world(self) -> World: ...  # noqa: D102
    def write(self, fn: Callable[[Tx], Any], what: str) -> Any: ...  # noqa: D102
    async def in_force(self) -> bool: ...  # noqa: D102


def table(service: Service) -> dict[str, dict[str, Route]]:
    """Return the routes, by path and method."""

    async def bring(request: Request) -> Answer:
        from atoll.twin.arrive import InTheWay
        from atoll.twin.row import BadRecording

        said = body(request)
        name, account = text(said, "name"), said.get("account")
        if Path(name).name != name or not name.endswith(".atoll"):
            raise Bad(400, f"{name[:100]} is not a name that was given out")
        if account is not None and not isinstance(account, str):
            raise Bad(400, "account is text: 12 digits")
        source, is_trial = service.worlds.directory / name, said.get("dry_run") is True
        try:
            # Elsewhere: a large account takes seconds, and the daemon goes on answering meanwhile.
            twin = await asyncio.to_thread(_build, source, service.world, account)
            gave_way = _put(service, twin, may_replace=said.get("replace") is True, is_trial=is_trial)
        except BadRecording as error:
            raise Bad(400, f"{error}; nothing was changed", next_step="mend that file, or record it again") from None
        except InTheWay as error:
            step = "choose one of them" if "--replace" in str(error) else "remove it, or import into another Atoll"
            raise Bad(409, f"{error}; nothing was changed", next_step=step) from None
        except (StoreError, OSError) as error:
            raise Bad(503, f"{error}; nothing was changed") from None
        in_force = is_trial or await service.in_force()
        return answer(_report(twin) | {"dry_run": is_trial, "replaced": gave_way, "in_force": in_force})

    return {"/_atoll/import": {"POST": bring}}


def _put(service: Service, twin: "Twin", *, may_replace: bool, is_trial: bool) -> int:
    from atoll.twin.arrive import arrive

    if not is_trial:
        return int(service.write(lambda tx: arrive(tx, twin, may_replace=may_replace), "import"))
    tx = Tx(service.world.seen_by(None), caller=None, now=utc_now(), new_hex=lambda digits: "0" * digits)
    return arrive(tx, twin, may_replace=may_replace)


def _build(source: Path, world: World, account: str | None) -> "Twin":
    """Read what was brought, and rebuild it.  Raises BadRecording, OSError."""
    from atoll.twin.build import build
    from atoll.twin.recording import BYTES_MAX
    from atoll.twin.row import BadRecording

    if source.stat().st_size > BYTES_MAX * 2:
        raise BadRecording(f"the files are larger than {BYTES_MAX >> 20} MiB")
    return build(_files(source.read_bytes()), world, utc_now(), account=account)


def _files(packed: bytes) -> Mapping[str, bytes]:
    from atoll.twin.row import BadRecording

    try:
        said = msgspec.json.decode(packed, type=dict[str, str])
        return {name: base64.b64decode(content, validate=True) for name, content in said.items()}
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadRecording(f"what was brought is no recording: {error}") from None


def _report(twin: "Twin") -> dict[str, Any]:
    from atoll.twin.build import counted

    return {
        "account": twin.account,
        "region": twin.region,
        "resources": counted(twin),
        "notes": [{"kind": note.kind, "what": note.what, "why": note.why} for note in twin.notes],
    }
