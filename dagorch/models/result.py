"""The read-only result of a run: values, node runs, usage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, TypeVar, overload

from dagorch.errors import BudgetExceededError, ItemError, NodeEndError, did_you_mean
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
    """For example `refine[2]/critic`; see `NodePath`."""
    kind: str
    end: End
    ready_seconds: float | None
    """Since the start of the run; None if the node run was never ready."""
    started_seconds: float | None
    ended_seconds: float
    attempts: int
    """0 if the node never started, or is of a kind that makes no attempts."""
    usage: Usage = NOTHING_USED
    """The sum of the bills."""
    bills: tuple[Bill, ...] = ()
    """One per exchange, in the order they ended; failed attempts included."""
    error: BaseException | None = None
    """Why it failed, or the `BudgetExceededError` that it was skipped for."""
    recovered_from: BaseException | None = None
    """The failure that a fallback replaced."""
    reason: str = ""
    """Why it was skipped, blocked or failed."""

    @property
    def duration_seconds(self) -> float:
        """From the first start to the end; 0 if the node run never started."""
        return 0.0 if self.started_seconds is None else self.ended_seconds - self.started_seconds


@dataclass(frozen=True, slots=True)
class LoopRun:
    """The passes of a loop."""

    history: tuple[Any, ...]
    """The state after each pass; empty with `retain="outputs"`."""
    converged: bool
    iterations: int


class Result:
    """
    The result of a run.

    `result[ref]` is the value of a node, typed like the ref. For a node that did not complete it
    raises `NodeEndError` with the end and the reason. `result.get(ref)` returns its `NodeRun`.
    """

    __slots__ = (
        "_inner_values",
        "_loops",
        "_usage_by_model",
        "_values",
        "budget_error",
        "dropped_events",
        "duration_seconds",
        "expansions",
        "graph",
        "item_errors",
        "node_runs",
        "output",
        "run_id",
        "status",
        "usage",
    )  # fmt: skip

    def __init__(
        self,
        *,
        run_id: str,
        graph: Any,
        status: RunStatus,
        output: Any,
        values: Mapping[str, Any],
        inner_values: Mapping[str, Any],
        node_runs: Mapping[str, NodeRun],
        loops: Mapping[str, tuple[tuple[Any, ...], bool, int]],
        expansions: Mapping[str, Any],
        usage: Usage,
        usage_by_model: Mapping[str, Usage],
        duration_seconds: float,
        dropped_events: int = 0,
        budget_error: BudgetExceededError | None = None,
        item_errors: Mapping[str, ItemError] | None = None,
    ) -> None:
        self.run_id = run_id
        self.graph = graph
        self.status: RunStatus = status
        self.output = output
        """The value of the graph; None if it has none."""
        self._values = values
        self._inner_values = inner_values
        self._loops = loops
        self.node_runs = node_runs
        """Every node run by path, including those in bodies."""
        self.expansions = expansions
        """The plan of each graph that a node run returned, by the path of that node run."""
        self.usage = usage
        self._usage_by_model = usage_by_model
        self.duration_seconds = duration_seconds
        self.dropped_events = dropped_events
        """Events that slow listeners missed."""
        self.budget_error = budget_error
        """With `on_budget="finish"`: why the first call was not paid for; None if all were."""
        self.item_errors = {} if item_errors is None else item_errors
        """Why items of maps failed that the maps continued without, by path: `each[3]`."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle everything but the graph, whose functions may not pickle; read values by id."""
        fields = {
            "run_id": self.run_id,
            "graph": None,
            "status": self.status,
            "output": self.output,
            "values": dict(self._values),
            "inner_values": dict(self._inner_values),
            "node_runs": dict(self.node_runs),
            "loops": dict(self._loops),
            "expansions": {},
            "usage": self.usage,
            "usage_by_model": self.usage_by_model,
            "duration_seconds": self.duration_seconds,
            "dropped_events": self.dropped_events,
            "budget_error": self.budget_error,
            "item_errors": dict(self.item_errors),
        }
        return _rebuild, (fields,)

    @property
    def cost_usd(self) -> Decimal:
        return self.usage.cost_usd

    @property
    def over_budget(self) -> tuple[str, ...]:
        """The paths of the node runs that were skipped because the budget did not cover them."""
        return tuple(
            path
            for path, run in self.node_runs.items()
            if run.end == "skipped" and run.error is not None
        )

    def without_costs(self) -> Result:
        """Return a copy in which every cost is 0."""
        copy = object.__new__(Result)
        for name in Result.__slots__:
            setattr(copy, name, getattr(self, name))
        copy.usage = _without_cost(self.usage)
        copy._usage_by_model = {
            name: _without_cost(usage) for name, usage in self._usage_by_model.items()
        }
        copy.node_runs = {
            path: replace(
                run,
                usage=_without_cost(run.usage),
                bills=tuple(replace(bill, usage=_without_cost(bill.usage)) for bill in run.bills),
            )
            for path, run in self.node_runs.items()
        }
        return copy

    @property
    def usage_by_model(self) -> dict[str, Usage]:
        """The usage of each model by `service:model`, in order of first use; the sum is `usage`."""
        return dict(self._usage_by_model)

    @overload
    def __getitem__(self, ref: Ref[T]) -> T: ...
    @overload
    def __getitem__(self, ref: str) -> Any: ...
    def __getitem__(self, ref: Ref[Any] | str) -> Any:
        id = self._id(ref)
        if id in self._values:
            return self._values[id]
        if id in self._inner_values:
            return self._inner_values[id]
        run = self.node_runs[id]
        if run.end == "completed":
            raise NodeEndError(
                f"the value of node {id!r} was released after its last use; run with retain='all'",
                path=id,
            )
        end = "failed" if run.end == "failed" else f"was {run.end}"
        reason = f": {run.reason}" if run.reason else ""
        raise NodeEndError(f"node {id!r} {end}{reason}", path=id) from run.error

    def get(self, ref: Ref[Any] | str) -> NodeRun:
        """
        Return a node run. Raises `NodeEndError` if the run has no such node.

        `result.get("each[3]")` sums up the node runs of an item of a map, or of a loop's pass.
        """
        if isinstance(ref, str) and ref.endswith("]") and ref not in self.node_runs:
            run = self._frame_run(ref)
            if run is not None:
                return run
        return self.node_runs[self._id(ref)]

    def _frame_run(self, frame: str) -> NodeRun | None:
        """Sum up the node runs of a frame; None if the run has no such frame."""
        prefix = frame + "/"
        runs = [run for path, run in self.node_runs.items() if path.startswith(prefix)]
        if not runs:
            return None
        container = self.node_runs[runs[0].path[: frame.rindex("[")]]
        error = self.item_errors.get(frame)
        ends = {run.end for run in runs}
        end: End = "completed"
        if error is not None:
            end = "failed"
        elif container.end != "completed" and "completed" not in ends:
            end = "failed" if "failed" in ends else "cancelled"
        elif ends == {"skipped"}:
            end = "skipped"
        return NodeRun(
            path=frame,
            kind=container.kind,
            end=end,
            ready_seconds=min(
                (run.ready_seconds for run in runs if run.ready_seconds is not None), default=None
            ),
            started_seconds=min(
                (run.started_seconds for run in runs if run.started_seconds is not None),
                default=None,
            ),
            ended_seconds=max(run.ended_seconds for run in runs),
            attempts=0,
            usage=sum((run.usage for run in runs), NOTHING_USED),
            bills=tuple(bill for run in runs for bill in run.bills),
            error=error,
            reason="" if error is None else str(error),
        )

    def loop(self, ref: Ref[Any] | str) -> LoopRun:
        """Return the passes of a loop. Raises `NodeEndError` if it is not a loop that ended."""
        id = self._id(ref)
        if id not in self._loops:
            raise NodeEndError(f"{id!r} is not a loop that ended", path=id)
        return LoopRun(*self._loops[id])

    def __contains__(self, ref: Ref[Any] | str) -> bool:
        """Whether the node run completed and its value has not been released."""
        id = ref.id if isinstance(ref, Ref) else ref
        return id in self._values or id in self._inner_values

    @property
    def values(self) -> Mapping[str, Any]:
        """
        The value of each top-level node that completed, by id.

        `result["passes[2]/draft"]` reads values inside containers that did not complete.
        """
        return self._values

    def _id(self, ref: Ref[Any] | str) -> str:
        if isinstance(ref, Ref) and self.graph is not None and ref.graph is not self.graph:
            raise NodeEndError(
                f"{ref!r} belongs to graph {ref.graph.name!r}, but this is a result of "
                f"{self.graph.name!r}; read node runs inside bodies by path in result.node_runs"
            )
        id = ref.id if isinstance(ref, Ref) else ref
        if id not in self.node_runs and id not in self._loops:
            raise NodeEndError(f"there is no node run {id!r}{did_you_mean(id, self.node_runs)}")
        return id

    def __repr__(self) -> str:
        skipped = f"{len(self.over_budget)} over budget, " if self.budget_error else ""
        if self.item_errors:
            skipped += f"{len(self.item_errors)} items failed, "
        return (
            f"<Result {self.run_id} {self.status}: {len(self.node_runs)} node runs, {skipped}"
            f"{self.duration_seconds:.3f} s, ${self.usage.cost_usd}>"
        )


def _without_cost(usage: Usage) -> Usage:
    return Usage(
        usage.input_tokens,
        usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )


def _rebuild(fields: dict[str, Any]) -> Result:
    return Result(**fields)
