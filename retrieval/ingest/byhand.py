"""Documents put in and taken out by hand. Later builds respect both; the folder of the settings is never written to.

Files from elsewhere are copied to `.added/` in the collection's own folder; their documents are called `added/NAME`. A
file of the collection's folder of documents is only taken back in. `by-hand.json` lists what was taken out, and the
labels and metadata given with what was added.

Invariant: what was added with labels is found with these only. So `.added` is hidden: a folder of documents that a
collection lies in is walked without it.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from retrieval.ingest.files import spelled
from retrieval.ingest.rules import Rule
from retrieval.parsing.formats import FORMATS, format_of

ADDED: Final = "added"  # in ids; the folder has a dot before it
LIST: Final = "by-hand.json"


class NotThere(Exception):
    """Raised for a file or a document that is none; nothing was changed then."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """`removed`: ids of documents or files. `rules`: what was said of files that were added."""

    removed: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = field(default=())


def load(target: Path) -> ByHand:
    """What was done by hand to the collection in a folder. Raises ValueError where its list was damaged."""
    try:
        fields = json.loads((target / LIST).read_bytes())
    except FileNotFoundError:
        return ByHand()
    except ValueError as error:
        raise ValueError(f"{target / LIST} is no JSON: correct it, it says who may see what was added") from error
    rules = (Rule(rule["match"], tuple(rule["access"]), rule["metadata"]) for rule in fields["rules"])
    return ByHand(frozenset(fields["removed"]), tuple(rules))


def add(
    source: Path | None,
    target: Path,
    files: Sequence[Path],
    access: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> list[str]:
    """Take files in; the next build indexes them. Their ids, in order. Raises NotThere, OSError."""
    for file in files:
        if not file.is_file() or not format_of(file.name) or file.name.startswith("."):
            known = ", ".join(suffix for format in FORMATS for suffix in format.suffixes)
            raise NotThere(f"{file} is no file of a known format: {known}")
    if len({file.name for file in files}) < len(files):
        raise NotThere(
            "two of the files have the same name: add them one after the other, the second replaces the first"
        )
    with _changing(target) as hand:
        names = [_place(source, target, file) for file in files]
        kept = [rule for rule in hand.rules if rule.match not in names]
        said = [Rule(name, tuple(access), metadata or {}) for name in names] if access or metadata else []
        _save(target, ByHand(hand.removed - set(names), (*kept, *said)))
    return names


def remove(target: Path, documents: Sequence[str], known: Mapping[str, object]) -> None:
    """Take documents or whole files out, by id; the next build leaves them out. Raises NotThere, OSError."""
    for name in documents:
        if name not in known and not any(other.startswith(f"{name}/") for other in known):
            raise NotThere(f"there is no document {name!r}")
    with _changing(target) as hand:
        _save(target, replace(hand, removed=hand.removed | set(documents)))
        for file in folder(target).glob("*"):
            if f"{ADDED}/{spelled(file.name)}" in documents:
                file.unlink()


def folder(target: Path) -> Path:
    """Where the files lie that were added to the collection in `target`."""
    return target / f".{ADDED}"


def _place(source: Path | None, target: Path, file: Path) -> str:
    if source and file.resolve().is_relative_to(source.resolve()):
        return spelled(file.resolve().relative_to(source.resolve()).as_posix())
    folder(target).mkdir(exist_ok=True)
    draft = folder(target) / f".{file.name}"
    shutil.copyfile(file, draft)
    draft.replace(folder(target) / file.name)
    return f"{ADDED}/{spelled(file.name)}"


@contextmanager
def _changing(target: Path) -> Iterator[ByHand]:
    target.mkdir(parents=True, exist_ok=True)
    with (target / f".{LIST}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands at once must not lose each other's change
        yield load(target)


def _save(target: Path, hand: ByHand) -> None:
    fields = {"removed": sorted(hand.removed), "rules": [asdict(rule) for rule in hand.rules]}
    with tempfile.NamedTemporaryFile("w", dir=target, prefix=f".{LIST}", delete=False) as draft:
        json.dump(fields, draft, indent=1)
    os.chmod(draft.name, 0o644)
    Path(draft.name).replace(target / LIST)
