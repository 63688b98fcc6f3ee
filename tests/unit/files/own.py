"""Functions and types of a user's module that files name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from dagorch import LLM, Graph


class Report(BaseModel):
    title: str

    @staticmethod
    def named(title: str) -> str:
        return title.upper()


class FailingError(ValueError):
    """A custom error."""


@dataclass(frozen=True, slots=True)
class Polite(LLM[str]):
    """A custom LLM node."""

    words: tuple[str, ...] = ()


def shout(text: str) -> str:
    return text.upper()


def scale(number: int, factor: int = 2) -> int:
    return number * factor


def both(values: list[Any]) -> Any:
    return values


def same(value: Any) -> Any:
    return value


def is_long(text: str) -> bool:
    return len(text) > 3


def enough(state: Any) -> bool:
    return len(state) > 3


def look_up(name: str) -> str:
    """Look a name up."""
    return name


tripled = partial(scale, factor=3)
join = os.path.join

graph = Graph("decorated")
word = graph.input("word", str)


@graph.function
async def decorated(word: str) -> str:
    return word
