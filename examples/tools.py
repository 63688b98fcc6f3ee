"""
Give an LLM tools: it is called again with the result of each tool until it answers.

Each call and each tool run is a node run with a path of its own, and is metered. The model is
scripted, so this runs offline; with a real provider nothing else changes.

Prints:
    Take a coat: it is 4 degrees in Oslo.
    weather/rounds[0]/call
    weather/rounds[0]/tools[0]/tool
    weather/rounds[1]/call
"""

from dagorch import LLM, Graph
from dagorch.models.llm import LLMRequest, LLMResponse, ToolCall
from dagorch.testing import ScriptedProvider


def temperature(city: str) -> int:
    """Return the temperature in degrees Celsius."""
    return {"Oslo": 4, "Rome": 19}[city]


def script(request: LLMRequest) -> LLMResponse | str:
    """Call the tool first, then use its result, as a model does."""
    last = request.messages[-1]
    if last.role == "tool":
        return f"Take a coat: it is {last.content} degrees in Oslo."
    call = ToolCall("call-1", "temperature", '{"city": "Oslo"}')
    return LLMResponse("", "scripted", finish_reason="tool_calls", tool_calls=(call,))


graph = Graph("packing")
graph.input("city", str)
advice = graph.add(LLM("weather", prompt="Do I need a coat in {city}?", tools=(temperature,)))

if __name__ == "__main__":
    result = graph.run_sync(city="Oslo", provider=ScriptedProvider(script))
    print(result[advice])
    for path in result.node_runs:
        if path.endswith(("/call", "/tool")):
            print(path)
