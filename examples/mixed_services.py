"""
One graph on several services: each model's name finds the provider that serves it.

The providers are scripted and given by name, so this runs offline. `Router()` alone would make
them from the environment: `ANTHROPIC_API_KEY` for `claude-3.5`, `GROQ_API_KEY` for `groq-llama`.

Prints:
    xai: a bold claim
    groq: a quick check
    anthropic: a careful verdict
    told before the run: node 'ask': no provider is known for model 'cloude-3.5'
"""

from dagorch import LLM, Context, DefinitionError, Graph, Policy, Retry
from dagorch.errors import OverloadedError
from dagorch.providers import Router
from dagorch.testing import ScriptedProvider

router = Router(
    providers={
        "xai": ScriptedProvider("a bold claim", name="xai"),
        "openai": ScriptedProvider([OverloadedError("busy")], name="openai"),
        "anthropic": ScriptedProvider("a careful verdict", name="anthropic"),
        "groq": ScriptedProvider("a quick check", name="groq"),
    }
)
graph = Graph("debate")
graph.input("question", str)
claim = graph.add(LLM("claim", prompt="Claim something about {question}.", model="grok-3"))


@graph.function
async def check(claim: str, context: Context[None]) -> str:
    asked = [{"role": "user", "content": f"Is this so? {claim}"}]
    return (await context.acomplete(asked, model="groq-llama")).content


verdict = graph.add(
    LLM(
        "verdict",
        prompt="Weigh {claim} against {check}.",
        model="gpt-4",
        # Another service's model takes over where this one has failed for good.
        policy=Policy(retry=Retry(attempts=1), fallback_models=("claude-3.5",)),
    )
)


if __name__ == "__main__":
    result = graph.run_sync(question="bees", provider=router)
    for node in (claim, check, verdict):
        print(f"{result.get(node).bills[-1].service}: {result[node]}")

    wrong = Graph("wrong")
    wrong.add(LLM("ask", prompt="Well?", model="cloude-3.5"))
    try:
        wrong.run_sync(provider=router)
    except DefinitionError as error:  # with the nearest names
        print(f"told before the run: {str(error).partition(';')[0]}")
