"""Garbage raises one type of error and nothing else, whoever reads it; ``make fuzz`` does it a million times each.

``PETREL_FUZZ_INPUTS`` sets the number of inputs for each parser, ``PETREL_FUZZ_SEED`` what they are made from.
"""

import os
import time

import numpy as np
import pytest

from tests.fuzz.mutate import inputs
from tests.fuzz.parsers import Parser, parsers

INPUTS = int(os.environ.get("PETREL_FUZZ_INPUTS", "1500"))
SEED = int(os.environ.get("PETREL_FUZZ_SEED", "20261124"))
LONGEST_S = 1.0
ALL = parsers()


@pytest.mark.parametrize("parser", ALL, ids=[parser.name for parser in ALL])
def test_garbage_raises_one_type_of_error(parser: Parser) -> None:
    rng = np.random.default_rng([SEED, *parser.name.encode()])
    for data in inputs(parser.seeds, rng, INPUTS):
        begun = time.perf_counter()
        try:
            parser.read(data)
        except parser.error:
            continue
        except Exception as exc:
            raise AssertionError(f"{parser.name}: {type(exc).__name__}: {exc}: bytes.fromhex({data.hex()!r})") from exc
        finally:
            took_s = time.perf_counter() - begun
            assert took_s < LONGEST_S, f"{parser.name} took {took_s:.1f} s: bytes.fromhex({data.hex()!r})"


WHOLE = [parser for parser in ALL if not parser.part]


@pytest.mark.parametrize("parser", WHOLE, ids=[parser.name for parser in WHOLE])
def test_a_good_input_is_taken(parser: Parser) -> None:
    """Fuzzing from seeds that are refused at once would prove little."""
    for seed in parser.seeds[:1]:
        parser.read(seed)
