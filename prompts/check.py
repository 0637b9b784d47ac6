"""Every fault of a folder of templates, for people and for continuous integration. Starts nothing, changes nothing."""

from pathlib import Path

from prompts.errors import Fault, LibraryError
from prompts.library import Library

__all__ = ["Fault", "check"]


def check(root: Path) -> list[Fault]:
    """The faults of every template below `root`, by file and line; empty when the library would load."""
    try:
        Library.load(root)
    except LibraryError as error:
        return sorted(error.faults, key=lambda fault: (fault.path, fault.line, fault.message))
    return []
