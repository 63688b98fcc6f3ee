"""
What happens when the nodes of a random graph run: values, picks, failures, durations. No engine.

Everything follows from a seed and an address, never from the order of asking, so the engine under
test and the reference live in the same world.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagorch.errors import BadRequestError, InvalidOutputError, RateLimitedError

if TYPE_CHECKING:
    from tests.property.spec import NodeSpec

FOREVER = 1e6


def digest(*parts: object) -> int:
    """Return a number that is equal for equal inputs only."""
    return zlib.crc32(repr(parts).encode())


def shown(value: Any) -> Any:
    """Return a value with its errors made comparable; they are compared where they were raised."""
    if isinstance(value, BaseException):
        return "<error>"
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return value


@dataclass
class Act:
    """One attempt: how long it takes, how it ends, and what it does when it is asked to stop."""

    seconds: float
    end: str
    """`value`, `error`, or `graph` and `bad graph` of an expansion."""
    error: BaseException | None
    on_cancel: str
    """`stop`, `ignore` (ends as it would have), `value`, `error`."""
    latency: float

    def cancelled(self, started: float, now: float) -> tuple[float, str]:
        """Return when and how it ends if it is asked to stop now."""
        natural = started + self.seconds
        if self.on_cancel == "ignore" or now + self.latency >= natural:
            return natural, self.end
        if self.on_cancel == "stop":
            return now + self.latency, "stopped"
        end = self.on_cancel
        return now + self.latency, self.end if end == "value" and self.end in (
            "value",
            "graph",
        ) else end


class World:
    """
    Args:
        seed: All chance.
        instant: Whether evaluations take no time; else each takes a time of its own, so that no
            two things ever happen at once.
    """

    def __init__(self, seed: int, *, instant: bool) -> None:
        self.seed = seed
        self.instant = instant

    def _chance(self, *place: object) -> random.Random:
        return random.Random(f"{self.seed}/{place}")

    # -- user functions ----------------------------------------------------------------------

    def value(self, spec: NodeSpec, inputs: dict[str, Any]) -> Any:
        """Return the value of a function, a model or a person."""
        number = digest(spec.id, sorted((k, shown(v)) for k, v in inputs.items()))
        if spec.gives == "number":
            return number
        items = [number % 1000 + i for i in range(number % 4)]
        return items if spec.gives == "list" else dict.fromkeys(items)

    def pick(self, spec: NodeSpec, inputs: dict[str, Any]) -> Any:
        number = digest(spec.id, "pick", sorted((k, shown(v)) for k, v in inputs.items()))
        if spec.mood == "broken" or (spec.mood == "shaky" and number % 5 == 0):
            return "no such label" if number % 2 else 1 / 0
        labels = spec.labels
        chosen = [label for place, label in enumerate(labels) if number >> place & 1]
        return chosen if len(chosen) > 1 else labels[number % len(labels)]

    def fold(self, spec: NodeSpec, values: list[Any]) -> Any:
        number = digest(spec.id, "fold", shown(values))
        if spec.mood == "broken" or (spec.mood == "shaky" and number % 5 == 0):
            raise ArithmeticError(spec.id)
        return number

    def until(self, spec: NodeSpec, state: Any) -> Any:
        number = digest(spec.id, "until", shown(state))
        if spec.mood == "broken" or (spec.mood == "shaky" and number % 5 == 0):
            raise ArithmeticError(spec.id)
        return number % 3 == 0

    # -- time and failure --------------------------------------------------------------------

    def evaluation_seconds(self, path: str, purpose: str, times: int) -> float:
        return 0.0 if self.instant else self._chance(path, purpose, times).uniform(0.001, 0.05)

    def answer_seconds(self, spec: NodeSpec, path: str) -> float:
        """Return how long a person takes."""
        seconds = self._chance(path, "person").uniform(0.1, 3.0)
        return FOREVER + seconds if spec.mood == "hanging" else seconds

    def act(self, spec: NodeSpec, path: str, number: int) -> Act:
        """Return the act of an attempt."""
        chance = self._chance(path, number)
        mood = spec.mood
        seconds = chance.uniform(0.1, 2.0)
        if mood == "shaky":
            fails = number <= self._chance(path).randrange(4)
        elif mood == "mixed":
            fails = chance.random() < 0.3
            seconds += FOREVER * (chance.random() < 0.1)
        else:
            fails = mood == "broken"
            seconds += FOREVER * (mood == "hanging")
        end, error = "value", None
        if spec.kind == "expand":
            end = "graph"
        if fails:
            end, error = "error", self._error(chance)
            if spec.kind == "expand" and chance.random() < 0.5:
                end = "bad graph"
        on_cancel = chance.choices(
            ("stop", "ignore", "value", "error"), (6, 1 if seconds < 9 else 0, 1, 1)
        )[0]
        latency = chance.uniform(0.01, 0.3) if chance.random() < 0.7 else 0.0
        return Act(seconds, end, error or OSError("asked to stop"), on_cancel, latency)

    def _error(self, chance: random.Random) -> BaseException:
        kind = chance.randrange(6)
        if kind == 0:
            return RateLimitedError(
                "slow down", retry_after_seconds=chance.choice((0.25, 1.5, 90.0))
            )
        if kind == 1:
            return BadRequestError("malformed")
        if kind == 2:
            return InvalidOutputError("does not fit")
        return OSError("no") if kind < 5 else ValueError("no")
