"""How keys are made and replaced. Knows neither HTTP nor a terminal: both make keys through here.

A key reads `tg_<id>_<secret>`. The id is public and finds it; the secret has 256 random bits. Invariant: the full key
is handed out once, by `issue` or `rotate`; only the secret's digest is stored, and no message shows a secret.
"""

import hashlib
import secrets
from dataclasses import dataclass, field

from gateway.state import Key, Keys, Limit, Scopes

PREFIX = "tg"
ID_BYTES, SECRET_BYTES = 8, 32
LONGEST_LABEL = 128  # characters
LONGEST_OVERLAP = 90 * 86_400  # seconds; two keys for longer than a quarter are two keys, not a rotation
EVERYTHING = Scopes()


class KeyEnded(Exception):
    """Raised when a key that was revoked or has expired should be rotated."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A stored key, and the text that opens the gateway, for the one time that it is shown."""

    key: Key
    full: str = field(repr=False)


def mint() -> tuple[str, str, str]:
    """A new key as (id, secret, full key). Only the id and `digest(secret)` are to be kept."""
    key_id, secret = secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES)
    return key_id, secret, f"{PREFIX}_{key_id}_{secret}"


def digest(secret: str) -> bytes:
    """The SHA-256 of a secret: a fast digest is right where there is nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def alive(key: Key, now: float) -> bool:
    """Whether the key is neither revoked nor expired at that time."""
    return (key.revoked is None or key.revoked > now) and (key.expires is None or key.expires > now)


async def issue(
    keys: Keys,
    by: str,
    tenant: str,
    created: float,
    limits: tuple[Limit, ...] = (),
    expires: float | None = None,
    label: str = "",
    scopes: Scopes = EVERYTHING,
) -> Issued:
    """Make and store a key; `by` is who asked for it, for the audit. Raises ValueError for an unknown tenant."""
    key_id, secret, full = mint()
    key = Key(key_id, tenant, digest(secret), limits, created, expires, None, label, scopes)
    await keys.add_key(key, by)
    return Issued(key, full)


async def rotate(keys: Keys, by: str, old: Key, now: float, overlap: float) -> Issued:
    """Issue a key of the same tenant, limits, expiry, label and scopes; the old one ends `overlap` seconds from `now`.

    The new key's own limits count from zero, the tenant's go on. Raises KeyEnded.
    """
    if not alive(old, now):
        raise KeyEnded(f"the key {old.id} was revoked or has expired; make a new one")
    issued = await issue(keys, by, old.tenant, now, old.limits, old.expires, old.label, old.scopes)
    if overlap > 0:
        await keys.expire(old.id, now + overlap, by)
    else:
        await keys.revoke(old.id, now, by)
    return issued


def checked_label(label: str) -> str:
    """The same label. Raises ValueError."""
    if len(label) > LONGEST_LABEL or not label.isprintable():
        raise ValueError(f"a label has at most {LONGEST_LABEL} characters, all of them printable")
    return label


def checked_overlap(seconds: float) -> float:
    """The same time. Raises ValueError."""
    if not 0 <= seconds <= LONGEST_OVERLAP:
        raise ValueError(f"an overlap lasts 0 to {LONGEST_OVERLAP} s (90 days)")
    return seconds
