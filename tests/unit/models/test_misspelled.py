"""Model names that are one letter off a known one."""

from __future__ import annotations

import pytest

from dagorch import DefinitionError, DreamCascadeConfig, DreamCascadeOrchestrator, ProviderFactory
from dagorch.models.misspelled import intended_name
from dagorch.providers import Router

KNOWN = ["grok-3", "grok-3-mini", "gpt-4o", "gpt-4", "gpt-4o-mini", "claude-3-5-sonnet"]


@pytest.mark.parametrize(
    ("name", "intended"),
    [
        ("grokk-3", "grok-3"), ("grk-3", "grok-3"), ("gork-3", "grok-3"),
        ("grok-3-min", "grok-3-mini"),
        ("grok-3-mimi", "grok-3-mini"), ("claude-3-5-sonet", "claude-3-5-sonnet"),
    ],
)  # fmt: skip
def test_one_letter_off_is_a_slip(name: str, intended: str) -> None:
    assert intended_name(name, KNOWN) == intended


@pytest.mark.parametrize(
    "name",
    [
        "grok-3", "grok-4", "grok-3-mini-2", "gpt-4o-2024-11-20", "gpt-5o", "gpt-4p", "grok-33",
        "grok-3-fast", "claude-3-6-sonnet", "gpt-4o-mini-latest", "claude-3-5-sonnnnet",
    ],
)  # fmt: skip
def test_versions_and_other_names_are_not(name: str) -> None:
    assert intended_name(name, KNOWN) is None


def xai(**options: str) -> Router:
    return Router(ProviderFactory.get_provider("xai", api_key="k", **options))


def test_a_slip_is_refused_with_the_name_before_anything_is_sent() -> None:
    message = r"xai has no model 'grokk-3'; did you mean 'grok-3'\?.*write 'xai:grokk-3'"
    with pytest.raises(DefinitionError, match=message):
        xai().find("grokk-3")
    with pytest.raises(DefinitionError, match=message):
        xai(model="grokk-3").find()
    o = DreamCascadeOrchestrator(
        DreamCascadeConfig(belter_model="grokk-3"), ProviderFactory.get_provider("xai", api_key="k")
    )
    with pytest.raises(DefinitionError, match=message):
        o.graph("Why?").run_sync(provider=o._router)


def test_the_services_name_insists() -> None:
    assert xai().find("xai:grokk-3")[1] == "grokk-3"


def test_versions_are_sent() -> None:
    for model in ("grok-3-mini-2", "grok-9", "grok-3"):
        assert xai().find(model)[1] == model


def test_a_server_of_the_users_own_may_have_any_model() -> None:
    assert xai(base_url="https://proxy.example/v1").find("grokk-3")[1] == "grokk-3"
