"""Providers, patterns and workflows of the user: selected, or refused with a reason."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagorch import DefinitionError
from dagorch.cli.loading import load_graph
from dagorch.cli.patterns import make_orchestrator
from dagorch.cli.provider_selection import select_provider
from dagorch.providers import SERVICES
from tests.servers import ModelServer, closed_port

USERS = """
from dagorch import Graph
from dagorch.orchestrators import DreamCascadeOrchestrator

graph = Graph("mine")
@graph.function
async def step() -> int: ...

def make(): return graph
def make_orchestrator(): return DreamCascadeOrchestrator()
def needs(argument): return graph
def breaks(): raise RuntimeError("inside")
cascade = DreamCascadeOrchestrator()
number = 5
class Holder:
    graph = graph
"""


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in SERVICES.values():
        for name in (*service.key_env, service.base_url_env):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def users_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"users_flows_{os.getpid()}"
    (tmp_path / f"{name}.py").write_text(USERS)
    (tmp_path / f"{name}_broken.py").write_text("import nothing_like_this_exists")
    (tmp_path / f"{name}_leaves.py").write_text("import sys; sys.exit(3)")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield name
    sys.path[:] = path
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]


@pytest.mark.usefixtures("no_keys")
def test_the_first_service_with_a_key_is_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k1")
    monkeypatch.setenv("MISTRAL_API_KEY", "k2")
    selection = select_provider(None, None, None)
    assert (selection.provider.name, selection.reason) == ("groq", "its key is set")


@pytest.mark.local
@pytest.mark.usefixtures("no_keys")
def test_without_a_key_the_local_model_is_selected() -> None:
    selection = select_provider(None, None, None)
    assert (selection.provider.name, selection.reason) == ("local", "no service's key is set")


@pytest.mark.usefixtures("no_keys")
def test_without_a_key_and_a_local_model_the_error_names_both_remedies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dagorch.providers.local_server.is_runtime_installed", lambda: False)
    with pytest.raises(DefinitionError, match=r"no service's key is set .*pip install"):
        select_provider(None, None, None)


@pytest.mark.usefixtures("no_keys")
def test_a_model_name_selects_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAI_API_KEY", "k")
    selection = select_provider(None, "grok-3-mini", None)
    assert (selection.provider.name, selection.model) == ("xai", "grok-3-mini")
    named = select_provider("xai", "grok-3-mini", None)
    assert (named.provider.default_model, named.model) == ("grok-3-mini", None)


def test_an_address_selects_any_server() -> None:
    with ModelServer() as server:
        provider = select_provider(None, None, server.url).provider
        assert provider.default_model == ""
        server.wait_until(lambda server: server.connections == 1 and not server.open)
        assert not server.requests  # it was only asked whether it is there


@pytest.mark.usefixtures("no_keys")
@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("grok", None, "no provider is called 'grok'; did you mean"),
        ("openai", None, "set OPENAI_API_KEY"),
        (None, "gpt4", "no provider is known for model 'gpt4'"),
        ("local", "gpt-4", "the path of a .gguf file"),
        (None, "nowhere.gguf", "nowhere.gguf"),
    ],
)
def test_an_impossible_selection_is_refused_with_advice(
    name: str | None, model: str | None, message: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        select_provider(name, model, None)
    assert message in str(caught.value)


def test_an_address_without_a_server_is_an_error_at_once() -> None:
    with closed_port() as address, pytest.raises(DefinitionError, match="nothing answers at http"):
        select_provider(None, None, address)


def test_an_unknown_pattern_names_the_nearest() -> None:
    with pytest.raises(DefinitionError, match="no pattern 'casade'; did you mean 'cascade'"):
        make_orchestrator("casade", {})
    with pytest.raises(DefinitionError, match="no pattern 'x'; use cascade, swarm, seq"):
        make_orchestrator("x", {})


def test_settings_reach_the_config() -> None:
    settings = {"belter_count": 5, "max_parallel": 2, "timeout_seconds": 9.0, "max_cost": 0.5}
    config = make_orchestrator("cascade", settings).config
    assert config.model_fields_set == {
        "belter_count",
        "max_parallel",
        "timeout_seconds",
        "max_cost",
    }
    with pytest.raises(DefinitionError, match="belter_count=0 must be a whole number from 1"):
        make_orchestrator("cascade", {"belter_count": 0})


@pytest.mark.parametrize("name", ["graph", "make", "make_orchestrator", "cascade", "Holder.graph"])
def test_a_graph_is_loaded_by_any_name_that_returns_one(users_module: str, name: str) -> None:
    assert load_graph(f"{users_module}:{name}").name in ("mine", "dream cascade")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{}:grap", "there is no 'grap'; did you mean 'graph'"),
        ("{}:number", "is a int; name a Graph"),
        ("{}:needs", "was called and failed: TypeError"),
        ("{}:breaks", "was called and failed: RuntimeError: inside"),
        ("{}_missing:graph", "cannot be imported: ModuleNotFoundError"),
        ("{}_broken:graph", "cannot be imported: ModuleNotFoundError: No module named 'nothing"),
        ("{}_leaves:graph", "cannot be imported: SystemExit: 3"),
        ("{}:", "does not have the form module:name"),
        (":graph", "does not have the form module:name"),
    ],
)
def test_anything_else_than_a_graph_is_an_error(
    users_module: str, target: str, message: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        load_graph(target.format(users_module))
    assert message in str(caught.value)
