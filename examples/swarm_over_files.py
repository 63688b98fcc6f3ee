"""
Search a folder of documents with a Dream Swarm, without network or key.

Two agents share what the search finds in four small files. Each reads its part and cites it, and
the answer ends with the list of cited documents. A scripted provider replaces the model: it repeats
the first sentence of each text, and also cites `[9]`, which does not exist and is removed. Use
`ProviderFactory.get_provider("local")` or any other provider instead; nothing else changes.

Prints:
    completed
    A dance tells the others where to fly [1]. Bees take the sun for a compass [2].

    Sources:

    [1] Dances, 2024-05-01. dances.md
    [2] The sun compass, 2024-05-01. compass.md
    agent_1 cites dances.md
    agent_2 cites compass.md
    dropped: {'agent_1': ['[9]'], 'agent_2': ['[9]']}
"""

import os
import re
import tempfile
from pathlib import Path

import anyio

from dagorch import DreamSwarmConfig, DreamSwarmOrchestrator
from dagorch.models.llm import LLMRequest
from dagorch.providers import ScriptedProvider
from dagorch.sources import Files

DOCUMENTS = {
    "compass.md": "# The sun compass\n\nBees take the sun for a compass. Bees know where it is.",
    "dances.md": "# Dances\n\nA dance tells the others where to fly. Each bee may see it.",
    "bread.md": "# Bread\n\nFlour, water, salt and time.",
    "tides.txt": "The moon makes the tides.",
}


def write_documents(folder: Path) -> Path:
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, "utf-8")
        os.utime(folder / name, (1_714_564_800, 1_714_564_800))
    return folder


def reply(request: LLMRequest) -> str:
    prompt = request.messages[-1].content
    if "notes" in prompt:  # the synthesis gets what the agents wrote, as a list
        return " ".join(re.findall(r"^- (.+)$", prompt, re.MULTILINE))
    sentences = re.findall(r"^\[(\d)\] .+\n(?:# .+\n\n)?([^.]+)\.", prompt, re.MULTILINE)
    return " ".join(f"{text} [{number}]." for number, text in sentences) + " [9]"


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        swarm = DreamSwarmOrchestrator(
            DreamSwarmConfig(num_agents=2),
            ScriptedProvider(reply),
            sources={"files": Files(write_documents(Path(folder)))},
        )
        result = await swarm.execute_workflow("How do bees find their way, and tell each other?")
    print(result.status)
    print(result.result)
    for agent in result.agent_results:
        print(agent.subtask_id, "cites", *(cited["url"] for cited in agent.metadata["citations"]))
    print("dropped:", result.metadata["dropped_citations"])


if __name__ == "__main__":
    anyio.run(main)
