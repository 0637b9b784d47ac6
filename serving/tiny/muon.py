"""Job: the optimizer for the matrices between the layers; everything else is left to AdamW.

Does not know the network.
Invariants: an update has all its singular values near 1 before it is scaled, so no direction of a matrix learns much
faster than another. That is what lets so small a model learn to copy within minutes (with AdamW alone it did not in
600 steps).
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Keller Jordan's quintic for the Newton-Schulz step
DECAY = 0.05  # keeps attention scores from growing until the loss blows up, which twice the rate did in a trial


class Muon:
    def __init__(self, matrices: Iterable[Tensor]) -> None:
        self._groups: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for matrix in matrices:
            self._groups[matrix.shape].append(matrix)
        self.momenta = {shape: torch.zeros(len(group), *shape) for shape, group in self._groups.items()}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for shape, group in self._groups.items():
            gradients = torch.stack([m.grad for m in group if m.grad is not None])
            momentum = self.momenta[shape].mul_(MOMENTUM).add_(gradients)
            updates = _orthogonal(gradients + MOMENTUM * momentum) * (shape[0] / shape[1]) ** 0.5
            for matrix, update in zip(group, updates, strict=True):
                matrix.mul_(1 - rate * DECAY).sub_(update, alpha=rate)


def _orthogonal(x: Tensor) -> Tensor:
    """The nearest matrices whose singular values are all about 1, for a stack of matrices at once."""
    a, b, c = COEFFICIENTS
    tall = x.shape[1] > x.shape[2]
    y = (x.mT if tall else x).bfloat16()
    y = y / (y.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        square = y @ y.mT
        y = a * y + (b * square + c * (square @ square)) @ y
    nearest: Tensor = (y.mT if tall else y).float()
    return nearest
