"""The directory's records as texts: tenants, keys and audit rows, and what two versions of one come to. Pure.

A text is canonical JSON, so equal records are equal texts. Merging is the same in whatever order and however often: a
key only ever ends sooner (its expiry is the earlier, its revocation the first), a tenant's limits are those set last,
nothing else changes. So two directories that parted can be laid over each other, and no revocation is undone.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from math import inf, nextafter
from typing import Any

from gateway.state import Change, Key, Limit, Tenant
from gateway.state.limits import dump_limits, load_limits
from gateway.state.scopes import dump_scopes, load_scopes


@dataclass(frozen=True, slots=True)
class Dated:
    """A tenant, and when its limits were set."""

    tenant: Tenant
    changed: float


Record = Dated | Key | Change


def field(record: Record) -> str:
    """Its name in the directory; the letter before it tells the kind."""
    match record:
        case Dated():
            return tenant_field(record.tenant.name)
        case Key():
            return key_field(record.id)
        case Change():
            return "a:" + sha256(dump(record).encode()).hexdigest()


def tenant_field(name: str) -> str:
    return "t:" + name


def key_field(key_id: str) -> str:
    return "k:" + key_id


def order(record: Record) -> int:
    """Tenants before their keys."""
    return (Dated, Key, Change).index(type(record))


def dump(record: Record) -> str:
    """Canonical JSON."""
    match record:
        case Dated():
            fields = asdict(record.tenant) | {"limits": dump_limits(record.tenant.limits), "changed": record.changed}
        case Key():
            texts = {"limits": dump_limits(record.limits), "scopes": dump_scopes(record.scopes)}
            fields = asdict(record) | texts | {"digest": record.digest.hex()}
        case Change():
            fields = asdict(record)
    return json.dumps(fields, sort_keys=True)


def load(name: str, text: str | bytes) -> Record:
    """What `dump` wrote of the record of that field."""
    fields: dict[str, Any] = json.loads(text)
    match name[0]:
        case "t":
            changed = fields.pop("changed")
            return Dated(Tenant(**fields | {"limits": load_limits(fields["limits"])}), changed)
        case "k":
            parsed = {"limits": load_limits(fields["limits"]), "scopes": load_scopes(fields["scopes"])}
            return Key(**fields | parsed | {"digest": bytes.fromhex(fields["digest"])})
        case _:
            return Change(**fields)


def merged(one: Record, other: Record | None) -> Record:
    """What two versions of one record come to."""
    match one, other:
        case Dated(), Dated():
            return max(one, other, key=lambda dated: (dated.changed, dump_limits(dated.tenant.limits)))
        case Key(), Key():
            return merged_key(one, other)
        case _:
            return one


def merged_key(one: Key, other: Key) -> Key:
    return replace(one, expires=_sooner(one.expires, other.expires), revoked=_sooner(one.revoked, other.revoked))


def limited(dated: Dated, limits: Sequence[Limit], at: float) -> Dated:
    """With other limits, set later than those it had, whatever the clocks say."""
    return Dated(replace(dated.tenant, limits=tuple(limits)), max(at, nextafter(dated.changed, inf)))


def _sooner(one: float | None, other: float | None) -> float | None:
    times = [time for time in (one, other) if time is not None]
    return min(times) if times else None
