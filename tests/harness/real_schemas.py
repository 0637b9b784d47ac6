"""Real-world schemas, asked through a gateway to a real vLLM: what comes back, held to the schema and to the lint.

The corpus is tests/proofs/schemas/real_world.jsonl.gz; the README beside it says whose schemas these are.
"""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs

from gateway.linting import lint
from serving.frozen import dataclass

CORPUS = Path(__file__).parents[1] / "proofs" / "schemas" / "real_world.jsonl.gz"
CEILING = 192  # tokens: most of a small model's random answers end before
AT_ONCE, PATIENCE_S = 8, 240.0
CLEAR = {(400, "invalid_value"), (502, "output_truncated"), (502, "output_invalid")}


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    schema: dict[str, Any]

    @property
    def foretold(self) -> Set[str]:
        """The severities of what the lint says, but advice."""
        return {note.severity for note in lint(self.schema)} - {"advice"}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    code: str | None
    text: str | None
    message: str


def corpus() -> list[Case]:
    """All 500, in their order."""
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Case(row["name"], row["schema"]) for row in rows]


def proven(url: str, key: str, cases: Sequence[Case]) -> Counter[str]:
    """How many got which status and code. Raises AssertionError: an answer that is not valid, an error that is not
    clear, a schema that the engine refused, and what the lint did not foretell."""
    counted = Counter[str]()
    for case, reply in zip(cases, asyncio.run(_asked(url, key, cases)), strict=True):
        told = f"{case.name}: {reply.status} {reply.code} {reply.message}"
        if reply.status == 200:
            assert reply.text is not None
            assert jsonschema_rs.is_valid(case.schema, json.loads(reply.text)), told
        else:
            assert (reply.status, reply.code) in CLEAR, told
            assert reply.message, told
        assert not _refused_by_engine(reply), told
        if reply.code == "output_invalid":
            assert case.foretold, told
        counted[f"{reply.status} {reply.code}"] += 1
    return counted


def _refused_by_engine(reply: Reply) -> bool:
    return reply.status == 400 and "The JSON Schema" not in reply.message


async def _asked(url: str, key: str, cases: Sequence[Case]) -> list[Reply]:
    places = asyncio.Semaphore(AT_ONCE)
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as client:
        return await asyncio.gather(*(_one(client, places, case) for case in cases))


async def _one(client: httpx2.AsyncClient, places: asyncio.Semaphore, case: Case) -> Reply:
    body = {
        "model": "small",
        "messages": [{"role": "user", "content": "Give an example."}],
        "max_tokens": CEILING,
        "seed": 1,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": case.schema}},
    }
    async with places:
        response = await client.post("/v1/chat/completions", json=body)
    said = response.json()
    if response.status_code == 200:
        return Reply(200, None, said["choices"][0]["message"]["content"], "")
    return Reply(response.status_code, said["error"]["code"], None, said["error"]["message"])
