"""Which line of a TOML text a key stands on, for messages about it: parsers give values without their places. Pure.

Knows no settings. It reads lines, not TOML: inside a text that spans several lines it may point at the wrong one.
"""

import re
from itertools import takewhile
from typing import Any

# Keys and headers: https://toml.io/en/v1.0.0#keys
_NAME = re.compile(r"""\"([^\"]*)\"|'([^']*)'|([\w-]+)""")
_HEADER = re.compile(r"\s*\[{1,2}([^\]]+)\]")
_KEY = re.compile(r"""\s*((?:\"[^\"]*\"|'[^']*'|[\w.\s-])+?)\s*=""")


def line_of(text: str, where: tuple[Any, ...]) -> int:
    """The first line that names as much of the path `where` as any does: a section's header, or a key in its section.

    Lines count from 1, which is also what a path gets that the text does not name at all.
    """
    wanted, section, best, found = [str(part) for part in where], [], 0, 1
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            named = section = _names(header[1])
        elif key := _KEY.match(line):
            named = section + _names(key[1])
        else:
            continue
        alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(named, wanted, strict=False)))
        if alike > best:
            best, found = alike, number
    return found


def _names(dotted: str) -> list[str]:
    """The parts of a TOML key: `models."a.b"` is models and a.b."""
    return ["".join(part) for part in _NAME.findall(dotted)]
