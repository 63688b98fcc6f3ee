"""The command line in this process: usage, exit codes, output and errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dagorch import __version__
from dagorch.cli.app import run_command
from dagorch.cli.exit_codes import ExitCode
from dagorch.cli.options import option_name
from dagorch.cli.patterns import PATTERNS as PATTERN_TABLE
from dagorch.models.clean import clean
from dagorch.models.orchestration import OrchestratorResult
from dagorch.orchestrators import BaseOrchestrator
from dagorch.providers import SERVICES
from tests.servers import ModelServer, answer, reply

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run a command line in an empty folder without any key; give code, output and errors."""
    monkeypatch.chdir(tmp_path)
    for service in SERVICES.values():
        for name in (*service.key_env, service.base_url_env):
            monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_command(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "casade", "x"], "no pattern 'casade'; did you mean 'cascade'?"),
        (["run", "cascade", ""], "the task is empty"),
        (["run", "cascade", " \n "], "the task is empty"),
        (["run", "cascade"], "cascade needs a TASK"),
        (["run", "cascade", "caf\udce9"], "the task has half a character"),
        (
            ["run", "sequential", "x", "--steps", "a,\udce9"],
            "--steps 'a,\ufffd' is not valid UTF-8",
        ),
        (["run", "cascade", "x", "--model", "m\udce9"], "--model 'm\ufffd' is not valid UTF-8"),
        (["run", "cascade", "x", "--modle", "m"], "No such option: --modle"),
        (["run", "cascade", "x", "--belter-count", "many"], "Invalid value for '--belter-count'"),
        (["run", "cascade", "x", "--belter-count", "0"], "belter_count=0 must be a whole number"),
        (["run", "cascade", "x", "--timeout", "-1"], "timeout_seconds=-1.0 must be a number of"),
        (["run", "cascade", "x", "--max-cost", "-1"], "max_cost=-1.0 must be an amount of dollars"),
        (["run", "cascade", "x", "--provider", "nobody"], "no provider is called 'nobody'"),
        (["run", "cascade", "x", "--provider", "openai"], "OPENAI_API_KEY"),
        (["run", "cascade", "x", "--model", "gpt4"], "no provider is known for model 'gpt4'"),
        (["run", "cascade", "x", "--model", "gork-3"], "'gork-3'; did you mean 'grok-3'"),
        (["run", "cascade", "x", "--model", "claude-3.5"], "ANTHROPIC_API_KEY"),
        (
            ["run", "cascade", "x", "--provider", "scripted", "--fallback-model", "gork-3"],
            "'gork-3'; did you mean 'grok-3'",
        ),
        (
            ["run", "cascade", "x", "--provider", "scripted", "--fallback-model", "gpt-4"],
            "OPENAI_API_KEY",
        ),
        (["run", "cascade", "x", "--provider", "scripted", "--out", "no/a.pdf"], "No such file"),
        (["run", "cascade", "x", "--provider", "scripted", "--out", "no/a.md"], "No such file"),
        (
            ["run", "cascade", "x", "--provider", "scripted", "--out", "bees.docs"],
            "or .json, or a folder without a suffix; did you mean '.docx'?",
        ),
        (
            [
                "run",
                "cascade",
                "x",
                "--provider",
                "scripted",
                "--out",
                "a.html",
                "--report",
                "./a.html",
            ],
            "--report 'a.html': another option writes a file of that name",
        ),
        (["run", "sequential", "x", "--steps", "a,,b"], "steps=['a', '', 'b'] must be"),
        (["run", "sequential", "x", "--steps", "a,a"], "all different"),
        (
            ["run", "sequential", "x", "--belter-count", "2"],
            "--belter-count cannot be used with sequential; its options are",
        ),
        (
            ["run", "cascade", "x", "--steps", "a"],
            "--steps cannot be used with cascade; its options are --belter-count",
        ),
        (["run", "iterative", "x", "--max-iterations", "0"], "max_iterations=0 must be a whole"),
        (["run", "iterative", "x", "--until", " "], "convergence_fn=' ' is not callable"),
        (["run", "conditional", "x", "--condition", "Is it?"], "lacks --true-branch and --false"),
        (["run", "sequential", ""], "the task is empty"),
        (["run", "no_such_module:graph", "x"], "module 'no_such_module' cannot be imported"),
        (["run", "os:path", "x"], "os:path is a module; name a Graph, an orchestrator"),
        (["graph", "iterative", "--steps", "a,a"], "all different"),
        (["graph", "casade"], "no pattern 'casade'; did you mean 'cascade'?"),
        (["show", "casade"], "no pattern 'casade'; did you mean 'cascade'?"),
        (
            ["show", "os:path", "--belter-count", "2"],
            "--belter-count cannot be used with 'os:path'",
        ),
        (["graph", "cascade", "-o", "x.gif"], "its ending must be one of .svg, .png, .pdf, "),
        (["graph", "cascade", "-o", "no/x.svg"], "No such file or directory"),
        (["graph", "no_such_module:graph"], "module 'no_such_module' cannot be imported"),
        (
            ["graph", "os:path", "--belter-count", "2"],
            "--belter-count cannot be used with 'os:path'",
        ),
        (["run", "swarm", "x", "--domains", "arxv"], "no source 'arxv'; did you mean 'arxiv'?"),
        (["run", "swarm", "x", "--domains", "files"], "'files' needs --folder"),
        (["run", "swarm", "x", "--folder", "nowhere"], "folder 'nowhere' does not exist"),
        (["run", "swarm", "x", "--agents", "0"], "num_agents=0 must be a whole number"),
        (
            ["run", "swarm", "x", "--belter-count", "2"],
            "--belter-count cannot be used with swarm; its options are --agents",
        ),
        (["graph", "cascade", "--agents", "2"], "--agents cannot be used with cascade"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_wrong_usage_is_one_message_and_code_2(
    command: Command, tmp_path: Path, arguments: list[str], message: str
) -> None:
    code, out, err = command(*arguments)
    assert code == ExitCode.USAGE
    assert message in err
    assert err.startswith("dagorch: error: ")
    assert len(err.splitlines()) <= 2
    assert "Traceback" not in err
    assert not out
    assert not list(tmp_path.iterdir())


def test_debug_shows_the_traceback(command: Command) -> None:
    code, _, err = command("graph", "no_such_module:graph", "--debug")
    assert code == ExitCode.USAGE
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("dagorch: error: module 'no_such_module'")


def test_a_traceback_has_no_control_sequences(command: Command, tmp_path: Path) -> None:
    (tmp_path / "red_flow.py").write_text("raise ValueError('\x1b[31mred')\n")
    code, _, err = command("graph", "red_flow:graph", "--debug")
    assert code == ExitCode.USAGE
    assert "Traceback" in err
    assert "\x1b" not in err


def test_version_and_help(command: Command) -> None:
    assert command("--version") == (0, f"dagorch {__version__}\n", "")
    code, out, _ = command("--help")
    assert code == 0
    assert 'dagorch run cascade "How do bees find their way home?" --provider local' in out
    code, out, _ = command("run", "-h")
    assert code == 0
    assert '  dagorch run cascade "Tea or coffee?" --belter-count 5' in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert command()[0] == ExitCode.USAGE


@pytest.mark.parametrize("arguments", [[], ["run"], ["graph"], ["show"], ["validate"], ["new"]])
def test_help_has_no_control_characters(command: Command, arguments: list[str]) -> None:
    _, out, _ = command(*arguments, "--help")
    assert clean(out) == out


def test_providers_lists_what_is_ready_and_what_is_missing(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "sk-very-secret")
    code, out, _ = command("providers")
    lines = {line.split()[0]: line for line in out.splitlines() if line[:1].strip()}
    assert code == 0
    assert " yes " in lines["groq"]
    assert " no " in lines["openai"]
    assert "set OPENAI_API_KEY" in lines["openai"]
    assert "sk-very-secret" not in out


def test_graph_prints_mermaid_or_writes_a_file(command: Command, tmp_path: Path) -> None:
    code, out, err = command("graph", "cascade", "--belter-count", "5")
    assert (code, err) == (0, "")
    assert out.count("belter_") == 5
    assert "flowchart" in out
    for suffix in ("svg", "dot", "mmd", "png"):
        assert command("graph", "cascade", "-o", f"c.{suffix}")[:2] == (0, f"drawn: c.{suffix}\n")
    assert len(list(tmp_path.iterdir())) == 4


def test_show_prints_text_as_the_readme_has_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = command("show", "conditional")
    assert (code, err) == (0, "")
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    assert f"```text\n{out}```" in readme
    monkeypatch.setenv("COLUMNS", "40")
    _, narrow, _ = command("show", "conditional")
    assert len(narrow.splitlines()) > len(out.splitlines())


def test_only_the_answer_goes_to_standard_output(command: Command, tmp_path: Path) -> None:
    code, quiet, err = command("run", "cascade", "Why?", "--provider", "scripted", "-q")
    assert (code, err) == (0, "")
    code, out, err = command("run", "cascade", "Why?", "--provider", "scripted")
    assert code == 0
    assert out == quiet
    assert "11 node runs" in err
    assert "dagorch: running on scripted" in err
    assert not list(tmp_path.iterdir()), "a run writes no file unless asked"


def test_the_picture_of_a_run_is_written_when_asked(command: Command, tmp_path: Path) -> None:
    run = ["run", "cascade", "Why?", "--provider", "scripted", "--picture", "run.svg"]
    code, out, err = command(*run)
    assert code == 0
    assert "picture of the run: run.svg" in err
    assert "camina_1" in (tmp_path / "run.svg").read_text()
    assert "belter_3 completed" in err
    assert "\x1b" not in out + err


def test_json_has_no_control_characters(command: Command) -> None:
    task = "Why \x9b31m \u202e?"
    code, out, _ = command("run", "cascade", task, "--provider", "scripted", "--json")
    assert code == 0
    assert not {"\x9b", "\u202e"} & {*out}
    assert OrchestratorResult.model_validate_json(out).metadata["task"] == task


def test_json_is_the_only_standard_output(command: Command, tmp_path: Path) -> None:
    code, out, err = command("run", "cascade", "Why?", "--provider", "scripted", "--json")
    assert (code, err) == (0, "")
    result = OrchestratorResult.model_validate_json(out)
    assert result.status == "completed"
    assert len(result.agent_results) == 6
    assert not list(tmp_path.iterdir())


def test_quiet_prints_only_the_answer(command: Command, tmp_path: Path) -> None:
    code, out, err = command("run", "cascade", "Why?", "--provider", "scripted", "-q")
    assert (code, err) == (0, "")
    assert "node runs" not in out
    assert "Why?" in out
    assert not list(tmp_path.iterdir())


def test_what_a_workflow_prints_goes_to_standard_error(command: Command, tmp_path: Path) -> None:
    (tmp_path / "noisy_flow.py").write_text(
        "from dagorch import Graph\n"
        "print('imported')\n"
        "graph = Graph('noisy')\n"
        "@graph.function\n"
        "def nothing() -> None:\n"
        "    print('called')\n"
    )
    code, out, err = command("run", "noisy_flow:graph", "--provider", "scripted", "-q")
    assert (code, out, err) == (0, "null\n", "imported\ncalled\n")


def test_counts_are_honoured(command: Command) -> None:
    counts = ["--belter-count", "4", "--drummer-count", "3", "--camina-count", "2"]
    _, out, _ = command("run", "cascade", "Why?", "--provider", "scripted", "--json", *counts)
    tiers = [
        str(agent.agent_type) for agent in OrchestratorResult.model_validate_json(out).agent_results
    ]
    assert tiers == ["belter"] * 4 + ["drummer"] * 3 + ["camina"] * 2


PATTERNS = {
    "sequential": (["--steps", "find, weigh up"], ["find", "weigh up"]),
    "conditional": ([], ["true_1", "true_2"]),
    "iterative": (["--until", "Is it good?", "--max-iterations", "4"], ["improve_1"]),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_other_patterns_run(command: Command, pattern: str) -> None:
    options, agents = PATTERNS[pattern]
    with ModelServer(answer("Yes, bees dance.")) as server:
        where = ["--base-url", server.url, "--model", "m"]
        code, out, err = command("run", pattern, "Why?", *where, *options)
        assert code == 0, err
        assert out.startswith("Yes, bees dance.\n")
        assert "dagorch: running on openai, m (--base-url)" in err
        code, out, err = command("run", pattern, "Why?", *where, *options, "--json")
    result = OrchestratorResult.model_validate_json(out)
    assert (code, err, result.status) == (0, "", "completed")
    assert [agent.subtask_id for agent in result.agent_results] == agents
    assert command("graph", pattern, "-o", "x.svg")[:2] == (0, "drawn: x.svg\n")
    assert command("show", pattern)[0] == 0


def test_the_model_selects_the_branch(command: Command) -> None:
    ways = ["--true-branch", "List causes", "--true-branch", "Advise", "--false-branch", "Reply"]
    ways += ["--condition", "Is it about code?"]
    for verdict, expected in (("yes", ["true_1", "true_2"]), ("no", ["false"])):
        with ModelServer(answer(verdict)) as server:
            where = ["--base-url", server.url, "--model", "m"]
            _, out, _ = command("run", "conditional", "It hangs", *where, *ways, "--json")
        result = OrchestratorResult.model_validate_json(out)
        assert [agent.subtask_id for agent in result.agent_results] == expected
        prompts = [str(seen.json["messages"][-1]["content"]) for seen in server.requests]
        assert "Is it about code? Reply with one of these words: yes, no." in prompts[0]
        assert ("Advise" if expected[-1] == "true_2" else "Reply") in prompts[-1]


OWN = """
from dagorch import Graph, LLM, OrchestratorConfig, SequentialOrchestrator
from dagorch.testing import ScriptedProvider

graph = Graph("mine")
question = graph.input("question", str)
graph.add(LLM("reply", prompt="Well? {question}"))

several = Graph("several")
several.input("left", str)
several.input("right", str)
several.add(LLM("reply", prompt="{left} {right}"))

alone = Graph("alone")

@alone.function
async def only() -> str:
    return "nothing asked"

def steps(provider=None):
    config = OrchestratorConfig(steps=["one", "two"])
    return SequentialOrchestrator(
        config, provider, step_handlers={"one": lambda context: "from the handler"}
    )

def own_provider():
    return steps(ScriptedProvider("from my own"))

def documented():
    config = OrchestratorConfig(
        steps=["one"], enable_document_generation=True, output_formats=["markdown", "html"]
    )
    return SequentialOrchestrator(config, ScriptedProvider("from my own"))
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the name of a module with workflows of a user's own, in the current folder."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_documents_of_a_users_orchestrator_are_listed(
    command: Command, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise ValueError("no room")

    monkeypatch.setattr("dagorch.exporters.documents.formats.to_html", broken)
    code, _, err = command("run", f"{own}:documented", "Why?")
    assert code == 0
    assert f"saved: {Path('reports', 'why.md')}" in err
    assert "dagorch: no document in html: ValueError: no room" in err


@pytest.mark.filterwarnings("default:graph .alone. takes no task")
def test_a_users_graph_runs_with_the_task_as_its_input(command: Command, own: str) -> None:
    options = ["--provider", "scripted", "--json", "--max-parallel", "2"]
    code, out, err = command("run", f"{own}:graph", "Why?", *options)
    result = OrchestratorResult.model_validate_json(out)
    assert (code, err, result.result) == (0, "", "Well? Why?")
    assert [(a.subtask_id, a.agent_type, a.content) for a in result.agent_results] == [
        ("reply", "llm", "Well? Why?")
    ]
    code, out, err = command("run", f"{own}:alone", "Why?", "--provider", "scripted", "-q")
    assert (code, out) == (0, "nothing asked\n")
    assert "warning: graph 'alone' takes no task" in err


def test_a_users_orchestrator_runs_on_its_provider_or_the_named_one(
    command: Command, own: str
) -> None:
    code, out, err = command("run", f"{own}:own_provider", "Why?", "--max-cost", "5")
    assert (code, out.splitlines()[0]) == (0, "from my own")
    assert "running on scripted (the provider it was made with)" in err
    with ModelServer(answer("from the server")) as server:
        where = ["--base-url", server.url, "--model", "m"]
        for name in ("steps", "own_provider"):
            code, out, err = command("run", f"{own}:{name}", "Why?", *where)
            assert (code, out.splitlines()[0]) == (0, "from the server"), err
    assert {seen.json["model"] for seen in server.requests} == {"m"}


def test_options_that_a_users_workflow_refuses(command: Command, own: str) -> None:
    for name, options, message in (
        ("graph", ["--timeout", "5"], "--timeout cannot be used with the graph"),
        ("steps", ["--steps", "a"], "--steps cannot be used with the orchestrator"),
        ("several", [], "give the name 'task' to the one for the task"),
        ("steps", ["--max-cost", "-1"], "max_cost=-1.0 must be"),
    ):
        code, out, err = command("run", f"{own}:{name}", "Why?", "--provider", "scripted", *options)
        assert (code, out) == (ExitCode.USAGE, "")
        assert message in err


def test_a_model_finds_its_service_and_the_fallback_model_another(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = reply(404, {"error": {"message": "no such model"}})
    with ModelServer(gone) as anthropic, ModelServer(answer("Bees dance.")) as openai:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", anthropic.url)
        monkeypatch.setenv("OPENAI_BASE_URL", openai.url)
        models = ["--model", "claude-3.5", "--fallback-model", "gpt-4"]
        code, out, err = command("run", "cascade", "Why?", *models)
        anthropic.wait_until(lambda server: not server.open)
        openai.wait_until(lambda server: not server.open)
    assert code == 0, err
    assert out.startswith("Bees dance.")
    assert "running on anthropic, claude-3.5 (it has the model claude-3.5)" in err
    assert {seen.json["model"] for seen in anthropic.requests} == {"claude-3.5"}
    assert {seen.json["model"] for seen in openai.requests} == {"gpt-4"}


def test_out_saves_everything(command: Command, tmp_path: Path) -> None:
    code, _, err = command("run", "cascade", "Why?", "--provider", "scripted", "--out", "bees")
    assert code == 0
    assert "saved: bees/answer.md" in err
    assert sorted(path.name for path in (tmp_path / "bees").iterdir()) == [
        "answer.html",
        "answer.md",
        "graph.svg",
        "result.json",
    ]


@pytest.mark.parametrize("output", [["--out", "x.pdf"], ["--picture", "x.svg"]])
def test_a_file_that_fails_is_reported_and_loses_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: list[str]
) -> None:
    def broken(*_: object) -> str:
        raise ValueError("no room")

    monkeypatch.setattr("dagorch.cli.output.render_document", broken)
    monkeypatch.setattr("dagorch.cli.output.to_bytes", broken)
    run = ["run", "cascade", "Why?", "--provider", "scripted", *output]
    code, out, err = command(*run, "--report", "run.json")
    assert code == ExitCode.FAILED
    assert "Why?" in out
    assert "11 node runs" in err
    assert f"dagorch: error: cannot make '{output[1]}': ValueError: no room" in err
    assert "report of the run: run.json" in err
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_swarm_over_a_folder_cites_its_files(command: Command, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "bees.md").write_text("# Bees\n\nBees \x1b[31mdance\x1b[0m {task}.")
    (notes / "ants.txt").write_text("Ants count their steps, as bees do not.")
    arguments = ("run", "swarm", "What do bees do?", "--folder", "notes", "--agents", "2")
    with ModelServer(answer("They dance [1], so [7].")) as server:
        code, out, err = command(*arguments, "--base-url", server.url, "--model", "m", "--json")
    assert code == 0, err
    result = OrchestratorResult.model_validate_json(out)
    assert [agent.metadata["domains"] for agent in result.agent_results] == [["files"]] * 2
    cited = [agent.metadata["citations"][0]["url"] for agent in result.agent_results]
    assert sorted(cited) == ["ants.txt", "bees.md"]
    assert result.metadata["dropped_citations"]["agent_1"] == ["[7]"]
    assert len(server.requests) == 3
    assert "\x1b" not in str(server.requests[0].json)


def test_a_swarm_with_a_source_that_is_down_is_code_3(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagorch.sources import Arxiv

    (tmp_path / "bees.txt").write_text("Bees dance.")
    with ModelServer(reply(400, b"no")) as down, ModelServer(answer("Yes [1].")) as server:
        monkeypatch.setattr(Arxiv, "default_url", down.url)
        code, out, err = command(
            "run", "swarm", "Do bees dance?", "--domains", "arxiv", "--folder", ".",
            "--agents", "2", "--base-url", server.url, "--model", "m",
        )  # fmt: skip
    assert code == ExitCode.PARTIAL, err
    assert out.startswith("Yes [1].\n")
    assert "arxiv: answered 400" in err
    assert "Traceback" not in err


def test_a_swarm_is_drawn(command: Command, tmp_path: Path) -> None:
    code, out, _ = command("graph", "swarm", "--agents", "3", "--domains", "arxiv,news")
    assert code == 0
    assert all(name in out for name in ("search_arxiv", "search_news", "agent_3", "synthesis"))
    assert command("graph", "swarm", "-o", "x.svg")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "cascade", "Why?", "--provider", "scripted", "-q"],
        ["run", "cascade", "Why?", "--provider", "scripted"],
        ["graph", "cascade"],
        ["graph", "swarm", "-o", "x.svg"],
        ["show", "iterative"],
        ["run", "{own}:own_provider", "Why?", "-q"],
        ["run", "{own}:graph", "Why?", "--provider", "scripted", "-q"],
        ["graph", "{own}:own_provider"],
    ],
    ids=" ".join,
)
def test_a_command_builds_the_graph_once(
    command: Command, own: str, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    built: list[str] = []
    prepare = BaseOrchestrator.prepare_workflow

    def count(self: BaseOrchestrator, *args: object) -> object:
        built.append(type(self).__name__)
        return prepare(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(BaseOrchestrator, "prepare_workflow", count)
    code, _, err = command(*(argument.format(own=own) for argument in arguments))
    assert code == 0, err
    assert len(built) == 1


def test_each_option_of_a_pattern_is_an_option_of_run_graph_and_show(command: Command) -> None:
    for name in ("run", "graph", "show"):
        _, out, _ = command(name, "--help")
        for pattern in PATTERN_TABLE.values():
            for option in map(option_name, pattern.options):
                assert f" {option} " in out, (name, option)
