"""
Use models of several services in one graph: the router finds the provider of each model.

The providers are scripted, so this runs offline. `Router()` without arguments creates them from
the environment: `ANTHROPIC_API_KEY` for `claude-3.5`, `GROQ_API_KEY` for `groq-llama`.

Prints:
    xai: a bold claim
    groq: a quick check
    anthropic: a careful verdict
    refused before the run: node 'ask': no provider is known for model 'cloude-3.5'
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
    messages = [{"role": "user", "content": f"Is this true? {claim}"}]
    return (await context.acomplete(messages, model="groq-llama")).content


verdict = graph.add(
    LLM(
        "verdict",
        prompt="Weigh {claim} against {check}.",
        model="gpt-4",
        # A model of another service takes over after the last failure of this one.
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
    except DefinitionError as error:  # the full message suggests similar names
        print(f"refused before the run: {str(error).partition(';')[0]}")
