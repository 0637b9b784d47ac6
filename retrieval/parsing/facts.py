"""What a document says about itself, checked: access labels that narrow who sees it, and metadata to filter by.

Invariant: labels that cannot be understood are an error and never no labels, which would show the document to all.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from retrieval.document import Facts, Unreadable
from retrieval.encodable import encodable

PLAIN = ("author", "date")  # fields that documents name outside `metadata`, for want of a standard that does


def facts(source_id: str, fields: Any) -> Facts:
    """The facts in a mapping as people write it: `title`, `author`, `date`, `access` (a label or a list of them) and
    `metadata` (a map of plain values), in upper or lower case; whatever else it has is passed over.

    Raises Unreadable.
    """
    if not isinstance(fields, Mapping):
        raise Unreadable(source_id, f"describes itself by {_kind(fields)}: it takes a map of names to values")
    said = [
        label for key, value in fields.items() if str(key).lower() == "access" for label in labels(source_id, value)
    ]
    fields = {str(key).lower(): value for key, value in fields.items()}
    known = {key: fields[key] for key in PLAIN if fields.get(key) is not None and _is_plain(fields[key])}
    metadata = fields.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise Unreadable(source_id, f"has {_kind(metadata)} as metadata: it takes a map of names to values")
    title = fields.get("title")
    return Facts(
        encodable(str(title)) if _is_plain(title) and title is not None else "",
        tuple(sorted(set(said))),
        dict(_texts(source_id, {**known, **metadata})),
    )


def labels(source_id: str, given: Any) -> tuple[str, ...]:
    """Access labels, each once and sorted. Raises Unreadable for what is neither a label nor a list of labels."""
    if given is None:
        return ()
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(label, str) and label.strip() for label in listed):
        raise Unreadable(source_id, f"has {_kind(given)} as access: it takes a label or a list of labels")
    return tuple(sorted({encodable(label.strip()) for label in listed}))


def listed(content: str | None) -> list[str]:
    """The parts of a comma-separated attribute."""
    return [part.strip() for part in (content or "").split(",") if part.strip()]


def plain(pairs: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Those of a file's own properties that say something."""
    return {key: text for key, value in pairs if value is not None and (text := _text(value).strip())}


def _texts(source_id: str, metadata: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for key, value in metadata.items():
        if not _is_plain(value):
            raise Unreadable(source_id, f"has {_kind(value)} as metadata {str(key)[:40]!r}: it takes a plain value")
        if value is not None:
            yield encodable(str(key)), _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date | datetime) else encodable(str(value))


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool | date)


def _kind(value: Any) -> str:
    return f"a value of type {type(value).__name__}"
