"""Job: teach the model, easy before hard, and keep checkpoints so that a run can be taken up again.

Does not know the files of the finished model.
Invariants: what step n trains on depends on the seed and n alone; a run that was interrupted goes on where it
stopped.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from serving.tiny import batches, packs
from serving.tiny.guide import Guide
from serving.tiny.muon import Muon
from serving.tiny.network import Llama

INDUCTION_STEPS = 300  # a trial saw copying appear within 275
READY, MEMORY = 0.15, 0.95  # the level rises while this share of the answers is exact, as a moving average
RISE = 1 / 400  # a step
REPEATED = 24  # one batch in so many is repeated sequences, until the level is 1
DECAY_FROM = 0.82  # share of the run after which the rate falls, linearly, to LAST_RATE
MUON_RATE, ADAM_RATE, LAST_RATE, WARM_UP = 0.007, 1.5e-3, 0.02, 20
TOKENS = 5000  # in a batch; under a second on two cores
PAIRS = 8  # questions for one set of passages: the passages are read once for all of them
SPARE = 2  # of so many questions more, the longest are left out: all of a batch are padded to the longest
CHOICE_SHARE, CHOICE_PAIRS, CHOICE_LENGTH = 0.5, 16, 8  # in half of the pools twice as many questions, for the start of
# their answers only: where an answer starts is the hard part, and more is learned about it in the same time
LONGEST_PREFIX, LONGEST_BRANCH = 1000, 70  # tokens; longer examples are rare and pad everything beside them
POOL = 6  # batches drawn together and sorted by length
SAVE_EVERY, SHOW_EVERY = 100, 20


class Curriculum:
    """How hard the examples are: 0 to 1, rising only while the model keeps up."""

    def __init__(self, level: float = 0.0, exact: float = 0.0) -> None:
        self.level, self.exact = level, exact

    def saw(self, exact: float) -> None:
        self.exact = MEMORY * self.exact + (1 - MEMORY) * exact
        if self.exact >= READY:
            self.level = min(1.0, self.level + RISE)


class Step(NamedTuple):
    loss: Tensor
    exact: float  # share of the answers whose every token was the likeliest: what greedy decoding would get right
    chosen: float  # share whose sentence the middle layers knew


def rate_at(step: int, steps: int) -> float:
    """The factor on both learning rates."""
    falling = (step - DECAY_FROM * steps) / ((1 - DECAY_FROM) * steps)
    return min((step + 1) / WARM_UP, 1.0) if falling <= 0 else max(LAST_RATE, 1 - falling)


def repeated(rng: Random, step: int, vocabulary: int) -> batches.Batch:
    """Random sequences, each said twice: the second half can only be had by looking back at the first."""
    used = min(vocabulary, 300 + 10 * step)
    examples, unknown = [], [batches.UNKNOWN] * PAIRS
    for _ in range(16):
        shown = [[rng.randrange(3, used) for _ in range(rng.randint(16, 30))] for _ in range(PAIRS)]
        examples.append(
            batches.Example([0], [s + s for s in shown], [len(s) + 1 for s in shown], [batches.UNKNOWN], unknown)
        )
    return batches.collate(examples)


def examples(maker: packs.Maker, tokenizer: Tokenizer, level: float, choice: bool) -> Iterator[batches.Batch]:
    """Batches of one pool, sorted by length. `choice`: only the start of each answer, of more answers."""
    pool: list[batches.Example] = []
    pairs, length = (CHOICE_PAIRS, CHOICE_LENGTH) if choice else (PAIRS, LONGEST_BRANCH)
    while sum(_size(e) for e in pool) < POOL * TOKENS:
        example = _shortened(batches.encode(tokenizer, maker.pack(level, pairs + SPARE)), pairs, length)
        if len(example.prefix) <= LONGEST_PREFIX and max(map(len, example.branches)) <= LONGEST_BRANCH:
            pool.append(example)
    pool.sort(key=lambda e: len(e.prefix))
    groups: list[list[batches.Example]] = [[]]
    for example in pool:
        if groups[-1] and _size(example) * (len(groups[-1]) + 1) > TOKENS:
            groups.append([])
        groups[-1].append(example)
    yield from map(batches.collate, groups)


def _shortened(example: batches.Example, pairs: int, length: int) -> batches.Example:
    """The shortest `pairs` questions, each with `length` tokens of its answer at most."""
    cut = [b[: n + length] for b, n in zip(example.branches, example.prompts, strict=True)]
    kept = sorted(range(len(cut)), key=lambda i: len(cut[i]))[:pairs]
    return example._replace(
        branches=[cut[i] for i in kept],
        prompts=[example.prompts[i] for i in kept],
        choices=[example.choices[i] for i in kept],
    )


def _size(example: batches.Example) -> int:
    return len(example.prefix) + len(example.branches) * max(map(len, example.branches))


def stream(
    maker: packs.Maker, tokenizer: Tokenizer, curriculum: Curriculum, seed: int, step: int
) -> Iterator[tuple[batches.Batch, str]]:
    """The batches from `step` on, and what each is of. Each pool has its own seed, also after a resumption."""
    while True:
        rng = Random(f"{seed}/{step}")
        if step < INDUCTION_STEPS:
            yield repeated(rng, step, tokenizer.get_vocab_size()), "repeated"
            step += 1
            continue
        maker.reseed(rng)
        choice = rng.random() < CHOICE_SHARE
        group = list(examples(maker, tokenizer, curriculum.level, choice))
        rng.shuffle(group)
        for batch in group:
            other = curriculum.level < 1 and step % REPEATED == 0
            if other:
                yield repeated(rng, step, tokenizer.get_vocab_size()), "repeated"
            else:
                yield batch, "choice" if choice else "answers"
            step += 1


def learn(model: Llama, guide: Guide, batch: batches.Batch) -> Step:
    """Forward and backward."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states: list[Tensor] = []
        hidden = model(batch.ids, batch.positions, batches.Tree(batch), torch.bfloat16, states)
        logits = model.logits(hidden.flatten(0, 1)[batch.targets]).float()
        more, chosen = guide(states, batch)
        more = more + guide.pointing(model, states, batch)
    loss = (F.cross_entropy(logits, batch.labels, reduction="none") * batch.weights).sum() / batch.weights.sum()
    (loss + more).backward()
    answers = batch.ids.shape[0] * batch.branches
    missed = (logits.argmax(-1) != batch.labels).float()
    wrong = torch.zeros(answers + 1).index_add_(0, batch.owners, missed)[:answers]
    return Step(loss.detach(), (wrong == 0).float().mean().item(), chosen)


def train(model: Llama, maker: packs.Maker, tokenizer: Tokenizer, steps: int, seed: int, checkpoint: Path) -> None:
    matrices = [p for p in model.layers.parameters() if p.dim() == 2]
    guide = Guide(model.shape.hidden_size)
    others = [p for p in [*model.parameters(), *guide.parameters()] if not any(p is m for m in matrices)]
    muon, adam = Muon(matrices), torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0)
    curriculum = Curriculum()
    first = _resume(model, guide, muon, adam, curriculum, checkpoint)
    for layer in model.layers:
        layer.compile(dynamic=True)
    source, log = stream(maker, tokenizer, curriculum, seed, first), Log()
    for step in range(first, steps):
        batch, kind = next(source)
        done = learn(model, guide, batch)
        torch.nn.utils.clip_grad_norm_([*matrices, *others], 1.0)
        factor = rate_at(step, steps)
        muon.step(MUON_RATE * factor)
        adam.param_groups[0]["lr"] = ADAM_RATE * factor
        adam.step()
        model.zero_grad(set_to_none=True)
        guide.zero_grad(set_to_none=True)
        if kind == "answers":
            curriculum.saw(done.exact)
        log.add(kind, done)
        if (step + 1) % SHOW_EVERY == 0:
            log.show(f"step {step + 1} level {curriculum.level:.2f} rate {factor:.2f}")
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            _save(model, guide, muon, adam, curriculum, checkpoint, step + 1)


class Log:
    """The mean loss and exactness of each kind of batch since the last line."""

    def __init__(self) -> None:
        self._started, self._steps = time.monotonic(), defaultdict[str, list[Step]](list)

    def add(self, kind: str, step: Step) -> None:
        self._steps[kind].append(step)

    def show(self, where: str) -> None:
        parts = [f"{where} {time.monotonic() - self._started:.0f}s"]
        for kind, steps in sorted(self._steps.items()):
            loss, exact, chosen = (sum(column) / len(steps) for column in zip(*steps, strict=True))
            parts.append(f"{kind} {loss:.3f} {exact:.2f} {chosen:.2f}")
        print(" | ".join(parts), flush=True)
        self._steps.clear()


def _save(
    model: Llama, guide: Guide, muon: Muon, adam: torch.optim.AdamW, curriculum: Curriculum, path: Path, step: int
) -> None:
    state = {
        "model": model.state_dict(),
        "guide": guide.state_dict(),
        "muon": list(muon.momenta.values()),
        "adam": adam.state_dict(),
        "step": step,
        "curriculum": (curriculum.level, curriculum.exact),
    }
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def _resume(model: Llama, guide: Guide, muon: Muon, adam: torch.optim.AdamW, curriculum: Curriculum, path: Path) -> int:
    if not path.exists():
        return 0
    state = torch.load(path)
    model.load_state_dict(state["model"])
    guide.load_state_dict(state["guide"])
    adam.load_state_dict(state["adam"])
    for kept, saved in zip(muon.momenta.values(), state["muon"], strict=True):
        kept.copy_(saved)
    curriculum.level, curriculum.exact = state["curriculum"]
    return int(state["step"])
