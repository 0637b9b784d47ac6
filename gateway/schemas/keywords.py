"""Where JSON Schema holds schemas: the keywords of draft 7 and 2020-12 (and 2019-09 between them) that take some.

APART are those whose schemas never meet the same value twice: a name is a property or an additional one, an item has
one index. The others may meet the same one, or all the value that their parent meets.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

APART = frozenset({"properties", "additionalProperties", "prefixItems", "items", "additionalItems"})
NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "dependencies"})
LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
SINGLE = frozenset(
    {
        "not", "if", "then", "else", "additionalProperties", "items", "additionalItems", "contains", "propertyNames",
        "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip


def within(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The schemas directly within, each with its keyword; `true` and `false` left out. Definitions are not: only what
    refers to them applies them."""
    for keyword, value in schema.items():
        if keyword in NAMED and isinstance(value, Mapping):
            found = list(value.values())
        elif keyword in LISTED and isinstance(value, list):
            found = value
        else:
            found = [value] if keyword in SINGLE else []
        for one in found:
            if isinstance(one, Mapping):
                yield keyword, one


def patterns(schema: Schema) -> list[str]:
    """The patterns of a schema itself."""
    keyed = schema.get("patternProperties")
    found = [schema.get("pattern"), *(keyed if isinstance(keyed, Mapping) else ())]
    return [pattern for pattern in found if isinstance(pattern, str)]
