"""Job: say, in training only, what the layers in the middle should know: a token of a passage, which sentence it is in;
a token of a question or an answer, which sentence is wanted; and where the last layer should look for the next word.

Does not know how any of it is found. Not part of the finished model.
Invariants: one head reads the middle layers, so that "the sentence I am in" and "the sentence I want" come to be
written the same way and the last layer can match them. Finding the sentence is the hard part of the task, and the words
of the answers alone teach it slowly: they say only which word comes next.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from serving.tiny.batches import CLASSES, UNKNOWN, Batch
from serving.tiny.network import Layer, Llama, rotated

SENTENCE_LAYER, QUESTION_LAYER, CHOICE_LAYER = 2, 3, 4  # of 0 to 5: read after them; the last is left to use the choice
SENTENCE_WEIGHT, QUESTION_WEIGHT, CHOICE_WEIGHT = 0.5, 0.5, 0.7  # beside 1 for the answers themselves
POINTER_WEIGHT, POINTING_HEADS = 1.0, 3  # one head of 32 numbers is too narrow to carry which of 4,096 tokens it saw


class Guide(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, CLASSES)

    def forward(self, states: Sequence[Tensor], batch: Batch) -> tuple[Tensor, float]:
        """The loss to add, and the share of the answers whose sentence is known before their first word."""
        inside = self._read(states[SENTENCE_LAYER][:, : batch.prefix].reshape(-1, states[0].shape[-1]))
        wanted = torch.cat((batch.choices, torch.tensor([UNKNOWN])))[batch.owners]
        chosen = self._read(states[CHOICE_LAYER].flatten(0, 1)[batch.targets])
        asked = self._read(states[QUESTION_LAYER].flatten(0, 1)[batch.asking])
        loss = SENTENCE_WEIGHT * _loss(inside, batch.places.flatten()) + CHOICE_WEIGHT * _loss(chosen, wanted)
        loss = loss + QUESTION_WEIGHT * _loss(asked, batch.choices[batch.askers])
        first = (batch.owners != batch.owners.roll(1)) & (wanted != UNKNOWN)
        return loss, (chosen.argmax(-1) == wanted)[first].float().mean().item()

    def pointing(self, model: Llama, states: Sequence[Tensor], batch: Batch) -> Tensor:
        """The loss that makes heads of the last layer look, from each token of an answer, at the one to copy next."""
        layer = cast(Layer, model.layers[-1])
        attention, seen = layer.self_attn, layer.input_layernorm(states[-2])
        known = batch.pointers != UNKNOWN
        copying, rows = batch.targets[known], batch.targets[known] // batch.ids.shape[1]
        cos, sin = (t[:, 0] for t in model.rotation(batch.positions))
        wanted = torch.cat([batch.pointers[known][rows == n] for n in range(len(seen))])
        loss = torch.zeros(())
        for head in range(POINTING_HEADS):
            part = slice(head * attention.size, (head + 1) * attention.size)
            keys = F.linear(seen[:, : batch.prefix], attention.k_proj.weight[part])
            keys = rotated(keys, cos[:, : batch.prefix], sin[:, : batch.prefix])
            queries = F.linear(seen.flatten(0, 1)[copying], attention.q_proj.weight[part])
            queries = rotated(queries, cos.flatten(0, 1)[copying], sin.flatten(0, 1)[copying]) * attention.size**-0.5
            scores = [queries[rows == n] @ keys[n].T + batch.prefix_bias[n, 0] for n in range(len(keys))]
            loss = loss + _loss(torch.cat(scores).float(), wanted) / POINTING_HEADS
        return POINTER_WEIGHT * loss

    def _read(self, state: Tensor) -> Tensor:
        read: Tensor = self.head(F.rms_norm(state.float(), state.shape[-1:])).float()
        return read


def _loss(scores: Tensor, wanted: Tensor) -> Tensor:
    known = (wanted != UNKNOWN).sum().clamp(min=1)
    return F.cross_entropy(scores, wanted, ignore_index=UNKNOWN, reduction="sum") / known
