"""The bound on the number of agents, for functions that a graph file may call with any number."""

from __future__ import annotations

from dagorch.errors import DefinitionError
from dagorch.models.config import MAX_AGENTS

__all__ = ["check_agent_count"]


def check_agent_count(count: int) -> None:
    """
    Check a number of agents, questions or shares.

    Raises:
        DefinitionError: It is above 10,000; a list of so many would fill the memory.
    """
    if count > MAX_AGENTS:
        raise DefinitionError(f"{count:,} agents are too many; at most {MAX_AGENTS:,} are possible")
