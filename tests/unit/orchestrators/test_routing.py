"""Where a model runs, by name alone."""

from __future__ import annotations

import pytest

from dagorch import DefinitionError, ProviderFactory
from dagorch.orchestrators.routing import Place, Routing
from dagorch.testing import ScriptedProvider


class Own:
    """A user's own provider."""

    def complete(self, messages):
        return "ok"


def given(name: str) -> ScriptedProvider:
    return ScriptedProvider(name=name)


def at(url: str):
    return ProviderFactory.get_provider("openai", api_key="k", base_url=url)


CASES = [
    (given("xai"), None, Place("", "")),
    (given("xai"), "grok-3", Place("", "grok-3")),
    (given("xai"), "xai:grok-9", Place("", "grok-9")),
    (given("xai"), "gpt-4", Place("openai", "gpt-4")),
    (given("xai"), "groq:my-llama", Place("groq", "my-llama")),
    (given("xai"), "scripted", Place("", "scripted")),  # its own default
    (given("ollama"), "qwen2.5:7b", Place("", "qwen2.5:7b")),
    (given("ollama"), "gpt-4", Place("openai", "gpt-4")),
    (given("together"), "org/model", Place("", "org/model")),
    (Own(), "grok-3", Place("", "grok-3")),
    (Own(), "anything", Place("", "anything")),
    (Own(), "xai:grok-3", Place("xai", "grok-3")),
    (at("http://127.0.0.1:1/v1"), "my-own", Place("", "my-own")),
    (None, "grok-3", Place("xai", "grok-3")),
    (None, "anything", Place("", "anything")),
]


@pytest.mark.parametrize(("provider", "model", "place"), CASES, ids=str)
def test_a_model_has_its_place(provider: object, model: str | None, place: Place) -> None:
    assert Routing(provider).place(model) == place


def test_those_given_by_name_of_service_or_of_model_or_of_ones_own() -> None:
    groq, mine, special = given("groq"), Own(), given("openai")
    routing = Routing(given("xai"), {"groq": groq, "mine": mine, "gpt-4": special})
    assert routing.provider(routing.place("groq-llama")) is groq
    assert routing.place("mine:model-7") == Place("mine", "model-7")
    assert routing.provider(routing.place("gpt-4")) is special


@pytest.mark.parametrize("provider", [given("xai"), given("scripted")])
def test_a_name_that_tells_nothing_is_refused_by_a_service_that_knows_its_own(provider) -> None:
    with pytest.raises(DefinitionError, match="no provider is known for model 'my-own'"):
        Routing(provider).place("my-own")
    with pytest.raises(DefinitionError, match="no provider is known"):
        Routing(ProviderFactory.get_provider("openai", api_key="k")).place("my-own")


def test_a_missing_key_says_how_else_to_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MISTRAL_API_KEY", "MISTRAL_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    routing = Routing(given("vllm"))
    with pytest.raises(DefinitionError, match=r"MISTRAL_API_KEY.*write 'vllm:mistral-7b'"):
        routing.of_run([routing.place("mistral-7b")])


def test_one_provider_is_made_for_all_models_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    routing = Routing(given("xai"))
    first, second = (routing.provider(routing.place(model)) for model in ("gpt-4", "gpt-4o"))
    assert first is second


def test_without_any_provider_it_says_what_to_do() -> None:
    with pytest.raises(DefinitionError, match="no provider: give the orchestrator one"):
        Routing(None).of_run([Place()])


@pytest.mark.parametrize("wrong", [object(), Own, 3])
def test_what_cannot_be_a_provider_is_refused(wrong: object) -> None:
    with pytest.raises(DefinitionError, match="provider"):
        Routing(given("xai"), {"x": wrong})
