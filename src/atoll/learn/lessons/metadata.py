"""Instance metadata, versions 1 and 2: rows 127 to 129."""

from atoll.learn.commands import inside
from atoll.learn.ground import Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.probe import Tcp
from atoll.learn.view import Not, View

SERVICE = "169.254.169.254"
TREE = "/latest/meta-data"
OPTIONS = "aws ec2 modify-instance-metadata-options --instance-id {i:app}"


async def build(ground: Ground) -> None:
    """Make an instance whose metadata wants tokens."""
    vpc = await ground.vpc("shop")
    subnet = await ground.subnet("apps", vpc, "10.0.0.0/24")
    options = {"HttpTokens": "required", "HttpEndpoint": "enabled"}
    await ground.instance("app", subnet, await ground.group("app", vpc), MetadataOptions=options)


def first(view: View) -> Facts:
    """Check that a plain GET is answered."""
    _is_on(view)
    if view.instance("app").metadata.tokens != "optional":
        raise Not("imds-v1-refused", name="app")
    return {"id": _get(view, "instance-id", view.instance("app").id)}


def second(view: View) -> Facts:
    """Check that a plain GET is refused, and one with a token answered."""
    _is_on(view)
    if view.instance("app").metadata.tokens != "required":
        raise Not("imds-v1-open", name="app")
    plain = _ask(view, f"GET {TREE}/instance-id HTTP/1.0\r\n\r\n", "\r\n\r\n")
    if plain and " 401 " not in plain.splitlines()[0]:
        raise Not("imds-v1-open", name="app")
    return {"id": _get(view, "instance-id", view.instance("app").id, token=_token(view))}


def tags(view: View) -> Facts:
    """Check that the instance can read its own tags."""
    _is_on(view)
    if view.instance("app").metadata.tokens != "required":
        raise Not("imds-v1-open", name="app")
    if view.instance("app").metadata.instance_tags != "enabled":
        raise Not("imds-no-tags", name="app")
    return {"name": _get(view, "tags/instance/Name", "app", token=_token(view))}


def _is_on(view: View) -> None:
    if view.instance("app").metadata.endpoint != "enabled":
        raise Not("imds-off", name="app")


def _get(view: View, path: str, expected: str, *, token: str = "") -> str:
    header = f"X-aws-ec2-metadata-token: {token}\r\n" if token else ""
    said = _ask(view, f"GET {TREE}/{path} HTTP/1.0\r\n{header}\r\n", expected)
    if said is not None and expected not in said:
        raise Not("imds-silent", name="app", said=said.splitlines()[0])
    return expected


def _token(view: View) -> str:
    ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n"
    said = _ask(view, f"PUT /latest/api/token HTTP/1.0\r\nContent-Length: 0\r\n{ttl}\r\n", "==")
    return (said or "").rpartition("\r\n")[2].strip()


def _ask(view: View, request: str, expect: str) -> str | None:
    """Ask over HTTP, from inside; `None` on paper."""
    said = view.ask(Tcp(view.interface("app").id, SERVICE, 80, request, expect))
    return None if said is None else said.removeprefix("connected ") or "-"


TOKEN = (
    'token=$(curl -s -X PUT http://169.254.169.254/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 60");'
    ' curl -s -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data'
)

LESSON = Lesson(
    name="metadata",
    number=9,
    build=build,
    steps=(
        Step(
            id="version-1",
            judge=first,
            before="imds-v1-refused",
            commands=(
                f"{OPTIONS} --http-tokens optional --http-endpoint enabled",
                inside("app", "curl -s http://169.254.169.254/latest/meta-data/instance-id"),
            ),
            wrong=(
                Wrong(
                    code="imds-off",
                    commands=(f"{OPTIONS} --http-endpoint disabled",),
                    undo=(f"{OPTIONS} --http-endpoint enabled",),
                ),
            ),
        ),
        Step(
            id="version-2",
            judge=second,
            before="imds-v1-open",
            commands=(f"{OPTIONS} --http-tokens required", inside("app", f"sh -c '{TOKEN}/instance-id'")),
        ),
        Step(
            id="tags",
            judge=tags,
            before="imds-no-tags",
            commands=(
                f"{OPTIONS} --instance-metadata-tags enabled",
                inside("app", f"sh -c '{TOKEN}/tags/instance/Name'"),
            ),
            wrong=(
                Wrong(
                    code="imds-v1-open",
                    commands=(f"{OPTIONS} --http-tokens optional --instance-metadata-tags enabled",),
                    undo=(f"{OPTIONS} --http-tokens required --instance-metadata-tags disabled",),
                ),
            ),
        ),
    ),
)
