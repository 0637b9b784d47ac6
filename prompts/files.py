"""The files of a prompts folder: which there are, what is what, and which of them a template is made of.

    templates/<id>.md.j2       templates, and beside them the files that their headers name (examples, tools)
    partials/<id>.md.j2        what bodies include and import

A version reads all of its files from one commit. What a file refers to is read off its text without parsing it: that
is quick enough to follow it through a history, and a name written so that it cannot be read off is a fault.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import pygit2

TEMPLATES, PARTIALS, SUFFIX = "templates", "partials", ".md.j2"

Read = Callable[[str], bytes | None]  # the bytes at a path below the folder; None when there is no such file

_PART = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_ID = re.compile(rf"{_PART}(?:/{_PART}){{0,7}}")
_BESIDE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.(?:ya?ml|jsonl?)")
_INCLUDED = re.compile(rf"""\{{%[-+]?\s*(?:include|import|from)\s*["']({_ID.pattern})["']""".encode())
_NAMED = re.compile(rf"""^(?:examples|tools)\s*[:=]\s*["']?({_BESIDE.pattern})["']?\s*(?:#.*)?\r?$""".encode(), re.M)


def is_id(name: str) -> bool:
    return _ID.fullmatch(name) is not None


def is_beside(name: str) -> bool:
    """Whether a header may name this file: one beside its template."""
    return _BESIDE.fullmatch(name) is not None


def is_template(path: str) -> bool:
    return path.startswith(f"{TEMPLATES}/") and path.endswith(SUFFIX)


def template_path(id: str) -> str:
    return f"{TEMPLATES}/{id}{SUFFIX}"


def partial_path(id: str) -> str:
    return f"{PARTIALS}/{id}{SUFFIX}"


def beside(path: str, name: str) -> str:
    return str(PurePosixPath(path).with_name(name))


def mentioned(path: str, data: bytes) -> Iterator[str]:
    """The files that a template or a partial may be made of besides: a few more than it is, never fewer."""
    for match in _INCLUDED.finditer(data):
        yield partial_path(match[1].decode())
    if not path.startswith(f"{PARTIALS}/"):
        for match in _NAMED.finditer(data):
            yield beside(path, match[1].decode())


def parts(path: str, read: Read) -> dict[str, bytes]:
    """A template's files by path, itself first; those that are missing are left out."""
    found: dict[str, bytes] = {}
    waiting = [path]
    while waiting:
        one = waiting.pop()
        data = read(one) if one not in found else None
        if data is not None:
            found[one] = data
            if one.endswith(SUFFIX):
                waiting += mentioned(one, data)
    return found


def digest_of(data: bytes) -> str:
    """Git's name of these bytes, 40 hex digits (SHA-1)."""
    return str(pygit2.hash(data))


def digest_of_parts(digests: dict[str, str]) -> str:
    """The name of all that a template is made of, from the digests of its files by path.

    Of one file alone it is that file's; of several it is git's name of the list of them: `DIGEST PATH`, a line for each
    file in the order of their paths.
    """
    if len(digests) == 1:
        return next(iter(digests.values()))
    return digest_of("".join(f"{digest} {path}\n" for path, digest in sorted(digests.items())).encode())
