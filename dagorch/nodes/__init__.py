"""The typed nodes a graph is made of."""

from dagorch.nodes.ask import Ask
from dagorch.nodes.base import Kind, Node
from dagorch.nodes.branch import Branch
from dagorch.nodes.container import Loop, Map, Subgraph
from dagorch.nodes.function import Context, Function
from dagorch.nodes.llm import LLM
from dagorch.nodes.merge import Merge

__all__ = [
    "LLM",
    "Ask",
    "Branch",
    "Context",
    "Function",
    "Kind",
    "Loop",
    "Map",
    "Merge",
    "Node",
    "Subgraph",
]
