"""An engine for `FakeBackend` that always says the same answer, a byte a token, as vLLM 0.32 would: any ceiling cuts it
anywhere, even within a character, and what goes on with it begins where the prompt ends.

The faults of the real one are kept: text is held back while it ends within a character and is lost at the end; a prompt
that itself ends within one is said before the answer; stop strings are looked for in one generation alone.
"""

import codecs
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.backend import DONE, JSON, FakeBackend, Script, Seen, event

PROMPT = b"<the prompt>"
END = 256  # the token that ends the answer


class Bytewise:
    """Says `answer`. Without `tells_ids` it is another server than vLLM, without `reads_ids` it has no /detokenize.

    `parts` are the requests, as they came.
    """

    def __init__(self, answer: str, *, tells_ids: bool = True, reads_ids: bool = True, window: int = 10_000) -> None:
        self._answer, self._tells_ids, self._reads_ids = answer.encode(), tells_ids, reads_ids
        self._window = window
        self.parts: list[Seen] = []

    def into(self, fake: FakeBackend) -> None:
        fake.usual = self._chat
        fake.answers["/v1/completions"] = self._completion
        if self._reads_ids:
            fake.answers["/detokenize"] = self._detokenized

    def _chat(self, seen: Seen) -> Script:
        said = seen.body["messages"][-1]["content"].encode() if seen.body.get("continue_final_message") else b""
        return self._script(seen, PROMPT + said)

    async def _completion(self, seen: Seen) -> Script:
        prompt = seen.body["prompt"]
        return self._script(seen, prompt.encode() if isinstance(prompt, str) else bytes(prompt))

    async def _detokenized(self, seen: Seen) -> Script:
        text = bytes(seen.body["tokens"]).decode("utf-8", "replace")
        return Script((json.dumps({"prompt": text}).encode(),), headers=JSON)

    def _script(self, seen: Seen, prompt: bytes) -> Script:
        self.parts.append(seen)
        asked = seen.body.get("max_completion_tokens") or seen.body["max_tokens"]
        ceiling = min(asked, self._window - len(prompt))
        tokens = [*self._answer[len(prompt) - len(PROMPT) :], END][:ceiling]
        return Script((*self._chunks(seen.body, prompt, tokens), DONE))

    def _chunks(self, body: Mapping[str, Any], prompt: bytes, tokens: list[int]) -> Iterator[bytes]:
        texts = list(said(prompt, tokens))
        text, finish, reason = "".join(texts), "stop" if tokens[-1] == END else "length", None
        ends = [(text.find(stop) + len(stop), stop) for stop in body.get("stop") or () if stop in text]
        if ends:
            end, reason = min(ends)
            text, finish = text[: end if body.get("include_stop_str_in_output") else end - len(reason)], "stop"
            held = text
        else:
            longest = max(map(len, body.get("stop") or ()), default=1) - 1
            held = text[max(len(text) - longest, 0) :]
        prompted = list(prompt) if self._tells_ids and body.get("return_token_ids") else None
        chat = "messages" in body
        yield self._chunk(chat, "", [], len(prompt), 0, prompted)
        sent, told = "", text[: len(text) - len(held)]
        for count, token in enumerate(tokens, 1):
            last = count == len(tokens)
            upto = text if last else told[: len("".join(texts[:count]))]
            choice = {"finish_reason": finish, "stop_reason": reason} if last else {}
            ids = [token] if prompted else None
            yield self._chunk(chat, upto[len(sent) :], ids, len(prompt), count, None, **choice)
            sent = upto

    def _chunk(
        self, chat: bool, text: str, ids: list[int] | None, prompt: int, count: int, prompted: Any, **more: Any
    ) -> bytes:
        choice: dict[str, Any] = {"index": 0, "finish_reason": None, "token_ids": ids, **more}
        choice |= {"delta": {"content": text}} if chat else {"text": text, "prompt_token_ids": prompted}
        usage = {"prompt_tokens": prompt, "completion_tokens": count}
        whole = {"id": "c", "created": 1, "model": "tiny", "choices": [choice], "usage": usage}
        return event(whole | ({"prompt_token_ids": prompted} if chat else {}))


def said(prompt: bytes, tokens: list[int]) -> Iterator[str]:
    """The text that each token adds, as vLLM's detokenizer has it."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(prompt)
    within = bool(decoder.getstate()[0])
    for token in tokens:
        text = decoder.decode(bytes([token])) if token != END else ""
        if text and within:
            text, within = prompt.decode("utf-8", "ignore") + text, False
        yield text
