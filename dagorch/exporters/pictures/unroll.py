"""
From a graph, and a finished run of it if there is one, to a drawing. No format here.

Before a run a body is drawn once, with what only the run will tell as a placeholder; after it,
every pass and item as it ran, the first few of many. Bodies nest without recursion.
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
from dagorch.exporters.frames import frame_numbers, usage_with_inside
from dagorch.exporters.pictures import captions
from dagorch.exporters.pictures.collapse import gather
from dagorch.exporters.pictures.drawing import Arrow, Box, Cluster, Drawing
from dagorch.exporters.pictures.highlight import emphasise
from dagorch.graph.graph import Graph
from dagorch.graph.plan import LOOP, MAP, Plan
from dagorch.ids import NodePath
from dagorch.models.result import End, NodeRun, Result
from dagorch.models.truncate import truncate_middle
from dagorch.nodes.base import Node
from dagorch.nodes.container import Loop, Map
from dagorch.nodes.function import Function
from dagorch.nodes.llm import LLM

__all__ = ["draw"]

MAX_DEPTH: Final = 3
"""Bodies within bodies; what lies deeper is one box."""
MAX_SHOWN_ITEMS: Final = 8
"""Passes and items drawn of a body of one node; the rest is counted."""
MAX_SHOWN_FRAMES: Final = 4
"""The same for larger bodies."""
MAX_BOXES: Final = 400
"""Beyond this, no further body is unrolled."""


def draw(graph: Graph, result: Result | None = None) -> Drawing:
    """
    Make the drawing of a graph, or with a result of how it ran.

    Raises:
        DefinitionError: The graph does not compile, or the result is of another one.

    Cost: O(V + E), with a result also O(node runs).
    """
    artist = _Artist(graph, result)
    drawing = artist.draw()
    emphasise(drawing, artist.chain)
    gather(drawing)
    return drawing


@dataclass(frozen=True, slots=True)
class _Frame:
    """A plan to draw at a place."""

    plan: Plan
    prefix: str
    """Before a node's id in its path."""
    cluster: str
    depth: int
    mark: str = ""
    """After each title: which item or pass it is."""
    first: bool = True
    """Whether the cluster is entered here."""
    last: bool = True
    """Whether the cluster is left here."""
    fallback: bool = False


class _Artist:
    """One drawing in the making."""

    def __init__(self, graph: Graph, result: Result | None) -> None:
        self._plan = graph.compile()
        self._ran = result is not None
        self._runs: Mapping[str, NodeRun] = result.node_runs if result is not None else {}
        self._expansions: Mapping[str, Any] = result.expansions if result is not None else {}
        if self._ran and not any(node.id in self._runs for node in self._plan.nodes):
            raise DefinitionError(
                f"the result is not of graph {graph.name!r}, so it cannot be drawn"
            )
        self._numbers = frame_numbers(self._runs)
        self._used = usage_with_inside(self._runs)
        self.chain = critical_path(result, graph) if result is not None else ()
        self._on_chain = {
            run.frame for step in self.chain for run in NodePath(step.path).with_containers()
        }
        """The frames that the critical path goes through, `search[7]`."""
        details = (
            _inputs(self._plan) if result is None else captions.outcome_lines(result, self.chain)
        )
        self._drawing = Drawing(graph.name, details)
        self._todo: deque[Callable[[], None]] = deque()
        self._later(_Frame(self._plan, "", "", 0))
        self._planned = self._plan.size
        """Boxes drawn or certain to be."""

    def draw(self) -> Drawing:
        while self._todo:
            self._todo.popleft()()
        return self._drawing

    def _later(self, frame: _Frame) -> None:
        self._todo.append(partial(self._frame, frame))

    # -- frames -----------------------------------------------------------------------------

    def _frame(self, frame: _Frame) -> None:
        plan, prefix = frame.plan, frame.prefix
        for index, node in enumerate(plan.nodes):
            path = prefix + node.id
            if self._opens(frame, index, path):
                self._body(frame, index, node, path)
            elif isinstance(node, Function) and node.expand and self._expands(frame, path):
                self._expansion(frame, node, path)
            else:
                self._box(frame, index, node, path)
            if index in plan.fallbacks:
                self._fallback(frame, plan.fallbacks[index], path)
        cluster = self._drawing.clusters.get(frame.cluster)
        if cluster is not None and frame.first:
            cluster.entries += [prefix + plan.nodes[i].id for i in plan.sources]
        if cluster is not None and frame.last:
            cluster.exits += [prefix + plan.nodes[i].id for i in plan.outputs]
        self._edges(plan, prefix)

    def _edges(self, plan: Plan, prefix: str) -> None:
        drawn: dict[tuple[int, int], Arrow] = {}
        reader, read = -1, set[int]()
        for edge in range(plan.edges):
            ends = plan.edge_source[edge], plan.edge_target[edge]
            if ends[1] != reader:  # edges are sorted by target
                reader, read = ends[1], plan.slots_read(ends[1])
            label = " or ".join(sorted(plan.labels.get(edge, ())))
            arrow = drawn.get(ends)
            if arrow is not None:
                arrow.label = " or ".join(dict.fromkeys(filter(None, (arrow.label, label))))
                continue
            source, target = (prefix + plan.nodes[i].id for i in ends)
            carries = ends[0] in read
            arrow = drawn[ends] = Arrow(source, target, label, dashed=not carries and not label)
            arrow.dead = self._ran and not self._went(source, target)
            self._drawing.arrows.append(arrow)

    def _went(self, source: str, target: str) -> bool:
        before, after = self._runs.get(source), self._runs.get(target)
        return (
            before is not None
            and before.end == "completed"
            and after is not None
            and (after.started_seconds is not None or after.end in ("completed", "failed"))
        )

    # -- nodes ------------------------------------------------------------------------------

    def _box(self, frame: _Frame, index: int, node: Node[Any], path: str) -> None:
        run = self._runs.get(path)
        details = [captions.kind_line(node)]
        kind = node.kind.value
        body = frame.plan.bodies.get(index)
        if body is not None and not isinstance(node, LLM):
            kind = "collapsed"
            inside = len(self._inside(frame.plan.kinds[index], path))
            if not self._ran:
                details.append(f"{captions.plural(body.size, 'node')} inside")
            elif frame.plan.kinds[index] in (LOOP, MAP):
                details.append(captions.plural(inside, _noun(frame.plan.kinds[index])))
        if run is not None:
            details += captions.run_lines(run, self._used.get(path))
        elif self._ran:
            details.append("not needed" if frame.fallback else "did not run")
        self._drawing.boxes[path] = Box(
            path,
            kind,
            truncate_middle(node.id) + frame.mark,
            tuple(details),
            frame.cluster,
            run.end if run is not None else None,
            dashed=frame.fallback and run is None,
            tooltip=captions.tooltip(path, run),
            run=run,
        )

    def _opens(self, frame: _Frame, index: int, path: str) -> bool:
        """Whether the body of a container is drawn, rather than one box for all of it."""
        body = frame.plan.bodies.get(index)
        if body is None or frame.depth >= MAX_DEPTH:
            return False
        if not self._ran:
            shown = 0 if isinstance(frame.plan.nodes[index], LLM) else 1
        else:
            frames = self._inside(frame.plan.kinds[index], path)
            shown = min(len(frames), MAX_SHOWN_FRAMES if body.size > 1 else MAX_SHOWN_ITEMS)
        if not shown or self._planned + shown * body.size > MAX_BOXES:
            return False
        self._planned += shown * body.size
        return True

    def _inside(self, code: int, path: str) -> list[int]:
        """The numbers of the frames that a run opened under a container; [-1] for its only one."""
        found = self._numbers.get(path, ())
        if code in (LOOP, MAP):
            return [number for number in found if number >= 0]
        return [-1] if -1 in found else []

    def _body(self, frame: _Frame, index: int, node: Node[Any], path: str) -> None:
        """Put a cluster around the body of a loop, a map, a subgraph or an LLM node with tools."""
        code, body = frame.plan.kinds[index], frame.plan.bodies[index]
        run = self._runs.get(path)
        numbers = self._inside(code, path)
        if run is None:
            details = _plans(frame.plan, index, node)
        else:
            counted = [captions.plural(len(numbers), _noun(code))] if code in (LOOP, MAP) else []
            details = captions.run_lines(run, self._used.get(path), *counted)
        self._cluster(frame, node, path, details, run)
        if not self._ran or code not in (LOOP, MAP):
            self._later(_Frame(body, f"{path}/", path, frame.depth + 1))
            if code == LOOP:
                self._drawing.arrows.append(Arrow(path, path, "again", dashed=True, back=True))
            return
        few = MAX_SHOWN_FRAMES if body.size > 1 else MAX_SHOWN_ITEMS
        shown, rest = numbers[:few], numbers[few:]
        if code == MAP and rest:
            shown = self._telling(path, body, numbers, few)
            rest = sorted({*numbers} - {*shown})
        before = ""
        for number in shown:
            inner = f"{path}[{number}]"
            first = code == MAP or number == shown[0]
            last = code == MAP or (number == shown[-1] and not rest)
            if body.size == 1:
                place = f"{inner}/{body.nodes[0].id}"
                opened = _Frame(
                    body, f"{inner}/", path, frame.depth + 1, f" [{number}]", first, last
                )
            else:
                place = self._pass(path, inner, f"{_noun(code)} [{number}]", first, last)
                opened = _Frame(body, f"{inner}/", inner, frame.depth + 1)
            self._later(opened)
            if code == LOOP and before:
                self._drawing.arrows.append(Arrow(before, place, "next"))
            before = place
        if rest:
            self._todo.append(partial(self._more, path, code, body, rest, before))

    def _telling(self, path: str, body: Plan, numbers: list[int], few: int) -> list[int]:
        """The items to draw of many: half of them such that failed or that the run waited for."""

        def failed(number: int) -> bool:
            runs = self._outputs(f"{path}[{number}]", body)
            return any(run is not None and run.end == "failed" for run in runs)

        told = [number for number in numbers if failed(number)]
        told += [number for number in numbers if f"{path}[{number}]" in self._on_chain]
        shown = dict.fromkeys(islice(dict.fromkeys(told), few // 2))
        others = (number for number in numbers if number not in shown)
        return sorted([*shown, *islice(others, few - len(shown))])

    def _outputs(self, inner: str, body: Plan) -> list[NodeRun | None]:
        return [self._runs.get(f"{inner}/{body.nodes[i].id}") for i in body.outputs]

    def _pass(self, path: str, inner: str, title: str, first: bool, last: bool) -> str:
        """Put a cluster around one pass or item."""
        outer = self._drawing.clusters[path]
        self._drawing.clusters[inner] = Cluster(inner, "frame", title, parent=path)
        outer.entries += [inner] if first else []
        outer.exits += [inner] if last else []
        return inner

    def _more(self, path: str, code: int, body: Plan, rest: list[int], before: str) -> None:
        """Draw one box for the passes or items that are too many."""
        ends: Counter[End] = Counter()
        for number in rest:
            told = {run.end for run in self._outputs(f"{path}[{number}]", body) if run is not None}
            ends["completed" if "completed" in told else min(told, default="cancelled")] += 1
        box = Box(
            f"{path}[…]",
            "collapsed",
            f"… {captions.plural(len(rest), f'more {_noun(code)}')}",
            tuple(f"{count:,} {end}" for end, count in ends.most_common()),
            path,
            next(iter(ends)) if len(ends) == 1 else None,
        )
        self._drawing.boxes[box.id] = box
        outer = self._drawing.clusters[path]
        outer.exits.append(box.id)
        if code == MAP:
            outer.entries.append(box.id)
        else:
            self._drawing.arrows.append(Arrow(before, box.id, "next"))

    def _expands(self, frame: _Frame, path: str) -> bool:
        return frame.depth < MAX_DEPTH and (not self._ran or path in self._expansions)

    def _expansion(self, frame: _Frame, node: Node[Any], path: str) -> None:
        """Draw a node together with the graph that it gave, or will give."""
        run = self._runs.get(path)
        details = captions.run_lines(run) if run is not None else ()
        self._cluster(frame, node, path, details, run)
        inner = f"{path}/"
        title = truncate_middle(node.id) + frame.mark
        self._drawing.boxes[inner] = Box(
            inner, node.kind.value, title, (captions.kind_line(node),), path,
            run.end if run is not None else None, tooltip=captions.tooltip(path, run),
        )  # fmt: skip
        cluster = self._drawing.clusters[path]
        cluster.entries.append(inner)
        if self._ran:
            plan = self._expansions[path]
            self._later(_Frame(plan, inner, path, frame.depth + 1, first=False))
            targets = [inner + plan.nodes[i].id for i in plan.sources]
        else:
            placeholder = f"{path}/…"
            self._drawing.boxes[placeholder] = Box(
                placeholder, "placeholder", "…", ("nodes made at run time",), path, dashed=True
            )
            cluster.exits.append(placeholder)
            targets = [placeholder]
        self._drawing.arrows += [Arrow(inner, target) for target in targets]

    def _fallback(self, frame: _Frame, plan: Plan, path: str) -> None:
        """Draw what stands in for a node beside it, dashed unless it was needed."""
        depth = frame.depth
        place = cluster = frame.cluster
        if plan.size == 1:
            place = f"{path}/{plan.nodes[0].id}"
        else:
            place = cluster = f"{path}/[fallback]"
            depth += 1
            title = truncate_middle(plan.name)
            self._drawing.clusters[place] = Cluster(
                place, "subgraph", title, ("fallback",), frame.cluster, dashed=True
            )
        alone = plan.size > 1
        self._later(
            _Frame(plan, f"{path}/", cluster, depth, first=alone, last=alone, fallback=True)
        )
        unused = self._ran and f"{path}/{plan.nodes[0].id}" not in self._runs
        self._drawing.arrows.append(Arrow(path, place, "on failure", dashed=True, dead=unused))

    def _cluster(
        self,
        frame: _Frame,
        node: Node[Any],
        path: str,
        details: tuple[str, ...],
        run: NodeRun | None,
    ) -> None:
        word = "expansion" if isinstance(node, Function) else captions.kind_name(node.kind.value)
        title = f"{word} {truncate_middle(node.id)}{frame.mark}"
        self._drawing.clusters[path] = Cluster(
            path,
            node.kind.value,
            title,
            details,
            frame.cluster,
            run.end if run is not None else None,
        )


def _noun(code: int) -> str:
    return "pass" if code == LOOP else "item"


def _plans(plan: Plan, index: int, node: Node[Any]) -> tuple[str, ...]:
    """Say how often a body will run, as far as that is known."""
    if isinstance(node, Loop):
        return (f"at most {captions.plural(node.max_iterations or 0, 'pass')}",)
    if not isinstance(node, Map):
        return ()
    for parameter, slot in plan.binders[index]:
        if parameter == node.parameter:
            names = [*(other.id for other in plan.nodes), *plan.inputs]
            return (f"for each item of {truncate_middle(names[slot])}",)
    items: Any = plan.constants.get(index, {}).get(node.parameter)
    for binder in plan.collections.get(index, ()):
        if binder.parameter == node.parameter:
            items = binder.collection.items
    return (f"for each of {captions.plural(len(items), 'item')}",)


def _inputs(plan: Plan) -> tuple[str, ...]:
    names = ", ".join(truncate_middle(name) for name in plan.inputs)
    return (f"takes {names}",) if names else ()
