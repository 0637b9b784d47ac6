"""Which remedies a request's answer has, by cause, and whether its stream is held back until it is checked. Pure.

    request on_stop > request on_length > template > [models.X] on_stop > [check] > defaults

`on_length` is short for the remedies of what is cut by length. Half an object is no answer: a structured one is refused
unless the request, its template or its model says otherwise, and it is never continued (a grammar starts at its root
again), nor is one that may call tools: `continue` means `retry` there.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import cast, get_args

from gateway.errors import InvalidValue
from gateway.exchange import Call, Format, Mode, OnLength
from gateway.settings import Check, Model
from gateway.stopping import FINAL, Cause, Remedies, Remedy, checked_remedies
from prompts.errors import Fault
from prompts.front import FrontMatter
from prompts.library import Library
from prompts.template import Template
from serving.frozen import dataclass

# Of what is cut, and of a full window: what it has no room for is no longer the second time.
_SHORT: Mapping[OnLength, tuple[tuple[Remedy, ...], tuple[Remedy, ...]]] = {
    "error": (("error",), ("error",)),
    "return": (("return",), ("return",)),
    "retry": (("retry", "error"), ("shorten", "error")),
    "continue": (("continue", "return"), ("return",)),
}
_DEFAULTS: Remedies = {
    "empty": ("flag",),
    "repetition": ("error",),
    "content_filter": ("flag",),
    "abort": ("error",),
    "error": ("error",),
    "invalid": ("repair", "fallback", "error"),
}
_STRUCTURED: Remedies = {**_DEFAULTS, "content_filter": ("error",)}  # filtered JSON is broken JSON

KEPT = 256  # policies as they apply: a gateway has a few, and a client may write its own
# These may come before anything was sent, so that a stream can still be answered anew.
_UNSENT: frozenset[Cause] = frozenset({"empty", "abort", "error"})


@dataclass(frozen=True, slots=True)
class Layer:
    """What one place says of stops; `mode` None: nothing."""

    remedies: Remedies
    mode: Mode | None = None

    @property
    def takes_back(self) -> bool:
        """Whether it asks for a remedy that replaces what was said."""
        return any(map(_takes_back, chain.from_iterable(self.remedies.values())))


@dataclass(frozen=True, slots=True)
class Policy:
    """The remedies of one request's answer, and the mode of its stream."""

    on_stop: Remedies
    mode: Mode


def policy(call: Call, template: Template | None, model: Model | None, check: Check, format: Format) -> Policy:
    """Raises InvalidValue: `continue` of several choices, or a template's remedies that are none."""
    strict = format.structured or bool(format.tools)
    asked = call.options
    request = Layer({**short(asked.on_length, strict), **asked.on_stop}, asked.mode)
    written = _template(template, strict) if template else Layer({})
    settings = Layer(
        short("error" if format.structured else check.on_length, strict) | check.on_stop,
        check.mode if "mode" in check.model_fields_set else None,
    )
    layers = (request, written, Layer(model.on_stop if model else {}), settings)
    on_stop: dict[Cause, tuple[Remedy, ...]] = dict(_STRUCTURED if format.structured else _DEFAULTS)
    for layer in reversed(layers):
        on_stop |= layer.remedies
    if strict:
        on_stop["ceiling"] = _not_continued(on_stop["ceiling"])
    elif "continue" in on_stop["ceiling"] and int(call.fields.get("n") or 1) > 1:
        param = "gateway.on_stop" if "ceiling" in asked.on_stop else "gateway.on_length"
        raise InvalidValue("`continue` joins one answer; set n to 1, or say `retry` instead.", param=param)
    return Policy(on_stop, _mode(layers, check.mode) if call.stream else _buffered(on_stop, format))


def short(on_length: OnLength | None, uncontinued: bool) -> dict[Cause, tuple[Remedy, ...]]:
    """What `on_length` is short for. `uncontinued`: what was cut cannot be gone on with."""
    if on_length is None:
        return {}
    cut, window = _SHORT["retry" if on_length == "continue" and uncontinued else on_length]
    silent: tuple[Remedy, ...] = ("return",) if "continue" in cut else cut  # there is no text to go on from
    return {"ceiling": cut, "tool_cut": silent, "reasoning": silent, "window": window}


def applicable(on_stop: Remedies, mode: Mode) -> Remedies:
    """The remedies that a mode leaves, each cause's ended by a final one.

    A stream that is shown as it comes cannot be taken back. Where an answer is still wrong after all that was named, it
    is refused; one that was continued is given.
    """
    return _applicable(tuple(on_stop.items()), mode)


def faults(library: Library) -> list[Fault]:
    """What is wrong with the remedies that templates name, each with its prompt."""
    found = []
    for template in map(library.get, library.ids()):
        try:
            remedies_of(template)
        except ValueError as error:
            found.append(Fault(f"{template.id}.md.j2", 0, f"on_stop: {error}"))
    return found


def remedies_of(template: Template) -> Remedies:
    """A template's remedies. Raises ValueError, saying which are none."""
    named: dict[Cause, tuple[Remedy, ...]] = {}
    for cause, remedies in template.front.on_stop.items():
        if cause not in get_args(Cause):
            raise ValueError(f"{cause!r} is no cause: name one of {', '.join(get_args(Cause))}")
        if unknown := [remedy for remedy in remedies if remedy not in get_args(Remedy)]:
            raise ValueError(f"{unknown[0]!r} is no remedy: name one of {', '.join(get_args(Remedy))}")
        named[cast(Cause, cause)] = cast(tuple[Remedy, ...], tuple(remedies))
    return checked_remedies(named)


@lru_cache(KEPT)
def _applicable(on_stop: tuple[tuple[Cause, tuple[Remedy, ...]], ...], mode: Mode) -> Remedies:
    return {cause: _ended(tuple(r for r in remedies if _fits(r, cause, mode))) for cause, remedies in on_stop}


def _template(template: Template, uncontinued: bool) -> Layer:
    front: FrontMatter = template.front
    try:  # an old version was not looked at when the gateway started
        remedies = remedies_of(template)
    except ValueError as error:
        raise InvalidValue(f"The prompt {template.id!r}: on_stop: {error}.", param="prompt") from error
    return Layer(short(front.on_length, uncontinued) | dict(remedies), front.mode)


def _mode(layers: Sequence[Layer], default: Mode) -> Mode:
    """The first mode that is named; a remedy that takes back asks for `strict` where it stands."""
    request, template, _, settings = layers
    for layer in (request, template, settings):
        if layer.mode or layer.takes_back:
            return layer.mode or "strict"
    return default


def _buffered(on_stop: Remedies, format: Format) -> Mode:
    """A client that reads nothing before the end sees no difference; but others may read its answer along, so that it
    is held back only where something may be taken back."""
    checked = format.structured or any(tool.strict for tool in format.tools)
    others = (remedies for cause, remedies in on_stop.items() if cause != "invalid")
    return "strict" if checked or any(map(_takes_back, chain.from_iterable(others))) else "verdict"


def _not_continued(remedies: tuple[Remedy, ...]) -> tuple[Remedy, ...]:
    named: Iterator[Remedy] = ("retry" if remedy == "continue" else remedy for remedy in remedies)
    return tuple(dict.fromkeys(named))


def _takes_back(remedy: Remedy) -> bool:
    return remedy not in FINAL and remedy != "continue"


def _fits(remedy: Remedy, cause: Cause, mode: Mode) -> bool:
    return mode == "strict" or cause in _UNSENT or not _takes_back(remedy)


def _ended(remedies: tuple[Remedy, ...]) -> tuple[Remedy, ...]:
    if remedies and remedies[-1] in FINAL:
        return remedies
    return (*remedies, "return" if remedies[-1:] == ("continue",) else "error")
