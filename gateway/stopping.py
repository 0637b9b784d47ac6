"""Why an answer stopped, and what may be done about it. Two words: a cause and a remedy. Decides nothing.

    cause           the answer ...                                      remedies that make sense
    stop            ended by itself                                     -
    tool_calls      ended with tool calls whose arguments are whole     -
    ceiling         was cut by the request's own ceiling                return flag retry continue fallback error
    window          was cut because the model's window is full          return flag shorten fallback error
    tool_cut        was cut inside a tool call                          return flag retry fallback error
    reasoning       spent all its tokens on reasoning and says nothing  return flag retry fallback error
    empty           is empty, though it ended by itself                 return flag retry fallback error
    repetition      was ended by the engine because it repeated itself  return flag retry fallback error
    content_filter  was ended by the engine's filter                    return flag fallback error
    abort           was given up by the engine                          retry fallback error
    error           broke inside the engine                             retry fallback error
    invalid         does not satisfy its format                         return flag repair fallback error

`return` gives the answer with its verdict; `flag` gives it too and counts it as a fault; `retry` asks once more, with a
higher ceiling where it was cut by that and with another seed where it was not; `continue` goes on where it stopped;
`shorten` asks again with fewer passages and older turns left out; `repair` shows the model what is wrong; `fallback`
asks the alias's next model; `error` refuses, with nothing of the answer.

The engine's own words are OpenAI's finish_reason and vLLM 0.32's (stop, length, tool_calls, abort, error, repetition).
"""

from collections.abc import Mapping
from typing import Literal

Cause = Literal[
    "stop", "tool_calls", "ceiling", "window", "tool_cut", "reasoning", "empty", "repetition", "content_filter",
    "abort", "error", "invalid",
]  # fmt: skip
Remedy = Literal["return", "flag", "retry", "continue", "shorten", "repair", "fallback", "error"]
Remedies = Mapping[Cause, tuple[Remedy, ...]]  # to be tried in this order; the last one is final

WHOLE: frozenset[Cause] = frozenset({"stop", "tool_calls"})  # nothing is to be done
FINAL: frozenset[Remedy] = frozenset({"return", "flag", "error"})  # these ask no model again

_ANYWHERE: tuple[Remedy, ...] = ("return", "flag", "fallback", "error")
SENSIBLE: Mapping[Cause, tuple[Remedy, ...]] = {
    "ceiling": (*_ANYWHERE, "retry", "continue"),
    "window": (*_ANYWHERE, "shorten"),
    "tool_cut": (*_ANYWHERE, "retry"),
    "reasoning": (*_ANYWHERE, "retry"),
    "empty": (*_ANYWHERE, "retry"),
    "repetition": (*_ANYWHERE, "retry"),
    "content_filter": _ANYWHERE,
    "abort": ("retry", "fallback", "error"),
    "error": ("retry", "fallback", "error"),
    "invalid": (*_ANYWHERE, "repair"),
}


def checked_remedies(named: dict[Cause, tuple[Remedy, ...]]) -> dict[Cause, tuple[Remedy, ...]]:
    """The remedies of each cause, as they were named. Raises ValueError: a cause that needs none, a remedy that cannot
    help there, one that comes twice, or one after a final one."""
    for cause, remedies in named.items():
        sensible = SENSIBLE.get(cause)
        if sensible is None:
            raise ValueError(f"{cause!r} needs no remedy: name one of {', '.join(SENSIBLE)}")
        if wrong := [remedy for remedy in remedies if remedy not in sensible]:
            raise ValueError(f"{wrong[0]!r} is no remedy of {cause!r}: name some of {', '.join(sensible)}")
        if not remedies or len(set(remedies)) < len(remedies):
            raise ValueError(f"name each remedy of {cause!r} once, and at least one")
        if late := [remedy for remedy in remedies[:-1] if remedy in FINAL]:
            raise ValueError(f"{late[0]!r} ends the remedies of {cause!r}: put it last")
    return named
