"""
Pick one of two nodes with a branch, and join them with a merge.

The node behind the other label is skipped, and so is every node that needs it. The merge is not
skipped: it joins the values that there are.

Prints:
    completed: ['refund for order 17']
    answer: skipped, 'kind' did not pick 'question'
"""

from dagorch import Graph

graph = Graph("inbox")
graph.input("message", str)


def about_money(message: str) -> str:
    return "refund" if "money" in message else "question"


kind = graph.branch("kind", about_money, ["refund", "question"])


@graph.function(after=kind["refund"])
async def refund(message: str) -> str:
    return "refund for order " + message.split()[-1]


@graph.function(after=kind["question"])
async def answer(message: str) -> str:
    return "an answer to " + message


reply = graph.merge("reply", [refund, answer])

if __name__ == "__main__":
    result = graph.run_sync(message="I want my money back for order 17")
    print(f"{result.status}: {result[reply]}")
    print(f"answer: {result.get(answer).end}, {result.get(answer).reason}")
