"""Spoilt bytes from outside raise only documented errors, in little time and memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.property.fuzzing import TARGETS, case


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_input_raises_only_documented_errors(name: str) -> None:
    for seed in range(40):
        TARGETS[name][0](case(name, seed))


@pytest.mark.parametrize("seed", [177, 578, 1234])
def test_a_record_whose_drawing_was_changed_is_refused(seed: int) -> None:
    TARGETS["record"][0](case("record", seed))


def test_a_page_of_an_unknown_encoding_is_refused() -> None:
    TARGETS["arxiv"][0](case("arxiv", 808))


@pytest.mark.full
@pytest.mark.parametrize("name", TARGETS)
def test_thousands_of_cases_within_bounds_of_time_and_memory(name: str) -> None:
    program = [sys.executable, "-m", "tests.property.fuzzing", name, "4000", "20000"]
    subprocess.run(program, check=True)
