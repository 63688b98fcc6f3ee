"""
The words of steps that a model does. No text of a run, no model's name.

What was found before comes first and the order last, for small models follow what they read last;
told to reply with nothing else, one of 135 million parameters said that it was ready to help.
"""

from __future__ import annotations

__all__ = ["DECIDE", "IMPROVE", "JUDGE", "LAST", "SCORE", "STEP"]

STEP = """\
{results}Task: {task}

Do this one step of the task: {step}. Write down all that it gives, in a paragraph or two."""

LAST = """\
{results}Task: {task}

Do the last step of the task: {step}. Write the complete answer to the task, in detail, with what \
is known from above."""

IMPROVE = """\
{results}Task: {task}

Write a complete answer to the task in detail, better than any answer above: correct what is wrong \
there and add what is missing."""

DECIDE = """\
Task: {task}

{question} Reply with one of these words: {choices}."""

JUDGE = """\
Task: {task}

Answer to it: {answer}

{question} Reply with one of these words: {choices}."""

SCORE = """\
Task: {task}

Answer to it: {answer}

Judge this answer. Reply in JSON with "reason": what is missing or wrong in it, in one sentence, \
and {fields}."""
