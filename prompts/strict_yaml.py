"""YAML as people expect it in a header: plain data, and nothing that surprises.

PyYAML's safe loader follows YAML 1.1, keeps the last of two equal keys and expands aliases. Here `off`, `no` and dates
stay text (the booleans of YAML 1.2, section 10.3.2: true and false), equal keys are an error, and so are aliases, with
which a few lines can describe gigabytes.
"""

import re
from collections.abc import Hashable
from typing import Any

import yaml

_LEGACY = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(None, None, "aliases are not allowed", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key.value!r}", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag not in _LEGACY]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def load(text: str) -> Any:
    """The value of one document. Raises yaml.YAMLError, whose `problem_mark.line` counts from 0."""
    return yaml.load(text, _Loader)
