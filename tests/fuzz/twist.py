"""Parameters that are nearly right: one thing in them is not."""

from typing import Any

from tests.fuzz.dice import Dice
from tests.fuzz.grammar import Grammar, Values

Spot = tuple[Any, Any]  # a container, and the key or index in it


def twisted(dice: Dice, grammar: Grammar, values: Values, given: dict[str, Any]) -> dict[str, Any]:
    """Change one to three things in parameters; they are changed in place."""
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        dice.choice(TWISTS)(dice, grammar, values, given)
    return given


def spots(node: Any, out: list[Spot]) -> list[Spot]:
    """Return every place below a node."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        out.append((node, key))
        spots(value, out)
        if len(out) > 200:
            break
    return out


def _spot(dice: Dice, given: dict[str, Any]) -> Spot | None:
    found = spots(given, [])
    return dice.choice(found) if found else None


def _replace(dice: Dice, _g: Grammar, _v: Values, given: dict[str, Any]) -> None:
    if spot := _spot(dice, given):
        spot[0][spot[1]] = dice.hostile()


def _swap(dice: Dice, _g: Grammar, values: Values, given: dict[str, Any]) -> None:
    """Put a value of something else."""
    if spot := _spot(dice, given):
        kept = values.get(dice.choice(values["*names"]))
        spot[0][spot[1]] = dice.choice(kept) if kept else dice.word()


def _drop(dice: Dice, _g: Grammar, _v: Values, given: dict[str, Any]) -> None:
    if spot := _spot(dice, given):
        del spot[0][spot[1]]


def _add(dice: Dice, grammar: Grammar, values: Values, given: dict[str, Any]) -> None:
    member, value = grammar.any_member(dice, values)
    given[member] = value


def _unknown(dice: Dice, _g: Grammar, _v: Values, given: dict[str, Any]) -> None:
    spot = _spot(dice, given)
    target = spot[0] if spot and isinstance(spot[0], dict) and dice.random() < 0.5 else given
    target[dice.name().title()] = dice.hostile()


def _repeat(dice: Dice, _g: Grammar, _v: Values, given: dict[str, Any]) -> None:
    lists = [node[key] for node, key in spots(given, []) if isinstance(node[key], list) and node[key]]
    if lists:
        found = dice.choice(lists)
        found.extend(dice.choice(found) for _ in range(dice.choice((1, 2, 60))))


def _near(dice: Dice, _g: Grammar, _v: Values, given: dict[str, Any]) -> None:
    """Change a text by a character, a number by one."""
    if not (spot := _spot(dice, given)):
        return
    value = spot[0][spot[1]]
    if isinstance(value, str) and value:
        at = dice.randrange(len(value))
        spot[0][spot[1]] = value[:at] + dice.choice(("", "0", "Z", "-", " ", "é", value[at] * 2)) + value[at + 1 :]
    elif isinstance(value, int) and not isinstance(value, bool):
        spot[0][spot[1]] = value + dice.choice((-1, 1, 1_000, -1_000))
    elif isinstance(value, bool):
        spot[0][spot[1]] = not value


TWISTS = (_replace, _replace, _replace, _swap, _swap, _drop, _drop, _add, _unknown, _repeat, _near, _near, _near)
