"""What can go wrong with a prompt, drawn as a tree.

    PromptError
    ├── LibraryError     files on disk cannot be used: every fault of every file, for the people who write templates
    ├── PromptNotFound   the caller named an id or a version that does not exist or cannot be used
    ├── VariableError    the caller's variables do not satisfy the template's schema; `param` names the variable
    └── RenderError      the template itself failed on variables that its schema allows

Invariant: no text here holds the value of a variable or of a passage.
"""

from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 10  # names listed in a message: enough to see a misspelling, short enough for one line
_ECHO = 80  # characters of a caller's own id or version that are given back


class PromptError(Exception):
    """Any failure of this package."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one file, by its path below the prompts folder; `line` 0 means the whole file."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


class LibraryError(PromptError):
    """Raised when template files are faulty; the text has one fault per line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


class PromptNotFound(PromptError):
    """Raised for an unknown id or version; `known` holds the ids, or that id's versions, that would have worked."""

    def __init__(self, id: str, version: str | None, known: Sequence[str], why: str = "") -> None:
        wanted = f"prompt {id[:_ECHO]!r}" + (f" in version {version[:_ECHO]!r}" if version is not None else "")
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        listed = (", ".join(known[:_SHOWN]) or "none") + more
        super().__init__(f"{wanted} cannot be used: {why}" if why else f"there is no {wanted}; known: {listed}")
        self.id = id
        self.version = version
        self.known = tuple(known)


class VariableError(PromptError):
    """Raised when variables fail their schema; `param` is its path, like `items.2.name`, or empty for them all."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param
        self.message = message


class RenderError(PromptError):
    """Raised when a template fails while it renders: a value that is not there, an output over the cap."""
