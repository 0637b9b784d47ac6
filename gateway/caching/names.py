"""Under which names observations are kept: a pool's own, and those of what is counted beside it. Pure.

Invariant: what is not a pool's own name has it as its beginning (`own`).
"""

_UNDECIDED = ":undecided"


def undecided(pool: str) -> str:
    """For those of a pool of which nobody could tell whether they were right."""
    return pool + _UNDECIDED


def decided(name: str) -> bool:
    """Whether it is known of those that are kept under this name."""
    return not name.endswith(_UNDECIDED)


def scored(pool: str, model: str) -> str:
    """For what a verifier's scores in a pool were worth."""
    return f"{pool}:verifier:{model}"


def own(name: str) -> str:
    """The pool that a name belongs to: `shared:prompt:model`, or `tenant:acme:prompt:model`."""
    return ":".join(name.split(":")[: 4 if name.startswith("tenant:") else 3])
