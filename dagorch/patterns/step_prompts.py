"""
The words of steps that a model does. No text of a run, no model's name.

What was found before comes first and the order last, for small models follow what they read last.
"""

from __future__ import annotations

__all__ = ["DECIDE", "IMPROVE", "JUDGE", "LAST", "STEP"]

STEP = """\
{told}Task: {task}

Do this one step of the task: {step}. Reply with what this step gives, and nothing else."""

LAST = """\
{told}Task: {task}

Do the last step of the task: {step}. Reply with the complete answer to the task, and nothing \
else."""

IMPROVE = """\
{told}Task: {task}

Write a complete answer to the task, better than any answer above: put right what is wrong there \
and add what is missing. Reply with the answer, and nothing else."""

DECIDE = """\
Task: {task}

{question} Reply with one of these words: {choices}."""

JUDGE = """\
Task: {task}

Answer to it: {answer}

{question} Reply with one of these words: {choices}."""
