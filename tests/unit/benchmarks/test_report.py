import json
from pathlib import Path

import pytest

from benchmarks.__main__ import SUITES, main
from benchmarks.measure import Samples, Spread
from benchmarks.report import Check, SuiteResult, number, render, write_json
from benchmarks.suites import Options
from benchmarks.suites.build import distinct_functions, forget_sources
from benchmarks.suites.speed import checks


def _spread(value: float) -> Spread:
    return Spread(value, value, value, 1)


@pytest.mark.parametrize(
    ("value", "at_most", "passed"),
    [(2.0, True, True), (2.1, True, False), (2.0, False, True), (1.9, False, False)],
)
def test_a_check_passes_at_its_limit(value: float, at_most: bool, passed: bool) -> None:
    assert Check("x", _spread(value), 2.0, at_most=at_most).passed is passed


def _result() -> SuiteResult:
    result = SuiteResult("speed", notes=["taken lightly"])
    result.add("us", "chain 10", "lean", Spread(1.5, 1.25, 20.0, 5))
    result.add("us", "fan 10", "task", _spread(1234.5))
    result.checks = [
        Check("a ratio", _spread(0.5), 1.0),
        Check("a time", _spread(40.0), 25.0, kind="machine"),
    ]
    return result


def test_a_time_is_not_counted_with_portable_targets() -> None:
    assert [check.name for check in _result().missed()] == ["a time"]
    assert _result().missed(portable_only=True) == []


def test_the_table_has_cases_as_rows_and_subjects_as_columns() -> None:
    assert [line.split() for line in render(_result()).splitlines()[2:6]] == [
        ["us", "lean", "task"],
        ["--------", "-------------", "-----"],
        ["chain", "10", "1.5", "(1.25-20)", "-"],
        ["fan", "10", "-", "1,234"],
    ]
    assert "MISSED" in render(_result())
    assert "MISSED" not in render(_result(), portable_only=True)
    assert "note: taken lightly" in render(_result())


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "0.0123"), (99.94, "99.9"), (1e6, "1,000,000"), (0.0, "0")]
)
def test_numbers_have_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert number(value) == text


def test_the_file_describes_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_json(path, [_result()], seed=3, quick=True)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["seed"] == 3
    assert document["machine"]["python"]
    assert document["packages"]["anyio"]
    assert [check["passed"] for check in document["suites"][0]["checks"]] == [True, False]


def test_speed_compares_with_the_subjects_that_took_part() -> None:
    samples = {
        "dagorch": Samples(wall=[4.0, 4.0]),
        "lean": Samples(wall=[1.0, 2.0]),
        "task": Samples(wall=[8.0, 8.0]),
        "hamilton": Samples(wall=[40.0]),
    }
    found = {check.name: check for check in checks("fan 1,000", 1_000, samples)}
    assert {name: check.value.median for name, check in found.items()} == {
        "dagorch / task, fan 1,000": 0.5,
        "dagorch / lean, fan 1,000": 3.0,
        "hamilton / dagorch, fan 1,000": 10.0,
    }
    assert all(check.passed for check in found.values())
    small = checks("fan 100", 100, samples)
    assert [(check.name, check.limit) for check in small[:1]] == [("dagorch / lean, fan 100", 3.0)]


def test_generated_functions_differ_and_have_their_source() -> None:
    import inspect

    functions = distinct_functions(150)
    try:
        assert len({function.__code__ for function in functions}) == 150
        assert inspect.getsource(functions[120]).splitlines() == [
            "async def step120() -> int:",
            "    return 120",
        ]
    finally:
        forget_sources()


@pytest.mark.parametrize(("flags", "code"), [([], 1), (["--no-fail"], 0), (["--portable"], 0)])
def test_the_exit_code_is_1_if_a_counted_target_is_missed(
    flags: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SUITES, "speed", lambda options: _result())
    assert main(["speed", *flags]) == code
    assert "2 targets" in capsys.readouterr().out


def test_a_broken_suite_is_an_error_and_the_next_one_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(options: Options) -> SuiteResult:
        raise ZeroDivisionError

    monkeypatch.setitem(SUITES, "speed", broken)
    monkeypatch.setitem(SUITES, "build", lambda options: SuiteResult("build"))
    assert main(["speed", "build"]) == 1
    assert "ZeroDivisionError" in (out := capsys.readouterr().out)
    assert "== build ==" in out
