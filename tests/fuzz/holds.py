"""What must hold: of each answer, and of the world after a round."""

import json
from xml.parsers import expat

from atoll.aws import cbor
from atoll.aws.http import Answer, Request
from atoll.aws.operation import OPERATIONS
from atoll.control.wanted import Wanted
from atoll.network.plan import compile
from tests.fuzz.stage import ACCOUNT, ALL, REGION, Stage

PARSED_BYTES_MAX = 20_000


def answered(asked: Request, answer: Answer) -> tuple[str | None, str]:
    """Say what is wrong with an answer, and return its error's code."""
    body, code = answer.body, ""
    kind = answer.headers.get("Content-Type", "")
    if asked.method == "HEAD" or kind.startswith("text/plain") or (answer.status == 404 and not body):
        return None, ""
    if len(body) > PARSED_BYTES_MAX and answer.status < 300:
        return None, ""
    try:
        if kind.startswith("text/xml"):
            expat.ParserCreate().Parse(body, True)
            if answer.status >= 400:
                code = body.partition(b"<Code>")[2].partition(b"<")[0].decode()
        elif kind == "application/cbor":
            said = cbor.loads(body)
            code = said["__type"] if answer.status >= 400 else ""
        else:
            said = json.loads(body)
            if answer.status >= 400:
                code = said.get("__type") or said.get("error") or ""
    except (ValueError, KeyError, expat.ExpatError, RecursionError) as error:
        return f"the answer cannot be read: {error}: {body[:300]!r}", ""
    if answer.status >= 400 and not code:
        return f"an error without a code: {body[:300]!r}", ""
    return None, code


def the_store_keeps_what_the_world_says(stage: Stage) -> None:
    kept = stage.store._load()
    assert dict(kept._tables) == {kind: table for kind, table in stage.world._tables.items() if table}


def every_describe_tells_of_the_world(stage: Stage) -> None:
    from tests.fuzz.wire import request

    for op in ALL:
        operation = OPERATIONS[op]
        if operation.required or operation.writes:
            continue
        answer = stage.ask(request(*op, {}, ACCOUNT, REGION))
        assert answer.status in (200, 400), (op, answer.status, answer.body[:300])


def the_network_can_be_planned(stage: Stage) -> None:
    compile(stage.world)


def the_machines_can_be_planned(stage: Stage) -> None:
    Wanted(lambda: stage.world).machines()


CHECKS = (
    the_store_keeps_what_the_world_says,
    every_describe_tells_of_the_world,
    the_network_can_be_planned,
    the_machines_can_be_planned,
)
