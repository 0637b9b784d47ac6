"""Access labels and metadata by where a file lies, as the settings say.

Invariant: labels of all rules that match are added up, so that a further rule only ever narrows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, slots=True)
class Rule:
    """For files whose path matches: labels that a reader must hold, all of them, and metadata.

    `match` is a path relative to the folder; `*` and `?` stay within a name, `**` crosses folders: "hr/**", "**/*.md".
    """

    match: str
    access: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    def matches(self, name: str) -> bool:
        """Whether it is about the file of that id."""
        return _pattern(self.match).fullmatch(name) is not None


def labels(rules: Sequence[Rule], name: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """The access labels and the metadata of a file; of the same metadata the last rule's counts."""
    matching = [rule for rule in rules if rule.matches(name)]
    access = {label for rule in matching for label in rule.access}
    return tuple(sorted(access)), {key: value for rule in matching for key, value in rule.metadata.items()}


@lru_cache(maxsize=1024)
def _pattern(match: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", match)
    return re.compile("".join(WILD.get(part, re.escape(part)) for part in parts), re.DOTALL)
