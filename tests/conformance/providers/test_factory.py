"""Every service by name, any base_url, errors for missing keys, one provider on two loops."""

from __future__ import annotations

import inspect
import os

import anyio
import pytest

from dagorch import DefinitionError, ProviderFactory
from tests.fake_services import FAKE_SERVICES, FakeService
from tests.servers import ModelServer

SERVICES = [
    "xai", "openai", "anthropic", "groq", "mistral", "gemini", "cohere", "perplexity",
    "huggingface", "ollama", "openrouter", "deepseek", "together",
]  # fmt: skip
ON_THIS_MACHINE = ["ollama"]
HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")) or name == "HF_TOKEN":
            monkeypatch.delenv(name)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_known_by_its_name(name: str) -> None:
    provider = ProviderFactory.get_provider(name, model="m", api_key="k", base_url=None)
    assert (provider.name, provider.default_model) == (name, "m")
    assert list(inspect.signature(ProviderFactory.get_provider).parameters)[:4] == [
        "name", "model", "api_key", "base_url",
    ]  # fmt: skip


@pytest.mark.local
def test_a_small_model_needs_no_key() -> None:
    assert ProviderFactory.get_provider("local").name == "local"


def test_the_scripted_provider_needs_no_key() -> None:
    assert ProviderFactory.get_provider("scripted").complete(HI).content == "Hi"


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ON_THIS_MACHINE])
def test_a_missing_key_is_an_error_that_names_its_variable(name: str) -> None:
    with pytest.raises(DefinitionError, match=r"no API key; set [A-Z_]+") as raised:
        ProviderFactory.get_provider(name)
    variable = str(raised.value).partition("set ")[2].split()[0].rstrip(",")
    missing = {info.name: info.missing for info in ProviderFactory.list_providers()}[name]
    assert variable in missing


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
def test_a_service_at_another_address_keeps_its_dialect_and_its_prices(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(service.answers(input_tokens=1_000, output_tokens=1_000)) as server:
        explicit = ProviderFactory.get_provider(
            service.name, model=service.model, base_url=server.url, api_key="k"
        )
        monkeypatch.setenv(f"{service.name.upper()}_BASE_URL", server.url)
        from_environment = ProviderFactory.get_provider(service.name, model=service.model)
        costs = {provider.complete(HI).cost for provider in (explicit, from_environment)}
        server.wait_until(lambda s: s.open == 0)
    assert [request.path for request in server.requests] == [service.path] * 2
    assert len(costs) == 1
    assert min(costs) > 0


def test_a_ready_provider_is_listed_as_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    ready = {info.name: info.ready for info in ProviderFactory.list_providers()}
    assert ready["gemini"]
    assert not ready["anthropic"]
    assert ready["scripted"]


@pytest.mark.parametrize("service", FAKE_SERVICES, ids=lambda service: service.name)
def test_one_object_works_across_two_event_loops(
    service: FakeService, anyio_backend_name: str
) -> None:
    with ModelServer(service.answers()) as server:
        provider = ProviderFactory.get_provider(
            service.name, model=service.model, base_url=server.url
        )
        for _ in range(2):
            answer = anyio.run(provider.acomplete, HI, backend=anyio_backend_name)
            assert answer.content == "Hello there"
            server.wait_until(lambda s: s.open == 0)
