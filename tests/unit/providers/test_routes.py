"""Names of models that no service may claim."""

from __future__ import annotations

import pytest

from dagorch.providers import route


@pytest.mark.parametrize(
    "model", ["deepseek-ai/DeepSeek-V3", "mistralai/Mixtral-8x7B", "openai/gpt-4o", "my/own"]
)
def test_a_name_with_an_owner_belongs_to_no_service(model: str) -> None:
    assert route(model) is None
    found = route(f"together:{model}")
    assert found is not None
    assert (found.provider, found.model) == ("together", model)
