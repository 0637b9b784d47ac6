"""`[guard.NAME]`: what looks at texts that come in and go out, in the order of the file."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Guard(BaseModel):
    """One guard, for `tenants` (default: all), looking at what is named by `on`.

    What it finds is refused (`block`), replaced (`redact`) or told (`flag`). It has `deadline_s`; where it gives no
    answer the request is refused (`closed`) or goes on (`open`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["pii", "secrets", "urls", "words", "injection", "webhook"]
    on: tuple[Literal["input", "passages", "output"], ...] = ("input", "output")
    action: Literal["block", "redact", "flag"] = "block"
    tenants: tuple[str, ...] | None = None
    deadline_s: Annotated[float, Field(gt=0)] = 0.5
    fail: Literal["closed", "open"] = "closed"
