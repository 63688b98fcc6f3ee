"""Models go to JSON and back without loss; public money is a float."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagorch import AgentResult, AgentType, OrchestratorResult, StreamEvent, SubTask, TaskStatus
from tests.conformance.doubles import by_tier, cascade, talking

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = TEXTS.filter(str.strip)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ROLES = st.sampled_from(AgentType) | TEXTS
AGENTS = st.builds(
    AgentResult, subtask_id=TEXTS, content=PLAIN, status=st.sampled_from(TaskStatus),
    agent_type=st.none() | ROLES, tokens_used=st.integers(0), cost=NUMBERS,
    metadata=st.dictionaries(TEXTS, PLAIN, max_size=2),
)  # fmt: skip
MODELS = st.one_of(
    AGENTS,
    st.builds(
        SubTask, id=NAMES, description=TEXTS, agent_type=st.sampled_from(AgentType) | NAMES,
        priority=st.integers(),
        dependencies=st.lists(TEXTS, max_size=3),
    ),
    st.builds(
        OrchestratorResult, task_id=TEXTS, status=st.sampled_from(TaskStatus), result=PLAIN,
        agent_results=st.lists(AGENTS, max_size=2), total_cost=NUMBERS, execution_time=NUMBERS,
        metadata=st.dictionaries(TEXTS, PLAIN, max_size=2),
    ),
)  # fmt: skip


@given(MODELS)
def test_models_survive_json(model: Any) -> None:
    text = model.model_dump_json()
    back = type(model).model_validate_json(text)
    assert back == model
    assert back.model_dump_json() == text


async def test_the_result_of_a_run_survives_json() -> None:
    result = await cascade(talking(by_tier, price_per_token=0.001)).execute_workflow("Why?")
    text = result.model_dump_json()
    back = OrchestratorResult.model_validate_json(text)
    assert back == result
    assert isinstance(back.total_cost, float)
    assert isinstance(back.agent_results[0].cost, float)
    assert "run" not in json.loads(text)
    assert back.run is None


@pytest.mark.parametrize(
    "odd", [{1, 2}, datetime(2030, 1, 1, tzinfo=UTC), object(), b"\xff", math.nan]
)
def test_values_that_json_cannot_hold_are_still_written(odd: object) -> None:
    json.loads(AgentResult("a", odd, metadata={"odd": odd}).model_dump_json())
    json.loads(OrchestratorResult("t", "completed", odd).model_dump_json())


def test_an_infinite_cost_survives_json() -> None:
    result = AgentResult("a", cost=math.inf)
    assert AgentResult.model_validate_json(result.model_dump_json()) == result


def test_an_event_survives_json() -> None:
    event = StreamEvent("task_started", "m", None, "t", datetime.now(UTC), {"a": [1]})
    assert StreamEvent.model_validate_json(event.model_dump_json()) == event
