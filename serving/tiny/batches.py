"""Job: turn packs into tensors, and attend so that every question of a pack sees the passages but no other question.

Does not know how packs are made or what is learned from them.
Invariants: a token's position and what it may see are exactly those of the plain prompt with one question, so a model
trained on packs is a plain causal model. One pass over the passages then teaches as many answers as the pack has
questions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor

from serving.tiny.packs import NOTHING, Pack
from serving.tiny.tokenizer import END, START

UNKNOWN = -100  # what torch's cross entropy leaves out
MOST_PASSAGES, MOST_SENTENCES = 6, 5
CLASSES = MOST_PASSAGES * MOST_SENTENCES + 1  # a sentence of a passage, or none
ASKED_FROM = 2  # "Question" and ":" ask nothing
UNSEEN = -1e4  # added to a score to hide a position; finite, so that a row of padding stays a number
CHOICE_WEIGHT, CHOICE_TOKENS = (
    2.0,
    4,
)  # the first tokens of an answer carry the choice, and so does the number at its end
PROSE_WEIGHT, PROSE_EVERY = 0.5, 4  # every fourth token of the passages is learned as well, for the words' sake


class Example(NamedTuple):
    """A pack as token ids."""

    prefix: list[int]
    branches: list[list[int]]
    prompts: list[int]  # how many tokens of each branch come before its answer
    places: list[int]  # per token of the prefix: the sentence it is in (`_place`)
    choices: list[int]  # per branch: the sentence that is its answer


class Batch(NamedTuple):
    ids: Tensor  # [packs, prefix + branches * length]
    positions: Tensor
    targets: Tensor  # the flat places whose next token is learned
    labels: Tensor
    weights: Tensor
    pointers: Tensor  # per target: the place in the prefix of the token to copy, or UNKNOWN
    owners: Tensor  # per target: which answer of the batch it belongs to; the number of answers for a passage's token
    prefix: int
    branches: int
    length: int
    places: Tensor  # [packs, prefix]: the sentence of each token, for `guide`
    choices: Tensor  # per answer: its sentence
    asking: Tensor  # the flat places of the questions' tokens
    askers: Tensor  # per such place: which answer of the batch it asks for
    prefix_bias: Tensor  # [packs, 1, 1, prefix]: hides the padding of shorter prefixes


def encode(tokenizer: Tokenizer, pack: Pack) -> Example:
    system = f"{START}system\n{pack.system}{END}\n" if pack.system else ""
    prompts = [f"{asked}{END}\n{START}assistant\n" for asked, _ in pack.pairs]
    answers = [f"{answer}{END}" for _, answer in pack.pairs]
    head = f"{system}{START}user\n"
    encoded = tokenizer.encode_batch([head + pack.before, *prompts, *answers])
    ids = [e.ids for e in encoded]
    asked = ids[1 : 1 + len(prompts)]
    return Example(
        ids[0],
        [p + a for p, a in zip(asked, ids[1 + len(prompts) :], strict=True)],
        [len(p) for p in asked],
        _places(pack, len(head), encoded[0].offsets),
        [_choice(pack, answer) for _, answer in pack.pairs],
    )


def _place(passage: int, sentence: int) -> int:
    """The class of a sentence; both counted from 0."""
    return passage * MOST_SENTENCES + sentence


def _places(pack: Pack, head: int, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The sentence of each token, UNKNOWN between sentences."""
    where, cursor = [UNKNOWN] * (head + len(pack.before) + 1), 0
    for n, passage in enumerate(pack.shown):
        for m, sentence in enumerate(passage.sentences):
            start = pack.before.index(sentence, cursor)
            cursor = start + len(sentence)
            where[head + start : head + cursor] = [_place(n, m)] * len(sentence)
    return [where[start] for start, _ in offsets]


def _choice(pack: Pack, answer: str) -> int:
    if not pack.shown:
        return UNKNOWN
    if answer == NOTHING:
        return CLASSES - 1
    number = int(answer[-2])
    return _place(number - 1, pack.shown[number - 1].sentences.index(answer[:-4]))


def collate(examples: Sequence[Example]) -> Batch:
    """Examples with the same number of branches, padded on the right."""
    prefix, count = max(len(e.prefix) for e in examples), len(examples[0].branches)
    length = max(len(b) for e in examples for b in e.branches)
    ids = torch.zeros(len(examples), prefix + count * length, dtype=torch.long)
    positions, bias = torch.zeros_like(ids), torch.zeros(len(examples), 1, 1, prefix)
    targets: list[int] = []
    labels: list[int] = []
    weights: list[float] = []
    owners: list[int] = []
    asking: list[int] = []
    pointers: list[int] = []
    askers: list[int] = []
    places = torch.full((len(examples), prefix), UNKNOWN)
    for row, example in enumerate(examples):
        seen = len(example.prefix)
        ids[row, :seen] = torch.tensor(example.prefix)
        positions[row, :prefix] = torch.arange(prefix).clamp(max=seen - 1)
        bias[row, ..., seen:] = UNSEEN
        places[row, :seen] = torch.tensor(example.places)
        prose = range(row % PROSE_EVERY, seen - 1, PROSE_EVERY)
        targets += [row * ids.shape[1] + i for i in prose]
        labels += [example.prefix[i + 1] for i in prose]
        weights += [PROSE_WEIGHT] * len(prose)
        owners += [len(examples) * count] * len(prose)
        pointers += [UNKNOWN] * len(prose)
        for n, (branch, prompt) in enumerate(zip(example.branches, example.prompts, strict=True)):
            start = prefix + n * length
            ids[row, start : start + len(branch)] = torch.tensor(branch)
            positions[row, start : start + length] = seen + torch.arange(length)
            flat = row * ids.shape[1] + start
            targets += range(flat + prompt - 1, flat + len(branch) - 1)
            asking += range(flat + ASKED_FROM, flat + prompt - 1)
            askers += [row * count + n] * (prompt - 1 - ASKED_FROM)
            labels += branch[prompt:]
            pointers += _pointers(example, branch[prompt:], example.choices[n])
            weights += _weights(len(branch) - prompt)
            owners += [row * count + n] * (len(branch) - prompt)
    return Batch(
        ids,
        positions,
        torch.tensor(targets),
        torch.tensor(labels),
        torch.tensor(weights),
        torch.tensor(pointers),
        torch.tensor(owners),
        prefix,
        count,
        length,
        places,
        torch.tensor([c for e in examples for c in e.choices]),
        torch.tensor(asking),
        torch.tensor(askers),
        bias,
    )


def _pointers(example: Example, answer: Sequence[int], choice: int) -> list[int]:
    """Where in the passages each token of the answer stands, as long as the two agree."""
    start = example.places.index(choice) if choice in example.places else len(example.prefix)
    places: list[int] = []
    for token, shown in zip(answer, example.prefix[start:], strict=False):
        if token != shown:
            break
        places.append(start + len(places))
    return places + [UNKNOWN] * (len(answer) - len(places))


def _weights(answer: int) -> list[float]:
    """The answer ends in ` [`, the number, `]` and the end token: the number is third from last."""
    weights = [CHOICE_WEIGHT if i < CHOICE_TOKENS else 1.0 for i in range(answer)]
    weights[-3] = CHOICE_WEIGHT
    return weights


class Tree:
    """Attention over a batch of packs: passages causally, each question over the passages and itself."""

    def __init__(self, batch: Batch) -> None:
        self._prefix, self._branches, self._length = batch.prefix, batch.branches, batch.length
        self._hidden = batch.prefix_bias.bfloat16()
        self._causal = _causal_bias(batch.prefix)
        self._own = _causal_bias(batch.length)

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        rows, heads, _, size = q.shape
        split = (rows, heads, self._branches, self._length, size)
        p, q = self._prefix, q * size**-0.5
        scores = q[:, :, :p] @ k[:, :, :p].transpose(-1, -2)
        passages = scores.add_(self._causal).softmax(-1) @ v[:, :, :p]
        over_passages = (q[:, :, p:] @ k[:, :, :p].transpose(-1, -2)).add_(self._hidden)
        over_own = (q[:, :, p:].reshape(split) @ k[:, :, p:].reshape(split).transpose(-1, -2)).add_(self._own)
        weights = torch.cat((over_passages, over_own.flatten(2, 3)), -1).softmax(-1)
        own = weights[..., p:].reshape(rows, heads, self._branches, self._length, self._length) @ v[:, :, p:].reshape(
            split
        )
        return torch.cat((passages, weights[..., :p] @ v[:, :, :p] + own.flatten(2, 3)), 2)


def _causal_bias(length: int) -> Tensor:
    return torch.full((length, length), UNSEEN, dtype=torch.bfloat16).triu(1)
