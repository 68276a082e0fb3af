"""`atoll env`: the variables that point every AWS tool at Atoll, and can never reach a real account."""

import shlex
from collections.abc import Mapping

from atoll.cli import private
from atoll.cli.failure import Failure

HINT_SECONDS_MAX = 2.0  # for the daemon: a shell waits for the variables, and they do not depend on what it says
SHELLS = ("sh", "bash", "zsh", "fish", "json")


def variables() -> dict[str, str]:
    """Return the variables.  Dummy keys are part of it: a tool that ignores the endpoint must not find real ones."""
    return {
        "AWS_ENDPOINT_URL": private.endpoint(),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def wants_keys() -> bool:
    """Tell whether the daemon takes only keys that it has made; False: nobody answers, or no daemon."""
    try:
        return bool(private.get_within(HINT_SECONDS_MAX, "/_atoll/keys")["required"])
    except (Failure, KeyError, TypeError, ValueError):
        return False


def exports(shell: str, chosen: Mapping[str, str] | None = None) -> str:
    """Return the lines that set them, or others that were chosen, in a shell."""
    if shell not in SHELLS:
        raise Failure(
            f"{shell!r} is not a shell that Atoll knows", "use --shell with one of: " + ", ".join(SHELLS), 2
        )
    pairs = [(name, shlex.quote(value)) for name, value in (chosen or variables()).items()]
    if shell == "fish":
        return "\n".join(f"set -gx {name} {value};" for name, value in pairs)
    return "\n".join(f"export {name}={value}" for name, value in pairs)
