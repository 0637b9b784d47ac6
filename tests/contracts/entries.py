"""A cached answer to put, and the vectors that a store has."""

from gateway.state import Answers, Entry

ENTRY = Entry("a", "p", b'{"x": 1}', 100.0, 200.0, b"\x00\xff" * 4, ("acme", "small"), "What is a token?")


async def vectors(answers: Answers, partition: str, at: float) -> dict[str, bytes]:
    return {key: vector async for page in answers.vectors(partition, at) for key, vector in page}
