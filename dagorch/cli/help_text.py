"""The help texts of the commands. `options.py` and `app.py` have those of the options."""

from __future__ import annotations

from typing import Final

__all__ = ["GRAPH_HELP", "ROOT_HELP", "RUN_HELP", "SHOW_HELP", "VALIDATE_HELP"]

# `\b` on a line of its own keeps the line breaks of the paragraph below it.
ROOT_HELP: Final = """
Multi-agent LLM workflows as graphs: run them, draw them, see what they can run on.

\b
Without a key, on a small model on this machine:
  dagorch run cascade "How do bees find their way home?" --provider local

\b
With a key set, such as OPENAI_API_KEY, and everything saved to a folder:
  dagorch run cascade "How do bees find their way home?" --out bees

\b
Draw what would run; this needs no provider and no network:
  dagorch graph cascade -o cascade.svg
Or print it here as text:
  dagorch show cascade

\b
Check a graph file, run it, and write a report of the run:
  dagorch validate compare.yaml
  dagorch run compare.yaml "Tea or coffee?" --report run.html

\b
Start a project with a workflow of your own, and its test:
  dagorch new orchestrator second-opinion

\b
Exit codes: 0 completed, 1 failed, 2 wrong usage, 3 some agents failed,
4 the budget was reached, 130 stopped by Ctrl-C, 143 by SIGTERM.
"""
RUN_HELP: Final = """
Run a workflow and watch it.

\b
cascade: plan questions, search for each, analyse, write a synthesis.
swarm: agents search real sources, read the findings and cite them. The
domains are arxiv, crossref, github, hackernews, news and wikipedia.
sequential: steps one after another; each reads the ones before.
conditional: the answer to a question selects one of two branches.
iterative: improve an answer until it is good enough.
FILE: a graph in a .yaml or .json file; set its inputs with --input.
A graph that asks a person asks in the terminal, or takes --answer.
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
  dagorch run compare.yaml "Tea or coffee?" --answer approve=yes
  dagorch run my_project.flows:compare "Tea or coffee?"
  dagorch run cascade "Why is the sky blue?" --picture run.svg
  dagorch run cascade "Why is the sky blue?" --report run.html

\b
The answer alone goes to standard output; all else goes to standard error.
No file is written unless --out, --picture or --report asks for it.
On a terminal, progress is a tree with the time and the cost to expect;
in a pipe, it is one line for each step.
Ctrl-C stops the run, and prints and saves what has finished.
"""
GRAPH_HELP: Final = """
Draw a workflow before it runs; without -o, print it as Mermaid.

\b
The patterns are cascade, swarm, sequential, conditional and iterative.
FILE is a graph in a .yaml or .json file; -o can write one as well.
MODULE:NAME is a Graph, an orchestrator, or a function that returns one.
Loops and maps are drawn as frames. Parts that only a run determines are
drawn as placeholders. Nothing runs.

\b
Examples:
  dagorch graph cascade -o cascade.svg
  dagorch graph cascade --belter-count 8
  dagorch graph swarm --agents 3 --domains arxiv,news -o swarm.svg
  dagorch graph my_project.flows:compare -o compare.png
  dagorch graph cascade -o cascade.yaml
"""
VALIDATE_HELP: Final = """
Check a graph file and report every problem in it.

\b
Each problem has a file, a line and a column. Nothing runs. Modules that the
file names are imported only if --allow permits them; of the others, the
parameters of functions are read from their source.

\b
Examples:
  dagorch validate compare.yaml
  dagorch validate compare.yaml --allow my_project
  dagorch validate --schema > graph.schema.json
"""
SHOW_HELP: Final = """
Print a workflow as text, before it runs.

\b
Each node has one line, below the nodes that it waits for: a mark for its
kind, its name, what it is, and its inputs. The edges run down on the left.
The bodies of loops and maps are indented below their node.
It takes the arguments of 'dagorch graph'. Nothing runs.

\b
Examples:
  dagorch show cascade
  dagorch show swarm --agents 3 --domains arxiv,news
  dagorch show compare.yaml
  dagorch show my_project.flows:compare
"""
