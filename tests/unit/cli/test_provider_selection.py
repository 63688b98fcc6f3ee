"""Providers: selected from the options and the environment, or refused with a reason."""

from __future__ import annotations

import pytest

from dagorch import DefinitionError
from dagorch.cli.provider_selection import select_provider
from dagorch.providers import SERVICES
from tests.servers import ModelServer, closed_port


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in SERVICES.values():
        for name in (*service.key_env, service.base_url_env):
            monkeypatch.delenv(name, raising=False)


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
        assert not server.requests  # only a connection was tried


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
