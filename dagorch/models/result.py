"""
What a run of a graph came to: its values, its node runs, its bill. Read only.

Nothing here runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, TypeVar, overload

from dagorch.errors import NodeEndError, did_you_mean
from dagorch.models.ref import Ref
from dagorch.models.usage import NOTHING_USED, Bill, Usage

__all__ = ["End", "NodeRun", "Result", "RunStatus"]

T = TypeVar("T")

End = Literal["completed", "failed", "skipped", "blocked", "cancelled"]
RunStatus = Literal["completed", "partial", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class NodeRun:
    """One execution of a node."""

    path: str
    """Its address, `refine[2]/critic`."""
    kind: str
    end: End
    ready_seconds: float | None
    """Since the run's start; None if it never came so far."""
    started_seconds: float | None
    ended_seconds: float
    attempts: int
    """Tries made; 0 for what makes none or never started."""
    usage: Usage = NOTHING_USED
    """The sum of its bills."""
    bills: tuple[Bill, ...] = ()
    """Of every exchange, those of failed attempts too, as they ended."""
    error: BaseException | None = None
    """Why it failed."""
    recovered_from: BaseException | None = None
    """The failure that a fallback made good."""
    reason: str = ""
    """Why it was skipped, blocked or failed."""

    @property
    def duration_seconds(self) -> float:
        """From the first start to the end; 0 if it never started."""
        return 0.0 if self.started_seconds is None else self.ended_seconds - self.started_seconds


@dataclass(frozen=True, slots=True)
class LoopRun:
    """How a loop went."""

    history: tuple[Any, ...]
    """The state after each pass."""
    converged: bool

    @property
    def iterations(self) -> int:
        return len(self.history)


class Result:
    """
    What a run came to.

    `result[ref]` is a node's value, typed as the ref; it raises `NodeEndError`, which names the
    end and why, for a node that did not complete. `result.get(ref)` gives its `NodeRun`.
    """

    __slots__ = (
        "_left", "_loops", "_values", "dropped_events", "duration_seconds", "expansions", "graph",
        "node_runs",
        "output", "run_id", "status", "usage",
    )  # fmt: skip

    def __init__(
        self,
        *,
        run_id: str,
        graph: Any,
        status: RunStatus,
        output: Any,
        values: Mapping[str, Any],
        left: Mapping[str, Any],
        node_runs: Mapping[str, NodeRun],
        loops: Mapping[str, tuple[tuple[Any, ...], bool]],
        expansions: Mapping[str, Any],
        usage: Usage,
        duration_seconds: float,
        dropped_events: int = 0,
    ) -> None:
        self.run_id = run_id
        self.graph = graph
        self.status: RunStatus = status
        self.output = output
        """The graph's value; None if it has none."""
        self._values = values
        self._left = left
        self._loops = loops
        self.node_runs = node_runs
        """Every node run by path, those of bodies included."""
        self.expansions = expansions
        """The plan of each graph that a node run returned, by that node run's path."""
        self.usage = usage
        self.duration_seconds = duration_seconds
        self.dropped_events = dropped_events
        """Events that slow listeners missed."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the run came to; the graph stays behind with its functions, ids address."""
        facts = {
            "run_id": self.run_id,
            "graph": None,
            "status": self.status,
            "output": self.output,
            "values": dict(self._values),
            "left": dict(self._left),
            "node_runs": dict(self.node_runs),
            "loops": dict(self._loops),
            "expansions": {},
            "usage": self.usage,
            "duration_seconds": self.duration_seconds,
            "dropped_events": self.dropped_events,
        }
        return _rebuild, (facts,)

    @property
    def cost_usd(self) -> Decimal:
        return self.usage.cost_usd

    def without_costs(self) -> Result:
        """Give a copy that tells no dollars."""
        told = object.__new__(Result)
        for name in Result.__slots__:
            setattr(told, name, getattr(self, name))
        told.usage = _free(self.usage)
        told.node_runs = {
            path: replace(
                run,
                usage=_free(run.usage),
                bills=tuple(replace(bill, usage=_free(bill.usage)) for bill in run.bills),
            )
            for path, run in self.node_runs.items()
        }
        return told

    @property
    def usage_by_model(self) -> dict[str, Usage]:
        """What went to each model, by `service:model`, the first used first; `usage` in sum."""
        sums: dict[str, Usage] = {}
        for run in self.node_runs.values():
            for bill in run.bills:
                name = f"{bill.service}:{bill.model}"
                sums[name] = sums.get(name, NOTHING_USED) + bill.usage
        return sums

    @overload
    def __getitem__(self, ref: Ref[T]) -> T: ...
    @overload
    def __getitem__(self, ref: str) -> Any: ...
    def __getitem__(self, ref: Ref[Any] | str) -> Any:
        id = self._id(ref)
        if id in self._values:
            return self._values[id]
        if id in self._left:
            return self._left[id]
        run = self.node_runs[id]
        if run.end == "completed":
            raise NodeEndError(
                f"the value of node {id!r} was let go after its last reader; run with retain='all'",
                path=id,
            )
        why = f": {run.reason}" if run.reason else ""
        raise NodeEndError(f"node {id!r} was {run.end}{why}", path=id) from run.error

    def get(self, ref: Ref[Any] | str) -> NodeRun:
        """How a node ended. Raises `NodeEndError` if the run has no such node."""
        return self.node_runs[self._id(ref)]

    def loop(self, ref: Ref[Any] | str) -> LoopRun:
        """How a loop went. Raises `NodeEndError` if it is no loop, or did not end."""
        id = self._id(ref)
        if id not in self._loops:
            raise NodeEndError(f"{id!r} is not a loop that ended", path=id)
        return LoopRun(*self._loops[id])

    def __contains__(self, ref: Ref[Any] | str) -> bool:
        """Whether there is a value of that node run: it completed, and nothing let go of it."""
        id = ref.id if isinstance(ref, Ref) else ref
        return id in self._values or id in self._left

    @property
    def values(self) -> Mapping[str, Any]:
        """
        The value of each top-level node that completed, by id.

        `result["passes[2]/draft"]` has those inside of what did not complete.
        """
        return self._values

    def _id(self, ref: Ref[Any] | str) -> str:
        if isinstance(ref, Ref) and self.graph is not None and ref.graph is not self.graph:
            raise NodeEndError(
                f"{ref!r} belongs to graph {ref.graph.name!r}, this result to {self.graph.name!r}; "
                "node runs inside bodies are in result.node_runs, by path"
            )
        id = ref.id if isinstance(ref, Ref) else ref
        if id not in self.node_runs and id not in self._loops:
            raise NodeEndError(f"there is no node run {id!r}{did_you_mean(id, self.node_runs)}")
        return id

    def __repr__(self) -> str:
        return (
            f"<Result {self.run_id} {self.status}: {len(self.node_runs)} node runs, "
            f"{self.duration_seconds:.3f} s, ${self.usage.cost_usd}>"
        )


def _free(usage: Usage) -> Usage:
    return Usage(
        usage.input_tokens,
        usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )


def _rebuild(facts: dict[str, Any]) -> Result:
    return Result(**facts)
