"""The limits that a hold is judged by, ready for use: most requests of a key come under the same. Pure.

Invariant: what `kept_terms` makes of a text equals the terms that the text is of.
"""

from functools import lru_cache
from typing import NamedTuple

from gateway.state import Limit
from gateway.state.counters import Bound, Meter, bind, dump_bounds, load_bounds, metered

_MOST = 4096  # keys at work at one time; some 2 KiB each


class Terms(NamedTuple):
    """The limits with their meters, the meters to read and to move, and the text that is kept with the hold."""

    bounds: tuple[Bound, ...]
    meters: tuple[Meter, ...]
    text: str


@lru_cache(_MOST)
def terms(tenant: str, key: str, tenant_limits: tuple[Limit, ...], key_limits: tuple[Limit, ...]) -> Terms:
    bounds = bind(tenant, key, tenant_limits, key_limits)
    return Terms(bounds, tuple(metered(bounds)), dump_bounds(bounds))


@lru_cache(_MOST)
def kept_terms(text: str) -> Terms:
    """The terms of a hold, from its text."""
    bounds = load_bounds(text)
    return Terms(bounds, tuple(metered(bounds)), text)
