"""An answer that is there in part, and the request that goes on with it. Knows no stream and sends nothing.

By its tokens: the prompt's ids and the answer's, as the engine gave them, are the prompt of a text completion. The
engine goes on from exactly the state it stopped in; no chat template and no tokenizer reads anything again.
By its text, where the engine gives no ids (it is no vLLM): as the last message, vLLM's `continue_final_message`. The
tokenizer may cut the text into other tokens than were generated, and the model then goes on from a state that it never
was in: on the stand-in model, of answers in parts of 16 tokens one in a hundred (copied sentences) to one in eight
(rambling) is another than that made at once.

What cannot be gone on with in either way is said by `obstacle`.
"""

from collections.abc import Mapping
from typing import Any

from gateway.exchange import Prompt
from serving.backend import Backend
from serving.fields import COMPLETIONS, INT64
from serving.frozen import dataclass

INCOMPLETE = "\ufffd"  # what stands for the first bytes of a character
# Tokens of one character at most: UTF-8 has four bytes a character, and a tokenizer's token at least one byte. Bytes
# that make no character may be more; then nothing is gone on with.
HELD = 4

# The engine counts these over the tokens of one generation: in another part it would begin anew, or look back on
# nothing. `ignore_eos`: tokens after the model's own end say nothing that shows where the answer is.
_WITHIN = ("frequency_penalty", "presence_penalty", "bad_words", "repetition_detection", "ignore_eos")
_SENT = (COMPLETIONS.fields.keys() - {"logprobs", "max_completion_tokens"}) | {"model", "cache_salt"}


@dataclass(frozen=True, slots=True)
class Begun:
    """What there is of an answer: `text`, and `tokens` that were generated for it, by an alias on a backend of it.

    `ids` are the tokens to go on from, and `prompt` those before them, some of which may be the answer's too; without
    `ids` it is known by its text alone. The empty one is of an answer that is only about to begin.
    """

    alias: str = ""
    backend: str = ""
    text: str = ""
    tokens: int = 0
    prompt: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()


def obstacle(prompt: Prompt) -> str | None:
    """The field for which its answer cannot be gone on with; None where it can."""
    fields = prompt.fields
    if prompt.format.structured:
        return "response_format"
    if int(fields.get("n") or 1) > 1:
        return "n"
    if prompt.format.tools and fields.get("tool_choice") != "none":
        return "tools"  # a text completion has no parser that finds calls
    if prompt.text is None and fields.get("logprobs") is not None and fields["logprobs"] is not False:
        return "logprobs"  # a chat's are told in another shape than those of a text completion
    return next((name for name in _WITHIN if fields.get(name)), None)


def onward(body: Mapping[str, Any], begun: Begun, ceiling: int) -> dict[str, Any]:
    """The request that goes on, of that which began: `ceiling` tokens more at most."""
    more = dict(body)
    if begun.ids and not body.get("logprobs"):  # tokens that are held back at a cut would be told twice
        more = {name: value for name, value in body.items() if name in _SENT}
        more |= {"prompt": [*begun.prompt, *begun.ids], "max_tokens": ceiling}
    elif "prompt" in body:
        more["prompt"] = body["prompt"] + begun.text
    else:
        more["messages"] = [*body["messages"], {"role": "assistant", "content": begun.text}]
        more |= {"continue_final_message": True, "add_generation_prompt": False}
    if least := more.get("min_tokens"):
        more["min_tokens"] = max(least - begun.tokens, 0)
    if (seed := more.get("seed")) is not None:  # the same one would draw the same chances again
        more["seed"] = (seed + begun.tokens + INT64 + 1) % (2 * INT64 + 2) - INT64 - 1
    return more


async def shown(backend: Backend, model: str, ids: tuple[int, ...]) -> tuple[int, ...]:
    """The ids without those at the end whose text the engine still holds back: the first tokens of a character.

    They are generated again. With them at the end of a prompt, vLLM 0.32 would say that whole prompt before it says the
    character (its detokenizer has no text to begin after). None are left when nothing says where a character ends.
    Raises BackendError.
    """
    for held in range(min(HELD, len(ids))):
        whole = ids[: len(ids) - held]
        if not (await backend.detokenize(model, whole[-2 * HELD :])).endswith(INCOMPLETE):
            return whole
    return ()
