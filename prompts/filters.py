"""The filters and tests that a template may use, each charged for what it reads.

Jinja's own where they are harmless, and ours where they are not: its `trim` takes the characters to cut (quadratic),
its `int` a base (numbers of a million digits), its `even`, `odd` and `divisibleby` format a text with `%` (a variable
"%1000000000d" becomes a gigabyte), and its lazy ones put their work off to where nobody counts it.
Does not know the syntax tree (`prompts.instrument`) that calls some of these by names no template can write.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from jinja2 import Undefined, pass_context
from jinja2.filters import FILTERS as JINJA
from jinja2.runtime import Context
from jinja2.tests import TESTS as JINJA_TESTS

from prompts.meter import ITEM, METER, OUTPUT_CAP, Meter, Refused

# Names that no template can write.
LOOP, TOLL, SCALES, CONCAT = "a loop", "a toll", "the scales", "a concatenation"

_Filter = Callable[..., Any]
# Units for a character, measured on the worst text: these change each character, `title` makes an object of each word.
_BY_CHARACTER = {"capitalize": 4, "lower": 4, "upper": 4, "title": ITEM}
_FREE = ["count", "d", "default", "first", "last", "length"]  # look at one item at most
_TESTS = ["boolean", "defined", "false", "integer", "mapping", "none", "number", "sequence", "string", "true"]
_TESTS += ["undefined"]


def text_of(value: Any) -> str:
    """Text and numbers as text; anything else is a mistake that would reach the model as Python's repr."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Undefined):
        raise Refused(f"prints a value of type {type(value).__name__}: use a filter such as tojson or default")
    return str(value)  # of an Undefined: raises UndefinedError


def _meter(context: Context) -> Meter:
    found: Meter = context[METER]
    return found


def _changing(name: str, rate: int) -> _Filter:
    def change(context: Context, value: Any) -> Any:
        _meter(context).weigh(value, rate)
        return JINJA[name](value)

    return pass_context(change)


def _listing(name: str) -> _Filter:
    """A filter that reads every item and gives a list; a text is a sequence of characters."""

    def listed(context: Context, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        _meter(context).weigh(value, ITEM if isinstance(value, str) else 4)
        return list(JINJA[name](context.environment, value, *args, **kwargs))

    return pass_context(listed)


@pass_context
def _list(context: Context, value: Any) -> list[Any]:
    _meter(context).weigh(value, ITEM if isinstance(value, str) else 1)
    return list(value)


@pass_context
def _items(context: Context, value: Any) -> list[Any]:
    _meter(context).weigh(value)
    return list(JINJA["items"](value))


@pass_context
def _reverse(context: Context, value: Any) -> Any:
    _meter(context).weigh(value)
    return value[::-1] if isinstance(value, str) else list(reversed(value))


@pass_context
def _trim(context: Context, value: Any) -> str:
    _meter(context).weigh(value)
    return text_of(value).strip()


@pass_context
def _int(context: Context, value: Any, default: int = 0) -> int:
    _meter(context).weigh(value)
    return int(JINJA["int"](value, default))


@pass_context
def _tojson(context: Context, value: Any) -> str:
    """JSON as the model should read it, without the HTML escapes of Jinja's own filter."""
    _meter(context).weigh(value, 4)
    return json.dumps(value, ensure_ascii=False)


@pass_context
def _join(context: Context, items: Iterable[Any], separator: str = "") -> str:
    meter = _meter(context)
    meter.weigh(items, ITEM if isinstance(items, str) else 1)
    texts = [text_of(item) for item in items]
    length = sum(map(len, texts)) + len(text_of(separator)) * len(texts)
    if length > OUTPUT_CAP:
        raise Refused(f"join makes a text of more than {OUTPUT_CAP} characters")
    meter.work(length)
    return separator.join(texts)


@pass_context
def _turns(context: Context, items: Iterable[Any], cost: int) -> Iterator[Any]:
    """The items of a loop, each turn charged as `cost` bytes of output."""
    meter = _meter(context)
    for item in items:
        meter.output(cost)
        yield item


@pass_context
def _toll(context: Context, cost: int) -> None:
    """Charge a call of a macro."""
    _meter(context).output(cost)


@pass_context
def _scales(context: Context, value: Any, rate: int) -> Any:
    """The value itself, once it is charged for."""
    _meter(context).weigh(value, rate)
    return value


@pass_context
def _in(context: Context, value: Any, container: Any) -> bool:
    _meter(context).weigh(container, 4)
    return bool(value in container)


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise Refused(f"asks of a value of type {type(value).__name__} what only whole numbers answer")
    return value


FILTERS: dict[str, _Filter] = {name: JINJA[name] for name in _FREE}
FILTERS |= {name: _changing(name, rate) for name, rate in _BY_CHARACTER.items()}
FILTERS |= {name: _listing(name) for name in ("sort", "unique")}
FILTERS |= {"int": _int, "items": _items, "join": _join, "list": _list, "reverse": _reverse}
FILTERS |= {"tojson": _tojson, "trim": _trim}

MACHINERY: dict[str, _Filter] = {LOOP: _turns, TOLL: _toll, SCALES: _scales, CONCAT: _join}

TESTS: dict[str, _Filter] = {
    **{name: cast(_Filter, JINJA_TESTS[name]) for name in _TESTS},
    "divisibleby": lambda value, number: _whole(value) % _whole(number) == 0,
    "even": lambda value: _whole(value) % 2 == 0,
    "in": _in,
    "odd": lambda value: _whole(value) % 2 == 1,
}
