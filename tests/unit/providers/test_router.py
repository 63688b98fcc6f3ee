"""Finding a model's provider: the default, one passed by name, one created, or none."""

from __future__ import annotations

import os
import threading
from typing import Any

import anyio
import pytest

from dagorch import DefinitionError, ProviderFactory
from dagorch.errors import DagorchError
from dagorch.models.llm import LLMRequest, LLMResponse
from dagorch.ports import Router as RouterPort
from dagorch.providers import Route, Router, ScriptedProvider, factory


class Own:
    """A user's own provider."""

    name = "own"

    def __repr__(self) -> str:
        return "Own()"

    def complete(self, messages: Any) -> str:
        return "ok"


def scripted(name: str, **options: Any) -> ScriptedProvider:
    return ScriptedProvider(name=name, **options)


def at(url: str) -> Any:
    return ProviderFactory.get_provider("openai", api_key="k", base_url=url)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")) or name == "HF_TOKEN":
            monkeypatch.delenv(name)


CASES = [
    (None, "grok-3", Route("xai", "grok-3")),
    (None, "gpt-4", Route("openai", "gpt-4")),
    (None, "claude-3.5", Route("anthropic", "claude-3.5")),
    (None, "groq-llama", Route("groq", "groq-llama")),
    (None, "gemini-2.5-flash", Route("gemini", "gemini-2.5-flash")),
    (None, "ollama:llama3.2:1b", Route("ollama", "llama3.2:1b")),
    (None, "openrouter:openai/gpt-4o", Route("openrouter", "openai/gpt-4o")),
    (None, "anything", None),
    (None, "", None),
    (scripted("xai"), "", Route("xai", "")),
    (scripted("xai"), "grok-3", Route("xai", "grok-3")),
    (scripted("xai"), "xai:grok-9", Route("xai", "grok-9")),
    (scripted("xai"), "gpt-4", Route("openai", "gpt-4")),
    (scripted("xai"), "groq:my-llama", Route("groq", "my-llama")),
    (scripted("xai"), "scripted", Route("xai", "scripted")),  # its own default
    (scripted("xai"), "my-own", None),
    (scripted("scripted"), "my-own", None),
    (scripted("ollama"), "qwen2.5:7b", Route("ollama", "qwen2.5:7b")),
    (scripted("ollama"), "gpt-4", Route("openai", "gpt-4")),
    (scripted("together"), "org/model", Route("together", "org/model")),
    (Own(), "grok-3", Route("own", "grok-3")),
    (Own(), "anything", Route("own", "anything")),
    (Own(), "xai:grok-3", Route("xai", "grok-3")),
    (at("http://127.0.0.1:1/v1"), "my-own", Route("openai", "my-own")),
]


@pytest.mark.parametrize(("default", "model", "found"), CASES, ids=str)
def test_a_models_name_decides_where_it_runs(default: Any, model: str, found: Route | None) -> None:
    assert Router(default).route(model) == found


@pytest.mark.parametrize(
    ("model", "service", "name"),
    [
        ("grok-3", "xai", "grok-3"),
        ("gpt-4", "openai", "gpt-4"),
        ("claude-3.5", "anthropic", "claude-3.5"),
        ("groq-llama", "groq", "groq-llama"),
        ("mistral:my-tuned", "mistral", "my-tuned"),
    ],
)
def test_each_name_finds_a_provider_created_from_the_environment(
    model: str, service: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{service.upper()}_API_KEY", "k")
    provider, known_as = Router().find(model)
    assert (provider.name, known_as) == (service, name)


def test_providers_by_the_name_of_a_service_a_model_or_the_users_own() -> None:
    groq, special = scripted("groq"), scripted("openai")
    router = Router(scripted("xai"), {"groq": groq, "mine": Own(), "gpt-4": special})
    assert router.find("groq-llama") == (groq, "groq-llama")
    assert router.find("gpt-4") == (special, "gpt-4")
    mine, model = router.find("mine:model-7")
    assert (mine.name, model) == ("own", "model-7")
    assert router.route("gpt-4") == Route("openai", "gpt-4")


def test_one_provider_is_created_for_all_models_of_a_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    router = Router(scripted("xai"))
    first, second = (router.find(model)[0] for model in ("gpt-4", "gpt-4o"))
    assert first is second is router.named("openai")[0]
    assert first.default_model == "gpt-4o-mini", "not the model that was found first"


def test_one_provider_is_created_for_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    created: list[str] = []

    def get_provider(name: str, model: str | None = None) -> ScriptedProvider:
        created.append(name)
        return scripted(name)

    monkeypatch.setattr(factory.ProviderFactory, "get_provider", get_provider)
    router, ready = Router(), threading.Barrier(8)

    def ask() -> None:
        ready.wait()
        router.find("grok-3")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert created == ["xai"]


def test_a_provider_by_its_name() -> None:
    house, groq = scripted("house"), scripted("groq")
    router = Router(house, {"fast": groq})
    assert router.named("house", "gpt-4") == (house, "gpt-4")
    assert router.named("fast") == (groq, "")
    ollama, model = router.named("ollama", "llama3.2:1b")
    assert (ollama.name, model) == ("ollama", "llama3.2:1b")


def test_a_model_without_a_route_stays_with_its_home_provider() -> None:
    together, house = scripted("together"), scripted("house")
    router = Router(house, {"together": together, "anthropic": scripted("anthropic")})
    assert router.find("my/own", "together") == (together, "my/own")
    assert router.find("claude-3.5", "together")[0].name == "anthropic"
    assert router.find("gpt-4", "together") == (together, "gpt-4"), "house claims no names"


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "nearest"),
    [
        ("gork-3", "'grok-3'"),
        ("gpt4", "'gpt-4'"),
        ("cloude-3.5", "'claude-3.5'"),
        ("gemni-2.5-flash", "'gemini-2.5-flash'"),
        ("opanai:gpt-4", "'openai:gpt-4'"),
        ("house-blent", "'house-blend'"),
        ("faast", "'fast'"),
    ],
)
def test_an_unknown_model_is_reported_with_the_nearest_names(model: str, nearest: str) -> None:
    router = Router(scripted("xai", default_model="house-blend"), {"fast": scripted("groq")})
    with pytest.raises(DefinitionError) as raised:
        router.find(model)
    message = str(raised.value)
    assert message.startswith(f"no provider is known for model {model!r}; did you mean {nearest}")
    assert "'provider:model' with one of: xai, fast, openai, anthropic" in message


@pytest.mark.parametrize("model", ["llama3.2:1b", "org/model", ":", "ollama:"])
def test_a_model_of_many_services_or_of_none_is_unknown(model: str) -> None:
    with pytest.raises(DefinitionError, match="no provider is known for model"):
        Router().find(model)


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("grok-3", "XAI_API_KEY"),
        ("gpt-4", "OPENAI_API_KEY"),
        ("claude-3.5", "ANTHROPIC_API_KEY"),
        ("groq-llama", "GROQ_API_KEY"),
        ("gemini:flash", "GEMINI_API_KEY or GOOGLE_API_KEY"),
    ],
)
def test_a_missing_key_is_named_with_its_variable(model: str, variable: str) -> None:
    with pytest.raises(DefinitionError, match=f"set {variable}"):
        Router().find(model)


def test_a_missing_key_suggests_the_default_provider() -> None:
    with pytest.raises(DefinitionError, match=r"MISTRAL_API_KEY.*write 'vllm:mistral-7b'"):
        Router(scripted("vllm")).find("mistral-7b")


def test_without_a_default_a_call_must_name_a_model() -> None:
    with pytest.raises(DefinitionError, match="no provider: a call that names no model needs one"):
        Router().find()


def test_an_unknown_provider_name_is_reported_with_the_nearest() -> None:
    with pytest.raises(DefinitionError, match="no provider is called 'fst'; did you mean 'fast'"):
        Router(providers={"fast": scripted("groq")}).named("fst")


def test_a_users_own_server_has_no_default_model() -> None:
    with pytest.raises(DefinitionError, match="'vllm' has no default model; write 'vllm:MODEL'"):
        Router().named("vllm")


@pytest.mark.parametrize("wrong", [object(), Own, 3])
def test_an_object_that_cannot_be_a_provider_is_refused(wrong: object) -> None:
    for make in (lambda: Router(wrong), lambda: Router(scripted("xai"), {"x": wrong})):
        with pytest.raises(DefinitionError, match="provider"):
            make()


@pytest.mark.local
def test_a_file_is_one_model_of_the_local_provider(tmp_path: Any) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF")
    provider, model = Router().find(f"local:{file}")
    assert (provider.name, model) == ("local", "mine")
    assert Router().find("smollm2-135m-instruct")[1] == "smollm2-135m-instruct"
    with pytest.raises(DagorchError, match=r"the path of a \.gguf file"):
        Router().find("local:gpt-4")


# -- closing --------------------------------------------------------------------------------------


class Closable(ScriptedProvider):
    """Counts how often it is closed, and may take its time."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.closed = 0
        self.closing = anyio.Event()
        self.may_close: anyio.Event | None = None

    async def aclose(self) -> None:
        self.closed += 1
        if self.may_close is not None:
            self.closing.set()
            await self.may_close.wait()

    async def exchange(self, request: LLMRequest, on_text: Any) -> LLMResponse:
        raise NotImplementedError


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> dict[str, Closable]:
    kept: dict[str, Closable] = {}

    def get_provider(name: str, model: str | None = None) -> Closable:
        return kept.setdefault(name, Closable(name))

    monkeypatch.setattr(factory.ProviderFactory, "get_provider", get_provider)
    return kept


async def test_the_last_run_closes_only_what_the_router_created(
    created: dict[str, Closable],
) -> None:
    mine = Closable("house")
    router = Router(mine)
    router.find("xai:grok-3")
    router.enter()
    router.enter()
    await router.leave()
    assert created["xai"].closed == 0
    await router.leave()
    assert (created["xai"].closed, mine.closed) == (1, 0)
    await router.aclose()
    assert (created["xai"].closed, mine.closed) == (2, 0)
    assert router.find("xai:grok-3")[0] is created["xai"], "it can be used again"


async def test_a_run_that_begins_during_closing_keeps_the_open_providers(
    created: dict[str, Closable],
) -> None:
    router = Router()
    router.find("grok-3")
    router.find("gpt-4")
    created["xai"].may_close = anyio.Event()
    router.enter()
    async with anyio.create_task_group() as group:
        group.start_soon(router.leave)
        await created["xai"].closing.wait()
        router.enter()
        created["xai"].may_close.set()
    assert (created["xai"].closed, created["openai"].closed) == (1, 0)
    await router.leave()
    assert (created["xai"].closed, created["openai"].closed) == (2, 1)


def test_each_event_loop_closes_for_itself(
    created: dict[str, Closable], anyio_backend_name: str
) -> None:
    router = Router()

    async def run() -> None:
        router.find("grok-3")
        router.enter()
        await router.leave()

    for turn in (1, 2):
        anyio.run(run, backend=anyio_backend_name)
        assert created["xai"].closed == turn


def test_the_embedded_model_stays_while_another_loop_uses_it(
    created: dict[str, Closable], anyio_backend_name: str
) -> None:
    router = Router()

    async def run() -> None:
        router.named("local")
        router.enter()

        async def elsewhere() -> None:
            router.enter()
            await router.leave()

        await anyio.to_thread.run_sync(lambda: anyio.run(elsewhere, backend=anyio_backend_name))
        assert created["local"].closed == 0
        await router.leave()

    anyio.run(run, backend=anyio_backend_name)
    assert created["local"].closed == 1


def test_it_implements_the_router_port() -> None:
    assert isinstance(Router(), RouterPort)
    assert not isinstance(scripted("xai"), RouterPort)
    assert repr(Router(scripted("xai"))) == "<Router <ScriptedProvider 'xai' model='scripted'>>"
