"""Random answers that the engine's own grammar allows: far more of them, and stranger, than a model would write.

Run by the engine's interpreter (.venv-vllm), which has vLLM and xgrammar. Reads {"schema", "texts", "walks"} a line,
writes {"refused": reason or null, "answers": [text, ...], "accepts": [whether the grammar allows each of `texts`]}. A
token is one byte here: what a grammar allows does not depend on the vocabulary. A walk prefers to close what is open,
more so the longer it gets.
"""

import json
import random
import sys
from typing import Any

import numpy as np
import torch
import xgrammar
from vllm.v1.structured_output.backend_xgrammar import has_xgrammar_unsupported_json_features

END = 256
VOCABULARY = xgrammar.TokenizerInfo(
    [bytes([byte]) for byte in range(256)] + [b"</s>"], vocab_type=xgrammar.VocabType.RAW, stop_token_ids=[END]
)
STEPS = 3000
CLOSING, PLAIN = frozenset(b'"}]'), frozenset(range(0x20, 0x7F))


def judged(asked: dict[str, Any]) -> dict[str, Any]:
    schema = asked["schema"]
    try:
        if isinstance(schema, dict) and has_xgrammar_unsupported_json_features(schema):
            raise ValueError("vLLM: features not supported by xgrammar")
        compiled = xgrammar.GrammarCompiler(VOCABULARY, max_threads=2).compile_json_schema(
            json.dumps(schema), any_whitespace=False, separators=(",", ":")
        )
    except Exception as error:
        return {"refused": str(error).splitlines()[-1][:200], "answers": [], "accepts": []}
    walks = [_walk(compiled, random.Random(seed)) for seed in range(asked["walks"])]
    accepts = [_accepts(compiled, text) for text in asked["texts"]]
    return {"refused": None, "answers": [walk for walk in walks if walk is not None], "accepts": accepts}


def _accepts(compiled: xgrammar.CompiledGrammar, text: str) -> bool:
    matcher = xgrammar.GrammarMatcher(compiled)
    return bool(matcher.accept_string(text) and matcher.accept_token(END))


def _walk(compiled: xgrammar.CompiledGrammar, dice: random.Random) -> str | None:
    """None when it did not come to its end, or is no UTF-8."""
    matcher = xgrammar.GrammarMatcher(compiled)
    mask = xgrammar.allocate_token_bitmask(1, END + 1)
    haste = dice.choice((0.02, 0.2, 0.5))  # how soon it closes: a hasty one shows what may be missing
    said = bytearray()
    for step in range(STEPS):
        token = _next(matcher, mask, dice, haste + step / STEPS)
        if token is None or not matcher.accept_token(token):
            return None
        if token == END:
            return _text(said)
        said.append(token)
    return None


def _next(matcher: xgrammar.GrammarMatcher, mask: torch.Tensor, dice: random.Random, haste: float) -> int | None:
    matcher.fill_next_token_bitmask(mask)
    bits = np.unpackbits(mask.numpy().view(np.uint8), bitorder="little")[: END + 1]
    allowed = np.flatnonzero(bits).tolist()
    closing = [token for token in allowed if token in CLOSING or token == END]
    if closing and dice.random() < haste:
        return dice.choice(closing)
    plain = [token for token in allowed if token in PLAIN or token == END]
    return dice.choice(plain or allowed) if allowed else None


def _text(said: bytearray) -> str | None:
    try:
        return said.decode()
    except UnicodeDecodeError:
        return None


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(judged(json.loads(line))), flush=True)
