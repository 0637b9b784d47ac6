"""What a key may use, and the tags it stamps on its requests. Pure: knows no store, no HTTP and no terminal.

A scope's entry is a whole name, or a beginning of names with a final `*`; alone, `*` is everything. Invariant: whether
something exists is not told to a key that may not use it, so scopes are asked before anything is looked up.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gateway.errors import InvalidValue, NotAllowed
from gateway.exchange import Options

MOST_ENTRIES = 64  # of one kind: a key that needs more needs a common beginning
MOST_TAGS = 16  # of a request, the key's among them
TAG_NAME, TAG_VALUE = 64, 256  # characters
ENTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}\*?|\*")  # a name as the settings write it


def permits(entries: Sequence[str] | None, name: str) -> bool:
    """Whether a scope's entries (None: there is no such restriction) cover this name."""
    return entries is None or any(
        name.startswith(entry[:-1]) if entry.endswith("*") else name == entry for entry in entries
    )


def demand(entries: Sequence[str] | None, name: str, kind: str, param: str) -> None:
    """Raises NotAllowed, naming what the key may use, unless the entries cover this `kind` of thing."""
    if not permits(entries, name):
        raise NotAllowed(f"This key may not use the {kind} {name!r}; it may use {named(entries)}.", param=param)


def named(entries: Sequence[str] | None) -> str:
    """A scope in words: `a, b/*`, `none` or `all`."""
    return "all" if entries is None else ", ".join(entries) or "none"


def stamped(options: Options, stamp: Mapping[str, str]) -> Options:
    """The request's options with the key's own tags among its tags.

    Raises NotAllowed where the request gives such a tag another value, InvalidValue for too many tags.
    """
    if not stamp:
        return options
    for name, value in options.tags.items():
        if stamp.get(name, value) != value:
            raise NotAllowed(
                f"This key's requests have the tag {name}={stamp[name]}; leave the tag out or give it that value.",
                param="gateway.tags",
            )
    tags = {**options.tags, **stamp}
    if len(tags) > MOST_TAGS:
        raise InvalidValue(
            f"With the key's own {len(stamp)} tags this request has {len(tags)}; at most {MOST_TAGS} are taken.",
            param="gateway.tags",
        )
    return replace(options, tags=tags)


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The same tags. Raises ValueError that says what is wrong, without the value."""
    if len(tags) > MOST_TAGS:
        raise ValueError(f"there are {len(tags)} tags; at most {MOST_TAGS} are taken")
    for name, value in tags.items():
        if not 0 < len(name) <= TAG_NAME or not name.isprintable() or name != name.strip() or set(name) & set("=,"):
            # The command line writes a tag as name=value; usage separates its groups with commas, and spaces.
            raise ValueError(f"a tag's name has 1 to {TAG_NAME} printable characters, no `=`, no comma, no outer space")
        if len(value) > TAG_VALUE or not value.isprintable():
            raise ValueError(f"the tag {name} has a value of more than {TAG_VALUE} or of unprintable characters")
    return dict(tags)


def checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The same access labels, sorted, each once. Raises ValueError that says what would be right."""
    if len(labels) > MOST_ENTRIES:
        raise ValueError(f"there are {len(labels)} access labels; at most {MOST_ENTRIES} are taken")
    for label in labels:
        if not 0 < len(label) <= TAG_NAME or not label.isprintable() or label != label.strip():
            raise ValueError(f"an access label has 1 to {TAG_NAME} printable characters and no outer space")
    return tuple(sorted(set(labels)))


def checked_entries(entries: Sequence[str]) -> tuple[str, ...]:
    """The same entries. Raises ValueError that says what would be right."""
    if len(entries) > MOST_ENTRIES:
        raise ValueError(f"there are {len(entries)} entries; at most {MOST_ENTRIES} are taken, use a beginning with *")
    for entry in entries:
        if not ENTRY.fullmatch(entry):
            raise ValueError(f"{entry[:128]!r} is neither a name nor a beginning of names with a final *")
    return tuple(entries)
