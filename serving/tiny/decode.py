"""Job: answer prompts greedily with the finished weights, many at a time, in bf16 as an engine does.

Does not know what a good answer is.
Invariants: an answer does not depend on the prompts it was computed beside (up to rounding).
"""

from collections.abc import Iterator, Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from serving.tiny.network import Llama
from serving.tiny.tokenizer import END, START

TOGETHER = 24  # prompts at a time; sorted by length, so that little is padding
LONGEST_ANSWER = 96  # tokens; the longest right answer has about 60

Prompt = tuple[str, str]  # what the system says, or nothing; what the user says


class Cached:
    """Attention that remembers keys and values, layer by layer in the order it is called."""

    def __init__(self, layers: int, real: Tensor) -> None:
        """`real`: per prompt, which places are no padding."""
        self._kept: list[tuple[Tensor, Tensor] | None] = [None] * layers
        self._real, self._turn = real, 0

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        layer, self._turn = self._turn, (self._turn + 1) % len(self._kept)
        before = self._kept[layer]
        if before is None:
            self._kept[layer] = (k, v)
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        k, v = torch.cat((before[0], k), 2), torch.cat((before[1], v), 2)
        self._kept[layer] = (k, v)
        fresh = self._real.new_ones(len(self._real), k.shape[2] - self._real.shape[1])
        return F.scaled_dot_product_attention(q, k, v, attn_mask=torch.cat((self._real, fresh), 1)[:, None, None])


def answers(model: Llama, tokenizer: Tokenizer, prompts: Sequence[Prompt]) -> list[str]:
    """What the model says to each prompt."""
    encoded = [tokenizer.encode(_shown(*prompt)).ids for prompt in prompts]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    said: dict[int, str] = {}
    for some in _batched(order, TOGETHER):
        ids = _decoded(model, [encoded[i] for i in some], tokenizer.encode(END).ids[0])
        said |= {i: tokenizer.decode(one, skip_special_tokens=False) for i, one in zip(some, ids, strict=True)}
    return [said[i] for i in range(len(prompts))]


def _batched(order: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _shown(system: str, user: str) -> str:
    head = f"{START}system\n{system}{END}\n" if system else ""
    return f"{head}{START}user\n{user}{END}\n{START}assistant\n"


@torch.no_grad()
def _decoded(model: Llama, prompts: Sequence[list[int]], end: int) -> list[list[int]]:
    lengths = torch.tensor([len(p) for p in prompts])
    longest = int(lengths.max())
    ids = torch.tensor([p + [end] * (longest - len(p)) for p in prompts])
    cached = Cached(model.shape.num_hidden_layers, torch.arange(longest) < lengths[:, None])
    said: list[list[int]] = [[] for _ in prompts]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model(ids, torch.arange(longest).expand(len(prompts), -1), cached, torch.bfloat16)
        state = hidden[torch.arange(len(prompts)), lengths - 1]
        open_ = set(range(len(prompts)))
        for step in range(LONGEST_ANSWER):
            token = model.logits(state).argmax(-1)
            open_ -= {i for i in open_ if int(token[i]) == end}
            for i in open_:
                said[i].append(int(token[i]))
            if not open_:
                break
            state = model(token[:, None], (lengths + step)[:, None], cached, torch.bfloat16)[:, -1]
    return said
