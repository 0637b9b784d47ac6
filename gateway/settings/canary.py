"""`[canary.ID]`: which versions of a template are tried, on how many, where a request names none. Knows no template."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Version = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Tag = Annotated[str, StringConstraints(pattern=r"^[^=]{1,64}=.{1,256}$")]


class Canary(BaseModel):
    """`weights`: the share of the conversations that a version answers; the rest keep `latest`. `tagged`: the version
    of requests with a tag (`ring=beta`), which goes before the weights.

    `shadow` is a version that is run beside `shadow_share` of the answers and shown to nobody; what it uses is at most
    `shadow_tokens` of the tokens that requests use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: dict[Version, Share] = {}
    tagged: dict[Tag, Version] = {}
    shadow: Version | None = None
    shadow_share: Share = 0.05
    shadow_tokens: Share = 0.05

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        if (total := sum(self.weights.values())) > 1:
            raise ValueError(f"the weights add up to {total:g}: 1 is all conversations")
        return self

    def versions(self) -> list[str]:
        """All that it names."""
        return list(dict.fromkeys([*self.weights, *self.tagged.values(), *([self.shadow] if self.shadow else [])]))
