"""
Make a drawing of a graph, or of a finished run of it.

Before a run each body is drawn once, with placeholders for nodes that only a run makes. After a run
every pass and item is drawn as it ran, up to a limit. Bodies nest without recursion.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

from dagorch.errors import DefinitionError
from dagorch.exporters.critical import critical_path
from dagorch.exporters.frames import frame_numbers, usage_with_frames
from dagorch.exporters.pictures import captions
from dagorch.exporters.pictures.collapse import collapse_similar
from dagorch.exporters.pictures.drawing import Arrow, Box, Cluster, Drawing
from dagorch.exporters.pictures.highlight import highlight_critical_path
from dagorch.graph.graph import Graph
from dagorch.graph.plan import EdgeRule, Plan
from dagorch.ids import FALLBACK, NodePath
from dagorch.models.result import End, NodeRun, Result
from dagorch.models.truncate import truncate_middle
from dagorch.nodes.base import Node
from dagorch.nodes.container import Loop, Map
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM

__all__ = ["draw"]

MAX_DEPTH: Final = 3
"""Bodies inside bodies; a deeper body is one box."""
MAX_SHOWN_ITEMS: Final = 8
"""Passes or items that are drawn if the body has one node."""
MAX_SHOWN_FRAMES: Final = 4
"""The same for larger bodies."""
MAX_BOXES: Final = 400
"""With more boxes, no further body is drawn."""


def draw(graph: Graph, result: Result | None = None) -> Drawing:
    """
    Make the drawing of a graph, as planned, or with a result as it really unrolled.

    Raises:
        DefinitionError: The graph does not compile, or the result is of another graph.

    Cost: O(V + E), with a result also O(node runs).
    """
    unroller = _Unroller(graph, result)
    drawing = unroller.draw()
    highlight_critical_path(drawing, unroller.chain)
    collapse_similar(drawing)
    return drawing


@dataclass(frozen=True, slots=True)
class _Frame:
    """A plan to draw, and where."""

    plan: Plan
    prefix: str
    """Of the paths of its nodes."""
    cluster: str = ""
    depth: int = 0
    suffix: str = ""
    """Of each title: the item or pass."""
    is_entry: bool = True
    """Whether arrows into the cluster lead here."""
    is_exit: bool = True
    """Whether arrows out of the cluster start here."""
    is_fallback: bool = False


class _Unroller:
    """Makes one drawing, frame by frame."""

    def __init__(self, graph: Graph, result: Result | None) -> None:
        plan = graph.compile()
        self._ran = result is not None
        self._runs: Mapping[str, NodeRun] = result.node_runs if result is not None else {}
        self._expansions: Mapping[str, Any] = result.expansions if result is not None else {}
        if self._ran and not any(node.id in self._runs for node in plan.nodes):
            raise DefinitionError(
                f"the result is not of graph {graph.name!r}: it has none of its nodes; pass the "
                "graph that ran"
            )
        self._numbers = frame_numbers(self._runs)
        self._used = usage_with_frames(self._runs)
        self.chain = critical_path(result, graph) if result is not None else ()
        self._critical_frames = {
            run.frame for step in self.chain for run in NodePath(step.path).with_containers()
        }
        details = _takes(plan) if result is None else captions.outcome_lines(result, self.chain)
        self._drawing = Drawing(graph.name, details)
        self._agenda: deque[Callable[[], None]] = deque()
        self._add_later(_Frame(plan, ""))
        self._box_count = plan.size
        """Boxes that are drawn or on the agenda."""

    def draw(self) -> Drawing:
        while self._agenda:
            self._agenda.popleft()()
        return self._drawing

    # -- frames -----------------------------------------------------------------------------

    def _add_later(self, frame: _Frame) -> None:
        self._agenda.append(partial(self._add_frame, frame))

    def _add_frame(self, frame: _Frame) -> None:
        plan, prefix = frame.plan, frame.prefix
        for index, node in enumerate(plan.nodes):
            path = prefix + node.id
            if self._opens_body(frame, index, path):
                self._add_body(frame, index, node, path)
            elif self._opens_expansion(frame, node, path):
                self._add_expansion(frame, node, path)
            else:
                self._add_box(frame, index, node, path)
            if index in plan.fallbacks:
                self._add_fallback(frame, plan.fallbacks[index], path)
        cluster = self._drawing.clusters.get(frame.cluster)
        if cluster is not None and frame.is_entry:
            cluster.entries += [prefix + plan.nodes[i].id for i in plan.roots]
        if cluster is not None and frame.is_exit:
            cluster.exits += [prefix + plan.nodes[i].id for i in plan.outputs]
        self._add_arrows(plan, prefix)

    def _add_arrows(self, plan: Plan, prefix: str) -> None:
        drawn: dict[tuple[int, int], Arrow] = {}
        reader, slots = -1, set[int]()
        for edge in range(plan.edges):
            ends = plan.edge_source[edge], plan.edge_target[edge]
            if ends[1] != reader:  # edges are sorted by target
                reader, slots = ends[1], plan.slots_read(ends[1])
            waits_for_end = plan.edge_rules[edge] == EdgeRule.ANY_END
            label = "ended" if waits_for_end else " or ".join(sorted(plan.labels.get(edge, ())))
            arrow = drawn.get(ends)
            if arrow is not None:
                arrow.label = " or ".join(dict.fromkeys(filter(None, (arrow.label, label))))
                continue
            source, target = (prefix + plan.nodes[i].id for i in ends)
            carries_value = ends[0] in slots
            arrow = drawn[ends] = Arrow(
                source, target, label, dashed=not carries_value and (waits_for_end or not label)
            )
            arrow.dead = self._ran and not self._was_taken(source, target, waits_for_end)
            self._drawing.arrows.append(arrow)

    def _was_taken(self, source: str, target: str, waits_for_end: bool) -> bool:
        before, after = self._runs.get(source), self._runs.get(target)
        return (
            before is not None
            and (waits_for_end or before.end == "completed")
            and after is not None
            and (after.started_seconds is not None or after.end in ("completed", "failed"))
        )

    # -- nodes ------------------------------------------------------------------------------

    def _add_box(self, frame: _Frame, index: int, node: Node[Any], path: str) -> None:
        run = self._runs.get(path)
        details = [captions.kind_line(node)]
        kind = node.kind.value
        body = frame.plan.bodies.get(index)
        if body is not None and not isinstance(node, LLM):
            kind = "collapsed"
            if not self._ran:
                details.append(f"{captions.plural(body.size, 'node')} inside")
            elif isinstance(node, Loop | Map):
                details.append(captions.plural(len(self._frames(node, path)), _noun(node)))
        if run is not None:
            details += captions.run_lines(run, self._used.get(path))
        elif self._ran:
            details.append("not needed" if frame.is_fallback else "did not run")
        self._drawing.boxes[path] = Box(
            path,
            kind,
            truncate_middle(node.id) + frame.suffix,
            tuple(details),
            frame.cluster,
            _end(run),
            dashed=frame.is_fallback and run is None,
            tooltip=captions.tooltip(path, run),
            run=run,
        )

    def _frames(self, node: Node[Any], path: str) -> list[int]:
        """The numbers of the frames that a container opened; [-1] for a frame without a number."""
        found = self._numbers.get(path, ())
        if isinstance(node, Loop | Map):
            return [number for number in found if number >= 0]
        return [-1] if -1 in found else []

    def _opens_body(self, frame: _Frame, index: int, path: str) -> bool:
        """Whether to draw the body of a container; if so, count its boxes."""
        body, node = frame.plan.bodies.get(index), frame.plan.nodes[index]
        if body is None or frame.depth >= MAX_DEPTH:
            return False
        if self._ran:
            shown = min(len(self._frames(node, path)), _max_shown(body))
        else:
            shown = 0 if isinstance(node, LLM) else 1
        if not shown or self._box_count + shown * body.size > MAX_BOXES:
            return False
        self._box_count += shown * body.size
        return True

    def _add_body(self, frame: _Frame, index: int, node: Node[Any], path: str) -> None:
        """Add a cluster for the body of a loop, a map, a subgraph or an LLM node with tools."""
        body, run = frame.plan.bodies[index], self._runs.get(path)
        numbers = self._frames(node, path)
        repeats = isinstance(node, Loop | Map)
        if run is None:
            details = _repetition(frame.plan, index, node)
        else:
            count = [captions.plural(len(numbers), _noun(node))] if repeats else []
            details = captions.run_lines(run, self._used.get(path), *count)
        self._add_cluster(frame, node, path, details)
        if self._ran and repeats:
            self._add_repetitions(node, path, body, numbers, frame.depth + 1)
            return
        self._add_later(_Frame(body, f"{path}/", path, frame.depth + 1))
        if isinstance(node, Loop):
            self._drawing.arrows.append(Arrow(path, path, "again", dashed=True, back=True))

    def _add_repetitions(
        self, node: Node[Any], path: str, body: Plan, numbers: list[int], depth: int
    ) -> None:
        """Add the passes or items that ran, and one box for those beyond the limit."""
        is_map = isinstance(node, Map)
        limit = _max_shown(body)
        shown = self._most_relevant(path, body, numbers, limit) if is_map else numbers[:limit]
        rest = sorted({*numbers} - {*shown})
        previous = ""
        for number in shown:
            inner = f"{path}[{number}]"
            is_entry = is_map or number == shown[0]
            is_exit = is_map or (number == shown[-1] and not rest)
            if body.size == 1:
                current = f"{inner}/{body.nodes[0].id}"
                opened = _Frame(body, f"{inner}/", path, depth, f" [{number}]", is_entry, is_exit)
            else:
                current = inner
                title = f"{_noun(node)} [{number}]"
                self._drawing.clusters[inner] = Cluster(inner, "frame", title, parent=path)
                outer = self._drawing.clusters[path]
                outer.entries += [inner] if is_entry else []
                outer.exits += [inner] if is_exit else []
                opened = _Frame(body, f"{inner}/", inner, depth)
            self._add_later(opened)
            if not is_map and previous:
                self._drawing.arrows.append(Arrow(previous, current, "next"))
            previous = current
        if rest:
            self._agenda.append(partial(self._add_rest, node, path, body, rest, previous))

    def _most_relevant(self, path: str, body: Plan, numbers: list[int], limit: int) -> list[int]:
        """Choose the items to draw: at most half of them failed or critical, then the first."""
        if len(numbers) <= limit:
            return numbers

        def failed(number: int) -> bool:
            runs = self._output_runs(f"{path}[{number}]", body)
            return any(run.end == "failed" for run in runs)

        relevant = [number for number in numbers if failed(number)]
        relevant += [number for number in numbers if f"{path}[{number}]" in self._critical_frames]
        shown = dict.fromkeys(islice(dict.fromkeys(relevant), limit // 2))
        others = (number for number in numbers if number not in shown)
        return sorted([*shown, *islice(others, limit - len(shown))])

    def _output_runs(self, frame: str, body: Plan) -> list[NodeRun]:
        paths = (f"{frame}/{body.nodes[i].id}" for i in body.outputs)
        return [self._runs[path] for path in paths if path in self._runs]

    def _add_rest(
        self, node: Node[Any], path: str, body: Plan, rest: list[int], previous: str
    ) -> None:
        """Add one box for the passes or items beyond the limit."""
        counts: Counter[End] = Counter()
        for number in rest:
            ends = {run.end for run in self._output_runs(f"{path}[{number}]", body)}
            counts["completed" if "completed" in ends else min(ends, default="cancelled")] += 1
        box = Box(
            f"{path}[…]",
            "collapsed",
            f"… {captions.plural(len(rest), f'more {_noun(node)}')}",
            tuple(f"{count:,} {end}" for end, count in counts.most_common()),
            path,
            next(iter(counts)) if len(counts) == 1 else None,
        )
        self._drawing.boxes[box.id] = box
        outer = self._drawing.clusters[path]
        outer.exits.append(box.id)
        if isinstance(node, Map):
            outer.entries.append(box.id)
        else:
            self._drawing.arrows.append(Arrow(previous, box.id, "next"))

    def _opens_expansion(self, frame: _Frame, node: Node[Any], path: str) -> bool:
        return (
            isinstance(node, Function)
            and node.expand
            and frame.depth < MAX_DEPTH
            and (not self._ran or path in self._expansions)
        )

    def _add_expansion(self, frame: _Frame, node: Node[Any], path: str) -> None:
        """Add a node together with the graph that it returned or will return."""
        run = self._runs.get(path)
        cluster = self._add_cluster(
            frame, node, path, captions.run_lines(run) if run is not None else ()
        )
        inner, title = f"{path}/", truncate_middle(node.id) + frame.suffix
        details, tooltip = (captions.kind_line(node),), captions.tooltip(path, run)
        self._drawing.boxes[inner] = Box(
            inner, node.kind.value, title, details, path, _end(run), tooltip=tooltip
        )
        cluster.entries.append(inner)
        if self._ran:
            plan = self._expansions[path]
            self._add_later(_Frame(plan, inner, path, frame.depth + 1, is_entry=False))
            targets = [inner + plan.nodes[i].id for i in plan.roots]
        else:
            placeholder = f"{path}/…"
            self._drawing.boxes[placeholder] = Box(
                placeholder, "placeholder", "…", ("nodes made at run time",), path, dashed=True
            )
            cluster.exits.append(placeholder)
            targets = [placeholder]
        self._drawing.arrows += [Arrow(inner, target) for target in targets]

    def _add_fallback(self, frame: _Frame, plan: Plan, path: str) -> None:
        """Add the fallback of a node beside it, dashed unless it ran."""
        prefix = f"{path}{FALLBACK}/"
        first = prefix + plan.nodes[0].id
        target, cluster, depth = first, frame.cluster, frame.depth
        several = plan.size > 1
        if several:
            target = cluster = f"{path}{FALLBACK}"
            depth += 1
            title = truncate_middle(plan.name)
            self._drawing.clusters[target] = Cluster(
                target, "subgraph", title, ("fallback",), frame.cluster, dashed=True
            )
        self._add_later(
            _Frame(
                plan, prefix, cluster, depth, is_entry=several, is_exit=several,
                is_fallback=True,
            )
        )  # fmt: skip
        unused = self._ran and first not in self._runs
        self._drawing.arrows.append(Arrow(path, target, "on failure", dashed=True, dead=unused))

    def _add_cluster(
        self, frame: _Frame, node: Node[Any], path: str, details: tuple[str, ...]
    ) -> Cluster:
        kind = node.kind.value
        name = "expansion" if isinstance(node, Function) else captions.kind_name(kind)
        title = f"{name} {truncate_middle(node.id)}{frame.suffix}"
        end = _end(self._runs.get(path))
        cluster = Cluster(path, kind, title, details, frame.cluster, end)
        self._drawing.clusters[path] = cluster
        return cluster


def _end(run: NodeRun | None) -> End | None:
    return run.end if run is not None else None


def _max_shown(body: Plan) -> int:
    return MAX_SHOWN_FRAMES if body.size > 1 else MAX_SHOWN_ITEMS


def _noun(node: Node[Any]) -> str:
    return "pass" if isinstance(node, Loop) else "item"


def _repetition(plan: Plan, index: int, node: Node[Any]) -> tuple[str, ...]:
    """Describe how often a body will run, as far as the plan knows."""
    if isinstance(node, Loop):
        return (f"at most {captions.plural(node.max_iterations or 0, 'pass')}",)
    if not isinstance(node, Map):
        return ()
    for parameter, slot in plan.binders[index]:
        if parameter == node.parameter:
            names = [*(other.id for other in plan.nodes), *plan.inputs]
            return (f"for each item of {truncate_middle(names[slot])}",)
    return (f"for each of {captions.plural(plan.known_items(index) or 0, 'item')}",)


def _takes(plan: Plan) -> tuple[str, ...]:
    names = ", ".join(truncate_middle(name) for name in plan.inputs)
    return (f"takes {names}",) if names else ()
