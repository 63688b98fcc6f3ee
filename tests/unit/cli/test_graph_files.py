"""Graphs from files on the command line: validated, run, drawn, written, refused."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from dagorch.cli.app import run_command
from dagorch.files import json_schema, load_graph
from dagorch.models.orchestration import OrchestratorResult

ROOT = Path(__file__).parents[3]
Command = Callable[..., tuple[int, str, str]]

GREETING = """\
inputs:
  name: str
  times: {type: int, default: 1}
nodes:
  hello:
    prompt: "Greet {name} {times} times."
"""
ASKING = """\
inputs: [text]
nodes:
  each:
    map: {nodes: {ok: {ask: "Is {item} right?"}}, inputs: [item]}
    over: [1, 2]
"""
ADDING = """\
inputs: {numbers: "list[int]"}
nodes:
  total: {function: "%s:total"}
"""


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run a command line in a folder of its own; give code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "greeting.yaml").write_text(GREETING)
    (tmp_path / "asking.yaml").write_text(ASKING)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_command(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_valid_file_is_described_with_its_counts(command: Command) -> None:
    summary = "ok: greeting.yaml: 1 node (1 LLM); inputs: name, times\n"
    assert command("validate", "greeting.yaml") == (0, summary, "")


def test_control_characters_in_names_do_not_reach_the_terminal(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "named_steps.py").write_text("def stop(): raise ValueError('no query')\n")
    graph = (
        'name: "n\\x9b2J"\ninputs: {"q\\x9b31m\\u202e": {default: x}}\n'
        'nodes: {"x\\x9b31m\\u202ey": {function: "named_steps:stop"}, b: {prompt: hi}}\n'
    )
    (tmp_path / "named.yaml").write_text(graph)
    allowed = ("named.yaml", "--allow", "named_steps")
    for arguments in (("validate",), ("show",), ("graph",), ("run", "--provider", "scripted")):
        _, out, err = command(arguments[0], *allowed, *arguments[1:])
        assert "q" in out + err
        assert not {"\x9b", "\u202e"} & {*out, *err}, arguments


def test_all_problems_of_a_file_are_reported_with_their_positions(
    command: Command, tmp_path: Path
) -> None:
    wrong = GREETING.replace("times:", "times: 3\n  again:").replace("prompt:", "promt:")
    (tmp_path / "wrong.yaml").write_text(wrong)
    code, out, err = command("validate", "wrong.yaml")
    assert (code, out) == (2, "")
    assert "2 problems" in err
    assert "(wrong.yaml:3:3)" in err
    assert "no kind of node has the field 'promt'; did you mean 'prompt'? (wrong.yaml:7:5)" in err


def test_the_schema_is_printed(command: Command) -> None:
    code, out, _ = command("validate", "--schema")
    assert code == 0
    assert json.loads(out) == json_schema()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["validate"], "no file to validate; name one that ends in .json, .yaml, .yml"),
        (["validate", "cascade"], "'cascade' is not a graph file"),
        (["validate", "absent.yaml"], "cannot read 'absent.yaml': No such file"),
        (["run", "absent.yaml", "x"], "cannot read 'absent.yaml': No such file"),
        (
            ["run", "asking.yaml", "x", "--provider", "scripted"],
            "asks a person at ok; give --answer ok=VALUE, or run it in a terminal",
        ),
        (["run", "greeting.yaml"], "needs name; give --input name=..."),
        (["run", "greeting.yaml", "--input", "name"], "does not have the form name=value"),
        (["run", "greeting.yaml", "--input", "nam=x"], "no input 'nam'; did you mean 'name'?"),
        (
            ["run", "greeting.yaml", "--input", "name=a", "--input", "name=b"],
            "--input name is given twice; give it once",
        ),
        (
            ["run", "greeting.yaml", "x", "--input", "name=a", "--input", "times=1"],
            "--input sets every input of graph 'greeting'; leave out the task",
        ),
        (
            ["run", "greeting.yaml", "x", "--belter-count", "2"],
            "--belter-count cannot be used with the graph greeting.yaml; set them in its code",
        ),
        (["run", "cascade", "x", "--input", "a=b"], "--input a=b is for graphs, not for cascade"),
        (["run", "cascade", "x", "--allow", "os"], "--allow os is for graphs, not for cascade"),
        (["graph", "cascade", "--allow", "os"], "--allow os is for graph files"),
        (["graph", "os:path", "--allow", "os"], "--allow os is for graph files"),
        (
            ["show", "greeting.yaml", "--belter-count", "2"],
            "--belter-count cannot be used with 'greeting.yaml'",
        ),
        (
            ["run", "greetings", "x"],
            "conditional, iterative, a file that ends in .json, .yaml, .yml, or module:name",
        ),
        (
            ["run", "greeting.yaml", "x", "--agents", "2", "--timeout", "1"],
            "--timeout, --agents cannot be used with the",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_ends_with_code_2(command: Command, arguments: list[str], message: str) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [["Ada"], ["Ada", "--input", "times=1"], ["--input", "name=Ada"]],
    ids=["task", "both", "inputs"],
)
def test_a_file_runs_with_a_task_or_inputs(command: Command, arguments: list[str]) -> None:
    code, out, _ = command("run", "greeting.yaml", *arguments, "--provider", "scripted", "--json")
    assert code == 0
    assert OrchestratorResult.model_validate_json(out).result == "Greet Ada 1 times."


@pytest.mark.parametrize(
    ("type", "text", "expected"),
    [
        ("str", "[1]", "'[1]'"),
        ("str | None", "7", "'7'"),
        ("int", "7", "7"),
        ("list[int]", "[1, 2]", "[1, 2]"),
        ("Any", "7", "'7'"),
    ],
)
def test_a_task_stays_text_if_the_input_accepts_text(
    command: Command, tmp_path: Path, type: str, text: str, expected: str
) -> None:
    (tmp_path / "own_echo.py").write_text("def echo(x) -> str:\n    return repr(x)\n")
    node = 'nodes: {e: {function: "own_echo:echo"}}'
    (tmp_path / "echo.yaml").write_text(f'inputs: {{x: "{type}"}}\n{node}\n')
    options = ("--allow", "own_echo", "--provider", "scripted", "-q")
    assert command("run", "echo.yaml", text, *options) == (0, f"{expected}\n", "")


def test_a_pattern_written_to_a_file_contains_no_task(command: Command) -> None:
    assert command("graph", "cascade", "-o", "cascade.yaml")[0] == 0
    code, out, err = command("run", "cascade.yaml", "--provider", "scripted")
    assert (code, out) == (2, "")
    assert "needs task; give --input task=..." in err


def test_without_a_task_the_inputs_become_the_title(command: Command, tmp_path: Path) -> None:
    arguments = ("--input", "name=Ada", "--input", "times=2", "--out", "a.md", "--report", "a.json")
    code, _, err = command("run", "greeting.yaml", *arguments, "--provider", "scripted")
    assert code == 0
    assert "# name=Ada times=2" in (tmp_path / "a.md").read_text("utf-8")
    assert [line.split()[1] for line in err.splitlines() if line.startswith("hello ")] == ["LLM"]
    record = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert record["task"] == "name=Ada times=2"
    assert [(node["kind"], node["tier"]) for node in record["node_runs"]] == [("llm", "")]


def test_a_function_runs_only_from_an_allowed_module(command: Command, tmp_path: Path) -> None:
    (tmp_path / "own_sums.py").write_text(
        "print('imported')\ndef total(numbers: list[int]) -> int:\n    return sum(numbers)\n"
    )
    (tmp_path / "adding.yml").write_text(ADDING % "own_sums")
    arguments = ("run", "adding.yml", "--input", "numbers=[1, 2]", "--provider", "scripted", "-q")
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert "--allow own_sums, if you trust it (adding.yml:3:21)" in err
    code, out, err = command(*arguments, "--allow", "own_sums")
    assert (code, out, err) == (0, "3\n", "imported\n")
    code, out, err = command("run", "adding.yml", "[3, 4]", *arguments[4:], "--allow", "own_sums")
    assert (code, out.split()[-1]) == (0, "7")


def test_what_runs_nothing_imports_nothing(command: Command, tmp_path: Path) -> None:
    (tmp_path / "unseen_sums.py").write_text(
        "raise SystemExit('imported')\ndef total(numbers: list[int]) -> int: ...\n"
    )
    (tmp_path / "adding.yml").write_text(ADDING % "unseen_sums")
    code, out, err = command("validate", "adding.yml")
    assert (code, err) == (0, "")
    ok, rest = out.splitlines()
    assert ok == "ok: adding.yml: 1 node (1 function); inputs: numbers"
    assert rest.startswith("not imported, so only the parameters were checked: unseen_sums:total;")
    assert rest.endswith("; --allow unseen_sums checks them")
    assert "total" in command("show", "adding.yml")[1]
    assert "total" in command("graph", "adding.yml")[1]
    code, _, err = command("validate", "adding.yml", "--allow", "unseen_sums")
    assert code == 2
    assert "module 'unseen_sums' cannot be imported: SystemExit: imported" in err
    (tmp_path / "unseen_sums.py").write_text("def total(number: int) -> int: ...\n")
    code, _, err = command("validate", "adding.yml")
    assert code == 2
    assert "'number'" in err
    (tmp_path / "unseen_sums.py").unlink()
    code, _, err = command("validate", "adding.yml")
    assert (code, "numbers" in err) == (0, False)


@pytest.mark.parametrize("pattern", ["cascade", "sequential", "conditional"])
@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_a_pattern_written_as_a_file_is_the_same_graph(
    command: Command, tmp_path: Path, pattern: str, ending: str
) -> None:
    file = f"{pattern}.{ending}"
    assert command("graph", pattern, "-o", file)[0] == 0
    again = f"again.{ending}"
    assert command("graph", file, "-o", again)[0] == 0
    assert (tmp_path / again).read_text() == (tmp_path / file).read_text()
    assert command("validate", file)[0] == 0
    assert load_graph(tmp_path / file).fingerprint == load_graph(tmp_path / again).fingerprint
    if ending == "json":
        data = json.loads((tmp_path / file).read_text())
        assert not list(Draft202012Validator(json_schema()).iter_errors(data))


STRANGERS = (
    "yaml", "pydantic", "typer", "rich", "networkx", "graphlib", "brotli", "brotlicffi", "h2",
    "socksio", "zstandard", "trio", "uvloop", "sniffio", "xllamacpp",
)  # fmt: skip
"""Libraries, most of them optional: dagorch or a library of its tries to import them."""


def command_among_strangers(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m dagorch` in a folder in which each file ends the program when imported."""
    for library in STRANGERS:
        (folder / f"{library}.py").write_text("raise SystemExit('the stranger runs')")
    return subprocess.run(
        [sys.executable, "-m", "dagorch", *arguments],
        cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("more", [(), ("--allow", "own"), ("--allow", "statistics")])
def test_no_file_of_the_folder_hides_a_library(tmp_path: Path, more: tuple[str, ...]) -> None:
    (tmp_path / "greeting.yaml").write_text(GREETING)
    done = command_among_strangers(tmp_path, "validate", "greeting.yaml", *more)
    assert (done.returncode, done.stdout[:3]) == (0, "ok:"), done.stderr


def test_only_allowed_modules_of_the_folder_are_imported(tmp_path: Path) -> None:
    # httpx looks for brotli, zstandard, h2 and socksio.
    own = "import httpx; httpx.create_ssl_context()\ndef total(numbers): return sum(numbers)\n"
    (tmp_path / "own.py").write_text(own)
    (tmp_path / "adding.yaml").write_text(ADDING % "own")
    done = command_among_strangers(
        tmp_path, "run", "adding.yaml", "--allow", "own", "--input", "numbers=[1,2]",
        "--provider", "scripted",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def test_an_allowed_module_needs_leave_for_its_neighbours(command: Command, tmp_path: Path) -> None:
    (tmp_path / "adding_own.py").write_text("from adding_helper import total\n")
    (tmp_path / "adding_helper.py").write_text("def total(numbers): return sum(numbers)\n")
    (tmp_path / "adding.yaml").write_text(ADDING % "adding_helper")
    arguments = ("run", "adding.yaml", "--input", "numbers=[1, 2]", "--provider", "scripted")
    (tmp_path / "importing.yaml").write_text(ADDING % "adding_own")
    code, _, err = command("run", "importing.yaml", *arguments[2:], "--allow", "adding_own")
    assert code == 2
    assert "No module named 'adding_helper'; if it is in the current folder" in err
    assert "needs --allow adding_helper" in err
    assert command(*arguments, "--allow", "adding_helper")[:2] == (0, "3\n")


def test_a_package_of_the_folder_is_allowed_by_one_of_its_modules(
    command: Command, tmp_path: Path
) -> None:
    package = tmp_path / "adding_package"
    package.mkdir()
    (package / "steps.py").write_text("def total(numbers): return sum(numbers)\n")
    (tmp_path / "adding.yaml").write_text(ADDING % "adding_package.steps")
    arguments = ("run", "adding.yaml", "--input", "numbers=[1, 2]", "--provider", "scripted")
    assert command(*arguments, "--allow", "adding_package.steps")[:2] == (0, "3\n")


def test_module_name_looks_in_the_folder_last(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text("from dagorch import Graph\ngraph = Graph('mine')\n")
    (tmp_path / "statistics.py").write_text("raise SystemExit('the folder comes first')")
    done = command_among_strangers(tmp_path, "show", "statistics:graph")
    assert done.returncode == 2
    assert f"there is no 'graph' in {statistics.__file__}" in done.stderr


def test_a_file_is_drawn_and_shown(command: Command, tmp_path: Path) -> None:
    assert command("graph", "greeting.yaml", "-o", "greeting.svg")[0] == 0
    assert "hello" in (tmp_path / "greeting.svg").read_text()
    assert "hello" in command("graph", "greeting.yaml")[1]
    assert "hello" in command("show", "greeting.yaml")[1]


def test_an_input_that_is_not_utf_8_is_refused(command: Command) -> None:
    code, _, err = command("run", "greeting.yaml", "--input", "name=\udce9", "--input", "times=2")
    assert code == 2
    assert "--input 'name=\ufffd' is not valid UTF-8" in err
