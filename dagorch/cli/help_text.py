"""The help of each command, as it is printed; the options say theirs in `app.py`."""

from __future__ import annotations

from typing import Final

__all__ = ["GRAPH_HELP", "ROOT_HELP", "RUN_HELP", "SHOW_HELP", "VALIDATE_HELP"]

# `\b` on a line of its own keeps the lines of the paragraph after it.
ROOT_HELP: Final = """
Multi-agent LLM workflows as graphs: run one, draw one, see what it can run on.

\b
No key, no account: a small model inside this process answers.
  dagorch run cascade "How do bees find their way home?" --provider local
\b
With a key set, as OPENAI_API_KEY=..., and everything kept in a folder:
  dagorch run cascade "How do bees find their way home?" --out bees
\b
What would run, as a picture; needs no provider and no network:
  dagorch graph cascade -o cascade.svg
The same as text, here:
  dagorch show cascade
\b
A graph written by hand, checked, and run with a page of how it went:
  dagorch validate compare.yaml
  dagorch run compare.yaml "Tea or coffee?" --report run.html
\b
A project with a workflow of your own, and its test:
  dagorch new orchestrator second-opinion
\b
Exit codes: 0 completed, 1 failed, 2 wrong usage, 3 some agents failed,
4 the budget was reached, 130 interrupted.
"""
RUN_HELP: Final = """
Run a workflow and watch it.

\b
cascade: a plan of questions, a search for each, analyses, a synthesis.
swarm: agents that search real sources, read what was found, and cite it;
domains are arxiv, crossref, github, hackernews, news and wikipedia.
sequential: steps one after the other, each reading those before.
conditional: a question to the model picks one of two ways.
iterative: an answer improved on until it is good enough.
FILE: a graph in a .yaml or .json file; what it needs is given by --input.
MODULE:NAME: your own Graph or orchestrator, or a function that returns one.
\b
Examples:
  dagorch run cascade "Why is the sky blue?"
  dagorch run cascade "Tea or coffee?" --belter-count 5 --drummer-count 2
  dagorch run cascade "Compare heat pumps" --provider xai --max-cost 0.50
  dagorch run cascade "Why?" --model claude-3.5 --fallback-model gpt-4
  dagorch run cascade "Summarise RFC 9110" --base-url http://localhost:8000/v1
  dagorch run cascade "Why is the sky blue?" --json | jq .result
  dagorch run swarm "How do bees navigate?" --domains arxiv,wikipedia
  dagorch run swarm "What did we decide on heating?" --folder ~/notes
  dagorch run sequential "Tea or coffee?" --steps "research, weigh up, advise"
  dagorch run conditional "My code hangs" --condition "Is it about code?"
    --true-branch "List causes" --true-branch Advise --false-branch Reply
  dagorch run iterative "Explain DNS" --until "Is it simple enough?"
  dagorch run compare.yaml "Tea or coffee?" --input tone=formal
  dagorch run my_project.flows:compare "Tea or coffee?"
  dagorch run cascade "Why is the sky blue?" --report run.html
\b
The outcome goes to standard output, progress and errors to standard error.
On a terminal progress is a tree that folds, with the time and cost to expect;
in a pipe it is a line for each step.
Ctrl-C stops the run and shows what had finished.
"""
GRAPH_HELP: Final = """
Draw a workflow before it runs; without -o, print it as Mermaid.

\b
Patterns: cascade, swarm, sequential, conditional, iterative.
FILE is a graph in a .yaml or .json file; -o writes one, too.
MODULE:NAME is a Graph, an orchestrator, or a function that returns one.
Loops and maps are drawn as frames, what only a run will tell as placeholders.
Nothing is run.
\b
Examples:
  dagorch graph cascade -o cascade.svg
  dagorch graph cascade --belter-count 8
  dagorch graph swarm --agents 3 --domains arxiv,news -o swarm.svg
  dagorch graph my_project.flows:compare -o compare.png
  dagorch graph cascade -o cascade.yaml
"""
VALIDATE_HELP: Final = """
Check a graph's file, and tell everything that is wrong with it.

\b
Each problem comes with file, line and column. Nothing is run, and nothing
that the file names is imported, unless its module was allowed.
\b
Examples:
  dagorch validate compare.yaml
  dagorch validate compare.yaml --allow my_project
  dagorch validate --schema > graph.schema.json
"""
SHOW_HELP: Final = """
Show a workflow as text, before it runs.

\b
A line for each node, after those that it waits for: a mark of its kind, its
name, what it is, and where its inputs come from. The edges run down on the
left; bodies of loops and maps are drawn below them, further in.
Arguments are those of 'dagorch graph'. Nothing is run.
\b
Examples:
  dagorch show cascade
  dagorch show swarm --agents 3 --domains arxiv,news
  dagorch show compare.yaml
  dagorch show my_project.flows:compare
"""
