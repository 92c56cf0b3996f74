"""64 concurrent streams through one worker with 8 slots: each equals its serial greedy answer, token for token."""

import asyncio
from typing import Any

from house import House
from openai import AsyncOpenAI

PROMPTS = (
    [f"count from {a} to {a + 9 + a % 7}" for a in range(1, 25)]
    + [
        f"my name is {name} and I live in {place}"
        for name, place in zip(["Xavor", "Bolin", "Tamira", "Quess"], ["Lorim", "Vatosk", "Pelu", "Drann"], strict=True)
    ]
    + [f"say {word} {number}" for word, number in zip(["stone", "river", "cloud", "lamp"], (17, 408, 9, 5521), strict=True)]
    + ["hello", "Who are you?", "recite", "What is IAMINE?"]
)
ROUNDS = 64


async def answer(client: AsyncOpenAI, prompt: str) -> list[str]:
    """The answer's tokens, each as the text of its bytes."""
    messages: Any = [{"role": "user", "content": prompt}]
    stream = await client.chat.completions.create(
        model="mote",
        messages=messages,
        temperature=0,
        max_tokens=120,
        stream=True,
        logprobs=True,
        extra_body={"ignore_eos": True},
    )
    tokens: list[str] = []
    async for chunk in stream:
        for choice in chunk.choices:
            if choice.logprobs is not None and choice.logprobs.content is not None:
                tokens += [str(token.bytes) for token in choice.logprobs.content]
    return tokens


async def both(house: House) -> tuple[list[list[str]], list[list[str]]]:
    async with AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key, timeout=300, max_retries=0) as client:
        prompts = [PROMPTS[number % len(PROMPTS)] for number in range(ROUNDS)]
        serial = {prompt: await answer(client, prompt) for prompt in dict.fromkeys(prompts)}
        together = await asyncio.gather(*[answer(client, prompt) for prompt in prompts])
    return [serial[prompt] for prompt in prompts], list(together)


def test_64_streams_equal_their_serial_answers(shared: House) -> None:
    serial, together = asyncio.run(both(shared))
    assert all(len(tokens) > 100 for tokens in serial)
    different = [number for number in range(ROUNDS) if serial[number] != together[number]]
    assert different == []
    status = shared.status()
    assert (status["jobs"]["running"] if "jobs" in status else status["running"]) == 0
