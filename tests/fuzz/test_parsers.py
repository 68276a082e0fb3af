"""What reads what others wrote refuses by its own errors, in little time, whatever comes."""

import time

import pytest

from tests.fuzz.dice import Dice
from tests.fuzz.parsers import MORE, PARSERS, worn

SEED = 1
INPUTS = 1_500  # of each parser
SECONDS_MAX = 5.0  # of processor time for one input of at most 100 KB; 1,000 open brackets of YAML take 2


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_or_refuses(name):
    parser, dice = PARSERS[name], Dice(f"{SEED} {name}")
    for number in range(INPUTS):
        raw = (
            parser.whole[number]
            if number < len(parser.whole)
            else MORE[number]
            if number < len(MORE)
            else worn(dice, dice.choice(parser.whole))
        )
        begun = time.process_time()
        try:
            parser.read(raw)
        except parser.refuses:
            pass
        except Exception as error:
            raise AssertionError(f"{name}, seed {SEED}, input {number}: {raw[:500]!r}") from error
        took = time.process_time() - begun
        assert took < SECONDS_MAX, f"{name}, seed {SEED}, input {number}: {took:.1f} s for {raw[:500]!r}"
