"""What the remedies of a request can cost at most: every further generation that may run, once each, in tokens. Pure.

A remedy is planned only where a cause that it answers can come to pass and there is room for it, so that an ordinary
request sets aside one generation. What is planned here bounds what is sent later: a remedy that turns out longer is
left out.
"""

from collections.abc import Iterator

from gateway.answering.begun import obstacle
from gateway.answering.policy import applicable
from gateway.exchange import Attempt, Prompt
from gateway.stopping import FINAL, Cause, Remedy
from serving.frozen import dataclass

# What the turn that shows a model its faults may take beside its answer: `changes` bounds that turn to 1,000
# characters, some 350 tokens of text, and chat templates put a few tokens around each turn.
REPAIR_TOKENS = 512
LONGER: frozenset[Cause] = frozenset({"ceiling", "tool_cut", "reasoning"})  # a higher ceiling helps


@dataclass(frozen=True, slots=True)
class Space:
    """In tokens: the prompt's `input`, `given` (of the longest model that may answer, with its passages), the `output`
    ceiling of a choice and what was `asked` for before the window bounded it.

    `fallback`: another alias may answer; `shorter`: there is something that can be left out.
    """

    input: int
    given: int
    output: int
    asked: int
    window: int
    rounds: int
    fallback: bool
    shorter: bool


def attempts(prompt: Prompt, space: Space) -> tuple[Attempt, ...]:
    """The first generation, then those of each remedy that may run."""
    n = int(prompt.fields.get("n") or 1)
    first = Attempt(space.given, space.output * n)
    if all(remedies[0] in FINAL for remedies in applicable(prompt.on_stop, prompt.mode).values()):
        return (first,)  # as for most requests
    longer = min(2 * space.output, space.window - space.given)
    named = _named(prompt, space, longer)
    retried = max(longer, space.output) if named.get("retry", frozenset()) & LONGER else space.output
    made = [first]
    if retried > space.output or named.get("retry", frozenset()) - LONGER:
        made.append(Attempt(space.given, retried * n, "retry"))
    said = made[-1].output // n  # tokens that an answer has at most before it is gone on with or shown again
    if "continue" in named and _continues(prompt):
        made += _continued(space, said)
    if "shorten" in named and space.shorter:
        made.append(Attempt(space.given, min(space.asked, space.window - 1) * n, "shorten"))
    if "repair" in named and prompt.text is None:
        made.append(Attempt(min(space.given + said + REPAIR_TOKENS, space.window - 1), space.output * n, "repair"))
    if "fallback" in named and space.fallback:
        made.append(Attempt(space.given, space.output * n, "fallback"))
    return tuple(made)


def _named(prompt: Prompt, space: Space, longer: int) -> dict[Remedy, frozenset[Cause]]:
    """The remedies of the causes that can come to pass, each with those causes."""
    remedies = applicable(prompt.on_stop, prompt.mode)
    possible = set(_possible(prompt, space, max(longer, space.output)))
    named: dict[Remedy, frozenset[Cause]] = {}
    for cause in possible & remedies.keys():
        for remedy in remedies[cause]:
            named[remedy] = named.get(remedy, frozenset()) | {cause}
    return named


def _continues(prompt: Prompt) -> bool:
    """Whether a cut answer may be gone on with, and can be."""
    return "continue" in applicable(prompt.on_stop, prompt.mode)["ceiling"] and obstacle(prompt) is None


def _possible(prompt: Prompt, space: Space, longest: int) -> Iterator[Cause]:
    yield from ("reasoning", "empty", "repetition", "content_filter", "abort", "error")
    room = space.given > space.input
    if room or space.input + space.output < space.window:
        yield "ceiling"
    if room or _continues(prompt) or space.given + longest >= space.window:
        yield "window"
    if prompt.format.tools:
        yield "tool_cut"
    if prompt.format.structured or any(tool.strict for tool in prompt.format.tools):
        yield "invalid"


def _continued(space: Space, said: int) -> Iterator[Attempt]:
    """The prompt grows by each part, as long as the window has room."""
    for done in range(space.rounds):
        grown = space.given + said + space.output * done
        if grown < space.window:
            yield Attempt(grown, min(space.output, space.window - grown), "continue")
