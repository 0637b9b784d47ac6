"""A backend that costs almost nothing: what the gateway needs of vLLM's HTTP, on bare asyncio, uvloop and httptools.

What it says is decided by the request: `max_completion_tokens` tokens, `seed` microseconds apart (a field that the
gateway passes on unchanged). Each token's text is the time at which it was sent (CLOCK_MONOTONIC, ns), so whoever
receives it on the same machine knows how long it was under way.

Not real: nothing is generated, and a chat's usage says PROMPT_TOKENS whatever was asked. Real: /tokenize counts with
the bundled model's own files, because the gateway checks its own counts against it at start; chunks have the shape and
the size of vLLM 0.32's (tests/fakes/transcripts), usage on each of them, and leave one write each.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import httptools
import orjson
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, from anywhere

from serving.conversation import PromptRefused
from serving.tokens import LocalTokens

MODEL_DIR = Path(__file__).resolve().parents[1] / "serving" / "tiny" / "model"
MODEL, WINDOW = "tiny", 4096
PROMPT_TOKENS = 64

HEAD = b'data: {"id":"chatcmpl-8e87a8837d3ad4a7","object":"chat.completion.chunk","created":1795314207,"model":"tiny",'
USAGE = b'"usage":{"prompt_tokens":%d,"total_tokens":%d,"completion_tokens":%d'
DETAILS = b',"completion_tokens_details":null}'
FIRST = (
    HEAD + b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],'
    + USAGE + DETAILS + b',"prompt_token_ids":null,"prompt_text":null}\n\n'
)  # fmt: skip
TOKEN = (
    HEAD + b'"choices":[{"index":0,"delta":{"content":"%d "},"logprobs":null,"finish_reason":%b,"token_ids":null}],'
    + USAGE + DETAILS + b"}\n\n"
)  # fmt: skip
LAST = (
    HEAD + b'"choices":[],' + USAGE + b',"prompt_tokens_details":{"cached_tokens":0,"created_cache_tokens":0}},'
    b'"system_fingerprint":"vllm-0.32.0-e316e5ec","metrics":{"time_to_first_token_ms":9.37548,'
    b'"generation_time_ms":14.282844,"queue_time_ms":0.035422,"mean_itl_ms":7.141422,"tokens_per_second":126.805}}\n\n'
)  # fmt: skip
DONE = b"data: [DONE]\n\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


class Stub(asyncio.Protocol):
    """One connection; its requests come one after the other."""

    def __init__(self, tokens: LocalTokens) -> None:
        self._tokens = tokens
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body = orjson.loads(self._body) if self._body else {}
        self._body.clear()
        match self._path:
            case b"/v1/chat/completions" if body.get("stream"):
                self._transport.write(STREAM)
                Answer(self._transport, self._loop, body["max_completion_tokens"], body.get("seed", 0) / 1e6).next()
            case b"/v1/chat/completions":
                self._whole(completion(body["max_completion_tokens"]))
            case b"/tokenize":
                self._loop.create_task(self._tokenize(body))
            case b"/v1/models":
                self._whole({"data": [{"id": MODEL, "max_model_len": WINDOW, "root": str(MODEL_DIR)}]})
            case _:
                self._whole({})

    async def _tokenize(self, body: dict[str, Any]) -> None:
        try:
            self._whole({"count": (await self._tokens.count(body)).tokens, "max_model_len": WINDOW})
        except PromptRefused as error:
            self._whole({"error": {"message": str(error), "type": "BadRequestError"}}, b"400 Bad Request")

    def _whole(self, value: object, status: bytes = b"200 OK") -> None:
        body = orjson.dumps(value)
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
        self._transport.write(head + body)


class Answer:
    """One streamed answer: a token each turn of the loop, or every `gap` seconds."""

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop, tokens: int, gap: float) -> None:
        self._transport, self._loop, self._tokens, self._gap = transport, loop, tokens, gap
        self._said = -1

    def next(self) -> None:
        self._said += 1
        if self._transport.is_closing():
            return
        if self._said > self._tokens:
            self._write(LAST % _usage(self._tokens), DONE, b"")
            return
        self._write(TOKEN % self._token() if self._said else FIRST % _usage(0))
        if self._gap:
            self._loop.call_later(self._gap, self.next)
        else:
            self._loop.call_soon(self.next)

    def _token(self) -> tuple[Any, ...]:
        return (time.monotonic_ns(), b'"stop"' if self._said == self._tokens else b"null", *_usage(self._said))

    def _write(self, *pieces: bytes) -> None:
        self._transport.write(b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces))


def completion(tokens: int) -> dict[str, Any]:
    """The same answer when it was not asked for as a stream."""
    text = f"{time.monotonic_ns()} " * tokens
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "tool_calls": []}
    total = PROMPT_TOKENS + tokens
    return {
        "id": "chatcmpl-8e87a8837d3ad4a7",
        "object": "chat.completion",
        "created": 1795314207,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop", "stop_reason": None}],
        "usage": {"prompt_tokens": PROMPT_TOKENS, "total_tokens": total, "completion_tokens": tokens},
    }


def _usage(tokens: int) -> tuple[int, int, int]:
    return PROMPT_TOKENS, PROMPT_TOKENS + tokens, tokens


async def serve(port: int) -> None:
    tokens = LocalTokens.load(MODEL_DIR)
    server = await asyncio.get_running_loop().create_server(lambda: Stub(tokens), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    uvloop.run(serve(parser.parse_args().port))
