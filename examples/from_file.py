"""
Load a graph from a YAML file: a triage, two branches, a map, a loop and merges without Python.

The model is scripted, so this runs offline. Pass `provider=Router()` to use real models.

Prints:
    12 nodes
    Sorry about that! You pay 10 euros; change the address in your profile.
    11 node runs completed, 1 skipped
"""

from pathlib import Path

from dagorch.files import load_graph
from dagorch.testing import ScriptedProvider

graph = load_graph(Path(__file__).with_name("support.yaml"))

MODEL = ScriptedProvider(
    {
        "Say what kind it is": {
            "kind": "problem",
            "urgency": 9,
            "asks": ["What do I pay?", "How do I change my address?"],
        },
        "Answer in two sentences: What": "You pay 10 euros.",
        "Answer in two sentences: How": "In your profile.",
        "Apologise": "Sorry about that!",
        "Write a friendly reply": "We are really very sorry, and would like to tell you that...",
        "We are really very sorry": {"letter": "Sorry! You pay 10 euros.", "good": False},
        "Sorry! You pay 10 euros.": {
            "letter": "Sorry about that! You pay 10 euros; change the address in your profile.",
            "good": True,
        },
    }
)

if __name__ == "__main__":
    result = graph.run_sync(ticket="My invoice is wrong! And how do I change...", provider=MODEL)
    print(f"{len(graph)} nodes")
    print(result.output)
    ends = [run.end for path, run in result.node_runs.items() if "/" not in path]
    print(f"{ends.count('completed')} node runs completed, {ends.count('skipped')} skipped")
