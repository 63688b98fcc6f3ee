"""The command line: wrong commands, options, targets and files end in one message and code 2."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from unittest import mock

from dagorch.cli.app import run_command
from tests.mistakes.matrix import Mistake

FLOW = """
inputs: {count: int}
nodes: {view: {prompt: "{count} views"}}
"""
OWN = """
from dagorch import LLM, Graph
graph = Graph("flow")
graph.add(LLM("view", prompt="On {topic}"))
number = 3
def broken():
    return {}["graph"]
"""


class CommandError(ValueError):
    """What a command printed on standard error before it ended with code 2."""


def refused_command(*arguments: str, what: str, way_out: str, **variables: str) -> Mistake:
    """Declare a command that is refused; `flow.yaml` and `flow_module.py` are in its folder."""

    def make(provider: object) -> object:
        Path("flow.yaml").write_text(FLOW, "utf-8")
        Path("flow_module.py").write_text(OWN, "utf-8")
        out, err = io.StringIO(), io.StringIO()
        streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
        with mock.patch.dict("os.environ", variables), streams[0], streams[1]:
            code = run_command(arguments)
        if code == 2:
            assert not out.getvalue()
            assert "Traceback" not in err.getvalue()
            raise CommandError(err.getvalue())
        return code, out.getvalue(), err.getvalue()

    return Mistake("refused", make, what, "dagorch: error: ", way_out, example=arguments)


def run_flow(*options: str, what: str, way_out: str) -> Mistake:
    return refused_command("run", "flow.yaml", *options, what=what, way_out=way_out)


def run_cascade(*options: str, what: str, way_out: str, **variables: str) -> Mistake:
    command = ("run", "cascade", "Tea?", *options)
    return refused_command(*command, what=what, way_out=way_out, **variables)


a_misspelt_command = refused_command(
    "rn", "cascade", "Tea?", what="No such command 'rn'", way_out="dagorch --help"
)
a_misspelt_pattern = refused_command(
    "run", "casade", "Tea?", what="no pattern 'casade'", way_out="did you mean 'cascade'?"
)
a_pattern_without_a_task = refused_command(
    "run", "cascade", what="cascade needs a TASK", way_out="TASK"
)
an_empty_task = refused_command(
    "run", "cascade", " ", what="the task is empty", way_out="pass a text such as"
)
a_misspelt_option = run_cascade(
    "--modle", "grok-3", what="No such option: --modle", way_out="--model"
)
a_count_by_a_word = run_cascade(
    "--belter-count", "many", what="Invalid value for '--belter-count'", way_out="integer"
)
no_agents = run_cascade(
    "--belter-count", "0", what="belter_count=0 must be a whole number", way_out="from 1"
)
a_negative_timeout = run_cascade(
    "--timeout", "-1", what="timeout_seconds=-1.0", way_out="a number of seconds above 0"
)
a_negative_ceiling = run_cascade(
    "--max-cost", "-1", what="max_cost=-1.0", way_out="an amount of dollars of at least 0"
)
a_misspelt_provider = run_cascade(
    "--provider", "opnai", what="no provider is called 'opnai'", way_out="did you mean 'openai'?"
)
a_provider_without_a_key = run_cascade(
    "--provider", "openai", what="no API key", way_out="OPENAI_API_KEY", OPENAI_API_KEY=""
)
a_misspelt_model = run_cascade(
    "--model", "gork-3", what="'gork-3'", way_out="did you mean 'grok-3'"
)
a_misspelt_fallback_model = run_cascade(
    "--provider", "scripted", "--fallback-model", "gork-3",
    what="'gork-3'", way_out="did you mean 'grok-3'",
)  # fmt: skip
an_option_of_another_pattern = run_cascade(
    "--agents", "3", what="--agents cannot be used with cascade", way_out="its options are"
)
a_misspelt_ending = run_cascade(
    "--provider", "scripted", "--out", "tea.docs",
    what="tea.docs", way_out="did you mean '.docx'?",
)  # fmt: skip
a_folder_that_does_not_exist = run_cascade(
    "--provider", "scripted", "--out", "no/tea.md", what="No such file", way_out="no"
)
a_step_twice = refused_command(
    "run", "sequential", "Tea?", "--steps", "a,a", what="steps=['a', 'a']", way_out="all different"
)
half_a_condition = refused_command(
    "run", "conditional", "Tea?", "--condition", "Is it?",
    what="lacks --true-branch", way_out="--false-branch",
)  # fmt: skip
a_misspelt_domain = refused_command(
    "run", "swarm", "Tea?", "--domains", "arxv",
    what="no source 'arxv'", way_out="did you mean 'arxiv'?",
)  # fmt: skip
files_without_a_folder = refused_command(
    "run", "swarm", "Tea?", "--domains", "files", what="'files' needs", way_out="--folder"
)
a_misspelt_file = refused_command(
    "run", "flwo.yaml", "Tea?", what="cannot read 'flwo.yaml'", way_out="No such file"
)
a_misspelt_module = refused_command(
    "run", "flow_modul:graph", "Tea?",
    what="module 'flow_modul' cannot be imported", way_out="No module named",
)  # fmt: skip
a_misspelt_name_in_a_module = refused_command(
    "run", "flow_module:grph", "Tea?",
    what="there is no 'grph'", way_out="did you mean 'graph'?",
)  # fmt: skip
a_name_that_is_not_a_graph = refused_command(
    "run", "flow_module:number", "Tea?", what="is a int", way_out="name a Graph, an orchestrator"
)
a_module_without_a_name = refused_command(
    "run", "flow_module:", "Tea?", what="'flow_module:'", way_out="module:name"
)
a_function_that_fails = refused_command(
    "run", "flow_module:broken", "Tea?",
    what="flow_module:broken was called and failed", way_out="KeyError: 'graph'",
)  # fmt: skip
a_graph_with_a_mistake = refused_command(
    "run", "flow_module:graph", "Tea?",
    what="input 'topic' of node 'view' is not bound", way_out="flow_module.py:4",
)  # fmt: skip
a_graph_that_is_drawn_with_a_mistake = refused_command(
    "graph", "flow_module:graph", what="input 'topic' of node 'view'", way_out="bind it with"
)
an_input_without_a_value = run_flow(
    "--provider", "scripted", "--input", "count", what="--input 'count'", way_out="name=value"
)
a_misspelt_input = run_flow(
    "--provider", "scripted", "--input", "cuont=3", what="'cuont'", way_out="did you mean 'count'?"
)
an_input_of_another_type = run_flow(
    "--provider", "scripted", "--input", "count=many",
    what="input 'count' takes int, not str: 'many'", way_out="int",
)  # fmt: skip
a_picture_of_another_ending = refused_command(
    "graph", "cascade", "-o", "x.gif", what="x.gif", way_out=".svg, .png, .pdf"
)
allow_for_a_module = refused_command(
    "show", "flow_module:graph", "--allow", "os",
    what="--allow os is for graph files", way_out="graph files",
)  # fmt: skip
nothing_to_validate = refused_command(
    "validate", what="no file to validate", way_out="one that ends in .json, .yaml"
)
a_page_of_a_missing_record = refused_command(
    "report", "run.json", what="run.json", way_out="No such file"
)
