"""The parts of a front matter that are objects of their own: what a request is sent with, what is retrieved, what is
kept of answers, and how many tokens each section of a prompt may take.

Read strictly: an unknown key is an error. Does not know the header they stand in, nor who acts on them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from typing_extensions import TypedDict

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)

Text = Annotated[str, Field(min_length=1)]
_Penalty = Annotated[float, Field(ge=-2, le=2)]

SectionName = Literal["system", "examples", "history", "passages", "user"]
Drop = Literal["oldest", "lowest", "last", "middle", "never"]

# What can go first in a section, its default first: only turns have an age, only what was found or chosen has a score.
# The `lowest` of examples are those chosen last, the `last` those that stand last in their file.
DROPS: dict[SectionName, tuple[Drop, ...]] = {
    "system": ("never",),
    "examples": ("lowest", "last", "never"),
    "history": ("oldest", "middle", "never"),
    "passages": ("lowest",),
    "user": ("never", "middle"),
}


def listed(one_or_more: Any) -> Any:
    """A text as a list of one."""
    return [one_or_more] if isinstance(one_or_more, str) else one_or_more


class Sampling(TypedDict, total=False):
    """Request fields a template may set: OpenAI's (ranges of its API reference), then vLLM's own."""

    __pydantic_config__ = STRICT  # type: ignore[misc]

    temperature: Annotated[float, Field(ge=0, le=2)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    stop: Annotated[list[Text], Field(min_length=1, max_length=4), BeforeValidator(listed)]
    seed: int
    presence_penalty: _Penalty
    frequency_penalty: _Penalty
    top_k: Annotated[int, Field(ge=-1)]
    min_p: Annotated[float, Field(ge=0, le=1)]
    repetition_penalty: Annotated[float, Field(gt=0, le=2)]
    min_tokens: Annotated[int, Field(ge=0)]


class Retrieve(BaseModel):
    """Where passages come from and how many at most.

    `filter` is metadata that they must have, `team: people` or `team: [people, legal]`: a request can narrow it, not
    lift it. `floor`: the least probability of relevance; None is the collection's.
    """

    model_config = STRICT

    collection: Text
    top_k: int = Field(default=4, ge=1, le=100)
    filter: dict[Text, Annotated[list[Text], Field(min_length=1), BeforeValidator(listed)]] = {}
    floor: float | None = Field(default=None, ge=0, le=1)


class Cache(BaseModel):
    """What of its answers may be kept, and for which questions one may stand. `cache: exact` is short for its tier.

    `kind`: `closed` where questions have few answers (a FAQ, a classifier), `open` otherwise. `names`: `strict` where
    a name that only one of two questions has speaks against it. Answers of a `personal` template are never kept,
    whatever a request says. `ttl_s`: seconds; None is the configuration's.
    """

    model_config = STRICT

    tier: Literal["off", "exact", "semantic"] = "off"
    kind: Literal["open", "closed"] = "open"
    names: Literal["strict", "tolerant"] = "tolerant"
    personal: bool = False
    ttl_s: float | None = Field(default=None, gt=0)


class Shots(BaseModel):
    """Which `count` of the examples stand in a prompt: the first ones, those whose question is the most `similar` to
    its own, or these of each label in turn. `label` names the field of their answers that is their label; without it
    they have one each.
    """

    model_config = STRICT

    select: Literal["fixed", "similar", "balanced"] = "fixed"
    count: int = Field(default=4, ge=1, le=100)
    label: Text | None = None


class Budget(BaseModel):
    """The tokens of one section, None for whatever room there is; `drop` says what goes first, None: its default."""

    model_config = STRICT

    max_tokens: int | None = Field(default=None, ge=1)
    drop: Drop | None = None
