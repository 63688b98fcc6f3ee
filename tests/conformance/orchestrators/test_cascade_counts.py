"""The counts are exact for any replies; shares wrap around."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from dagorch.models.llm import LLMRequest
from tests.conformance.doubles import calls, cascade, talking

REPLIES: dict[str, Any] = {
    "empty": "",
    "blank": " \n ",
    "garbage": "%%% {{{ ]] lorem",
    "one word": "yes",
    "a number": "42",
    "other language": {"questions": ["蜜蜂如何导航?", "太阳有什么作用?", "Как пчёлы танцуют?"]},
    "twice too many": {"questions": [f"What is number {n}?" for n in range(20)]},
    "too few": {"questions": ["What is the only one?"]},
    "all the same": {"questions": ["Why?"] * 9},
    "not texts": {"questions": [1, None, {"question": "What is in here?"}, ["And here, what?"]]},
    "another shape": {"topics": {"a": "What is a?", "b": "What is b?"}},
    "a bare list": json.dumps(["What is one?", "What is two?"]),
    "a numbered list": "Sure!\n1. What is one?\n2. What is two?\n3. What is three?",
    "very long": {"questions": ["What " + "is " * 2_000 + "it?"]},
}
COUNTS = [(1, 1, 1), (3, 2, 1), (2, 5, 1), (5, 2, 3), (1, 3, 2)]


@pytest.mark.parametrize("content", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("counts", COUNTS, ids=str)
async def test_node_runs_match_the_requested_counts(
    counts: tuple[int, int, int], content: Any
) -> None:
    def reply(request: LLMRequest) -> Any:
        return content

    belters, drummers, caminas = counts
    provider = talking(reply)
    o = cascade(provider, belter_count=belters, drummer_count=drummers, camina_count=caminas)
    result = await o.execute_workflow("How do bees find their way home?")
    assert result.status == "completed"
    runs = Counter(path.rpartition("_")[0] for path in result.run.node_runs if "_" in path)
    assert (runs["belter"], runs["drummer"], runs["camina"]) == counts
    made = calls(provider)
    assert (made["b"], made["d"], made["c"]) == counts
    assert made["p"] == (1 if caminas > 1 else 0)
    assert Counter(str(agent.agent_type) for agent in result.agent_results) == Counter(
        {"belter": belters, "drummer": drummers, "camina": caminas}
    )
    asked = result.metadata["questions"]
    assert len(asked) == len(set(asked)) == belters


async def test_each_belter_asks_its_own_question() -> None:
    provider = talking(lambda request: REPLIES["other language"] if request.json_schema else "ok")
    await cascade(provider, belter_count=3).execute_workflow("蜜蜂怎么回家?")
    asked = [r.messages[-1].content for r in provider.requests if r.model == "b"]
    for question in REPLIES["other language"]["questions"]:
        assert sum(question in text for text in asked) == 1


async def test_with_more_drummers_than_belters_the_shares_wrap_around() -> None:
    provider = talking(lambda request: f"by {request.messages[-1].content[-60:]}")
    o = cascade(provider, belter_count=2, drummer_count=5)
    graph = o.graph("Why?")
    reads = {
        drummer: [ref.id for ref in graph.entries[entry.bindings["findings"].id].sources]
        for drummer in range(1, 6)
        for entry in [graph.entries[f"drummer_{drummer}"]]
    }
    assert reads == {
        1: ["belter_1"], 2: ["belter_2"], 3: ["belter_1"], 4: ["belter_2"], 5: ["belter_1"],
    }  # fmt: skip
