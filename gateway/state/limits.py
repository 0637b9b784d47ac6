"""Limits as text, `unit/window=amount`: what operators write and what the stores keep. Pure.

Money is written in dollars and kept in whole nano-dollars; no binary fraction is ever involved.
"""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import cast

from gateway.state.values import UNITS, WINDOWS, Limit, Unit, Window

_SHAPE = re.compile(r"([a-z]+)/([a-z]+)=(.+)")
_WHOLE = re.compile(r"[0-9]{1,16}")  # MAX_AMOUNT has 16 digits
_DOLLARS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")  # a nano-dollar is the ninth decimal


def parse_limit(text: str) -> Limit:
    """`tokens/day=100000`, `usd/month=12.50` as a Limit. Raises ValueError that says what would be right."""
    shape = _SHAPE.fullmatch(text)
    if not shape or shape[1] not in UNITS or shape[2] not in WINDOWS:
        raise ValueError(
            f"{text!r} is no limit: write unit/window=amount with a unit of {', '.join(UNITS)} "
            f"and a window of {', '.join(WINDOWS)}, for example tokens/day=100000"
        )
    unit, window = cast(Unit, shape[1]), cast(Window, shape[2])
    return Limit(unit, window, _amount(unit, shape[3], text))


def format_limit(limit: Limit) -> str:
    """The text that `parse_limit` reads back as the same limit."""
    return f"{limit.unit}/{limit.window}={_dollars(limit.amount) if limit.unit == 'usd' else limit.amount}"


def dump_limits(limits: Iterable[Limit]) -> str:
    """Limits as a JSON list of texts, for a store."""
    return json.dumps([format_limit(limit) for limit in limits])


def load_limits(text: str | bytes) -> tuple[Limit, ...]:
    """What `dump_limits` wrote."""
    return tuple(parse_limit(limit) for limit in json.loads(text))


def _amount(unit: Unit, amount: str, text: str) -> int:
    if unit == "usd":
        if not _DOLLARS.fullmatch(amount):
            raise ValueError(f"{text!r}: write dollars as a plain number with at most 9 decimals, for example 12.50")
        return int(Decimal(amount).scaleb(9))
    if not _WHOLE.fullmatch(amount):
        raise ValueError(f"{text!r}: write {unit} as a whole number, for example 100000")
    return int(amount)


def _dollars(nano: int) -> str:
    text = f"{Decimal(nano).scaleb(-9):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
