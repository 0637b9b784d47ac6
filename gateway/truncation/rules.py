"""Which sections of a prompt may be cut, and to how many tokens: as the request says, else its template. Pure.

The request's word holds for what it brings, the conversation and what is asked now; examples and passages are the
template's, and follow its rules. Where neither says anything nothing is cut. In what order sections are cut where all
together do not fit, and why:

    history    the oldest of what was said matters least to what is asked now
    examples   the worst first: they shape an answer that the rest already asks for
    passages   their room shrinks before a question is touched, for what is found can be found again
    user       what is asked now, in its middle, and only where that is wanted
    system     never
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.exchange.call import Truncate
from gateway.exchange.parts import Parts
from gateway.truncation.sections import Section, examples, history, now, raw
from gateway.truncation.shortening import MARK, How
from prompts.policies import Budget, SectionName
from prompts.template import Template

# What the schema of a variable may say so that a part of its text satisfies it too.
_FREE = frozenset({"type", "minLength", "maxLength", "title", "description", "default", "examples"})


@dataclass(frozen=True)
class Rules:
    """Of one request. None: it stays whole. `caps` are the tokens that sections may have whatever room there is."""

    history: How | None = None
    examples: Literal["lowest", "last"] | None = None
    user: bool = False
    caps: Mapping[SectionName, int] | None = None
    variables: tuple[str, ...] = ()  # that can be shortened

    @property
    def any(self) -> bool:
        return bool(self.history or self.examples or self.user or self.caps)

    def sections(self, whole: Parts) -> list[Section]:
        """Those that may be cut before passages are, in their order."""
        found = [raw(whole, self.history)] if self.history and whole.text is not None else []
        found += [history(whole, self.history)] if self.history and whole.text is None else []
        return found + ([examples(whole, self.examples == "last")] if self.examples and whole.examples else [])

    def last(self, whole: Parts) -> list[Section]:
        """Those that are cut when nothing else is left to be."""
        return [now(whole, self.variables)] if self.user and whole.text is None else []


def rules(asked: Truncate | None, template: Template | None) -> Rules:
    """Those of a request that asks for `asked`."""
    declared = template.front.sections if template else {}
    return Rules(
        history=_history(asked, declared.get("history")),
        examples=_examples(asked, declared.get("examples")),
        user=_user(asked, declared.get("user")),
        caps={name: one.max_tokens for name, one in declared.items() if one.max_tokens and name != "passages"},
        variables=_shortened(template.front.variables) if template else (),
    )


def _history(asked: Truncate | None, declared: Budget | None) -> How | None:
    if asked is not None:
        return None if asked == "never" else asked
    if declared is None or declared.drop == "never":
        return None
    return "middle" if declared.drop == "middle" else "oldest"


def _examples(asked: Truncate | None, declared: Budget | None) -> Literal["lowest", "last"] | None:
    if declared is None:
        return "lowest" if asked in ("oldest", "middle") else None
    return None if declared.drop == "never" else "last" if declared.drop == "last" else "lowest"


def _user(asked: Truncate | None, declared: Budget | None) -> bool:
    """A template that says `never` is not overruled; it may say nothing and the request does."""
    if asked in ("never", "oldest") or (declared is not None and declared.drop == "never"):
        return False
    return asked == "middle" or (declared is not None and declared.drop == "middle")


def _shortened(schema: Mapping[str, Any]) -> tuple[str, ...]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    return tuple(name for name, one in properties.items() if _free(one))


def _free(schema: Any) -> bool:
    free = isinstance(schema, Mapping) and schema.get("type") == "string" and schema.keys() <= _FREE
    return free and schema.get("minLength", 0) <= len(MARK)  # which is all that is left of a text at the least
