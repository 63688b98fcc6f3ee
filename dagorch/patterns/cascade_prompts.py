"""
The words of a Dream Cascade: the prompt of each tier. No text of a run, no model's name.

They are short and end with the order, for a model of 135 million parameters reads them, too: it
follows what it read last, and with a system message of ours it talked about itself instead.
"""

from __future__ import annotations

__all__ = ["ANALYSE", "DECOMPOSE", "MERGE", "SEARCH", "SYNTHESISE", "SYNTHESISE_RESULTS"]

DECOMPOSE = """\
Task: {task}

Split it into {count} smaller questions, each about a different part of it. \
Reply in JSON: {{"questions": [...]}}"""

SEARCH = """\
Topic: {task}

{question}

Answer with facts, in one paragraph."""

ANALYSE = """\
{findings}

Based on the text above, answer: {task} Explain the main points and how they are connected."""

_ANSWER = """\
Write a detailed answer of three paragraphs or more to this question, using the notes: {task}"""

SYNTHESISE = "Notes:\n{analyses}\n\n" + _ANSWER

SYNTHESISE_RESULTS = "{results}" + _ANSWER

MERGE = """\
Drafts:
{reports}

Write one detailed answer of three paragraphs or more to this question, using the drafts and \
leaving out what they repeat: {task}"""
