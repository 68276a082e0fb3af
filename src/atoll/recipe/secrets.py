"""What of a call must not be shown: passwords, and what may hold them."""

import re
from collections.abc import Mapping
from typing import Any

from atoll.recipe.shell import Variable

# Members that hold a secret, wherever they are in a call.  Source: the models' `sensitive` shapes, and the API
# Reference where these lack the mark (AuthToken, Passwords).
SECRET = frozenset({"AuthToken", "Passwords", "Password", "UserData", "PrivateKey", "SecretKey"})
PLACEHOLDERS = {"Passwords": "PASSWORD"}
WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def hidden(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with a variable in place of each secret: `$AUTH_TOKEN`, `$PASSWORD`, `$USER_DATA`."""
    return {name: _hidden(name, value) for name, value in parameters.items()}


def _hidden(name: str, value: Any) -> Any:
    if name in SECRET:
        return _placeholders(name, value)
    if type(value) is str:  # most are
        return value
    match value:
        case Mapping():
            return hidden(value)
        case list() | tuple():
            return [_hidden("", item) for item in value]
        case _:
            return value


def _placeholders(name: str, value: Any) -> Any:
    variable = PLACEHOLDERS.get(name) or WORD.sub("_", name).upper()
    if isinstance(value, list | tuple):
        return [Variable(variable if n == 0 else f"{variable}_{n + 1}") for n in range(len(value))]
    return value if isinstance(value, Variable) else Variable(variable)
