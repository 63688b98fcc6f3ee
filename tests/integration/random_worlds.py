"""Random graphs whose nodes sleep, call models and expand, and the resources they hold."""

from __future__ import annotations

import random
from typing import Any

import anyio

from dagorch import LLM, Context, Graph, Policy, Retry
from dagorch.errors import DagorchError, OverloadedError
from dagorch.testing import ScriptedProvider

__all__ = ["Boom", "World"]


class Boom(Exception):  # noqa: N818  a user's exception may have any name
    """A node's own error."""


class World:
    """A random graph that counts the resources its nodes hold, so that leaks are visible."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.plain = chance.random() < 0.3
        """Whether no node has a policy or fails, so that only the test can stop the run."""
        self.active = 0
        self.handle: Any = None
        self.stop_at = -1
        """The number of the node's step at which the run is cancelled from inside, or fails."""
        self.stop_how = ""
        self.steps = 0
        self.provider = ScriptedProvider(
            self._reply,
            latency_seconds=lambda request: self.chance.random(),
            max_concurrency=2,
            price_per_token=0.001,
            output_limit=20,
        )
        self.graph = self._graph(depth=2)

    def _reply(self, request: Any) -> str | Exception:
        if not self.plain and self.chance.random() < 0.2:
            return OverloadedError("503", status=503)
        return "a few words"

    # -- functions of nodes -------------------------------------------------------------------

    async def nap(self) -> int:
        self.active += 1
        try:
            for _step in range(self.chance.randrange(1, 4)):
                await anyio.sleep(self.chance.random())
                self._step()
            if not self.plain and self.chance.random() < 0.1:
                raise OSError("flaky")
            return self.chance.randrange(5)
        finally:
            self.active -= 1

    async def cleans_up(self) -> int:
        self.active += 1
        try:
            await anyio.sleep(self.chance.random())
            self._step()
            return 1
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.2)
            self.active -= 1

    async def asks(self, context: Context[Any]) -> str:
        self._step()
        response = await context.acomplete([{"role": "user", "content": "x"}], max_tokens=3)
        return response.content

    def asks_in_a_thread(self, context: Context[Any]) -> str:
        return context.complete([{"role": "user", "content": "x"}], max_tokens=3).content

    def works_in_a_thread(self) -> int:
        return sum(range(100))

    async def expands(self) -> Graph:
        self._step()
        return self._graph(depth=0)

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.stop_at:
            if self.stop_how == "failure":
                raise Boom(f"at step {self.steps}")
            self.handle.cancel("from inside")

    # -- graphs -------------------------------------------------------------------------------

    def _policy(self) -> Policy:
        chance = self.chance
        kind = chance.randrange(6)
        if self.plain:
            return Policy()
        if kind == 0:
            return Policy(retry=Retry(attempts=2, base_delay_seconds=1, on=(OSError, DagorchError)))
        if kind == 1:
            return Policy(attempt_timeout_seconds=0.1 + chance.random(), fallback=0)
        if kind == 2:
            return Policy(timeout_seconds=0.5 + chance.random(), on_error="continue")
        if kind == 3:
            return Policy(resources=("gpu",), fallback=0)
        if kind == 4:
            return Policy(on_error="continue", keep=True)
        return Policy(fallback=0)

    def _graph(self, depth: int) -> Graph:
        chance = self.chance
        graph = Graph(f"g{depth}")
        refs: list[Any] = []
        for number in range(chance.randrange(2, 7)):
            after = chance.sample(refs, k=min(len(refs), chance.randrange(3)))
            refs.append(self._node(graph, f"n{number}", after, depth))
        if len(refs) > 2:
            wait: Any = "all" if self.plain else chance.choice(["all", "any", 2])
            policy = Policy() if self.plain else Policy(fallback=0)
            sources = chance.sample(refs, k=2)
            tolerate = wait == "all"
            graph.merge("join", sources, wait=wait, tolerate_failures=tolerate, policy=policy)
        return graph

    def _node(self, graph: Graph, id: str, after: list[Any], depth: int) -> Any:
        chance = self.chance
        options: dict[str, Any] = {"id": id, "after": after, "policy": self._policy()}
        plain = chance.choice([self.nap, self.nap, self.cleans_up, self.asks])
        threaded = chance.choice([self.works_in_a_thread, self.asks_in_a_thread])
        kind = chance.randrange(9 if depth else 4)
        if kind == 2:
            return graph.add(
                LLM(id, prompt="Hi", policy=options["policy"], max_tokens=9), after=after
            )
        if kind == 3:
            return graph.function(threaded, **options)
        if kind < 4:
            return graph.function(plain, **options)
        if kind == 4:
            return graph.function(self.expands, expand=True, **options)
        if not self.plain:
            late = Policy(timeout_seconds=1 + chance.random(), fallback=0)
            options["policy"] = chance.choice([Policy(fallback=0), late, Policy()])
        body = self._graph(depth - 1)
        if kind == 5:
            return graph.subgraph(body, **options)
        if kind == 6:
            wrapper = Graph("item")
            wrapper.input("item")
            wrapper.subgraph(body, id="body")
            return graph.map(wrapper, over=range(3), on_item_error="collect", **options)
        if kind == 7:
            wrapper = Graph("state")
            wrapper.input("state")
            wrapper.subgraph(body, id="body")
            return graph.loop(id, wrapper, max_iterations=2, state=0, **_without_id(options))
        pick = graph.branch(f"{id}pick", lambda: chance.random() < 0.5, after=after)
        options["after"] = [*after, pick["true"]]
        return graph.function(plain, **options)


def _without_id(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "id"}
