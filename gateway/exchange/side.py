"""What is tried of a template, and on which side of that a request is."""

import hashlib

from serving.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Trial:
    """A version of a template beside the one in force, by their digests, and the weights of all that are tried.

    Another weight or version is another trial: what was counted before says nothing of it.
    """

    prompt: str
    version: str  # as the settings have it
    digest: str
    base: str
    weights: tuple[tuple[str, float], ...]

    @property
    def key(self) -> str:
        """Names it in the journal."""
        return hashlib.sha256(repr((self.prompt, self.digest, self.base, self.weights)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Side:
    """`canary`: a version that is tried answers. What is found of the answer counts in `trials`, once for each
    `conversation` (a digest)."""

    canary: bool
    conversation: bytes = b""
    trials: tuple[Trial, ...] = ()
