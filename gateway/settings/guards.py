"""`[guard.NAME]`: what looks at texts that come in and go out, in the order of the file. One model for each kind, so
that a key which means nothing to a kind is an error. Knows no detector.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Where = Literal["input", "passages", "output"]
Seconds = Annotated[float, Field(gt=0)]
Texts = tuple[Annotated[str, Field(min_length=1)], ...]


def _every(value: Any) -> Any:
    if value in ("answer", "sentence") or (type(value) is int and value >= 16):
        return value
    raise ValueError('"answer", "sentence", or so many characters (16 or more)')


# How much of an answer is held back for a guard that can only judge whole texts: all, a sentence, so many characters.
Every = Annotated[Literal["answer", "sentence"] | int, BeforeValidator(_every)]


class AnyGuard(BaseModel):
    """What all kinds have: `tenants` (default: all) and what it looks at (`on`).

    What it finds is refused (`block`), replaced (`redact`) or told (`flag`). It has `deadline_s` for the texts that it
    is given at once; where it gives no answer the request is refused (`closed`) or goes on (`open`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: Annotated[tuple[Where, ...], Field(min_length=1)] = ("input", "output")
    action: Literal["block", "redact", "flag"] = "block"
    tenants: tuple[str, ...] | None = None
    deadline_s: Seconds = 0.5
    fail: Literal["closed", "open"] = "closed"


class Pii(AnyGuard):
    """Personal data. `entities` are the kinds that are looked for (default: all that the detector knows)."""

    kind: Literal["pii"]
    entities: Annotated[Texts, Field(min_length=1)] | None = None


class Secrets(AnyGuard):
    """Keys, tokens and passwords."""

    kind: Literal["secrets"]


class Urls(AnyGuard):
    """Addresses of hosts other than those in `allow`: `example.com`, or `*.example.com` for all below it."""

    kind: Literal["urls"]
    allow: Texts = ()


class Words(AnyGuard):
    """A block list: `words` as they are, whatever their case, and `patterns` (RE2)."""

    kind: Literal["words"]
    words: Texts = ()
    patterns: Texts = ()


class Injection(AnyGuard):
    """Prompts that try to take over. `model` is an alias that classifies texts (default: what needs none)."""

    kind: Literal["injection"]
    model: str | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    every: Every = "answer"


class Webhook(AnyGuard):
    """The company's own guard at `url`; `key_env` names the variable that holds the key which signs what it is sent."""

    kind: Literal["webhook"]
    url: Annotated[str, Field(pattern=r"^https?://[^/]")]
    key_env: str | None = None
    every: Every = "answer"


Guard = Annotated[Pii | Secrets | Urls | Words | Injection | Webhook, Field(discriminator="kind")]
