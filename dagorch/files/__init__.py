"""Graphs as files: one format, written as YAML or JSON."""

from __future__ import annotations

from dagorch.files.dump import dump_graph
from dagorch.files.load import ENDINGS, load_graph, parse_graph
from dagorch.files.published import json_schema

__all__ = ["ENDINGS", "dump_graph", "json_schema", "load_graph", "parse_graph"]
