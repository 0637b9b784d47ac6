"""The checks of fields that are more than one value: formats of an answer, tools, biases. What they take is vLLM's,
within bounds. Knows no endpoint.
"""

from typing import Any

from serving.bounds import (
    Check,
    accepting,
    either,
    flag,
    integer,
    json_object,
    number,
    one_of,
    record,
    several,
    text,
)

# Grammars are compiled by the engine for everyone, so they stay small: the largest real ones are some 20 KiB.
GRAMMAR_CHARS = 16 * 1024
SCHEMA_BYTES, SCHEMA_LEVELS = 64 * 1024, 32  # vLLM itself stops at 64 levels
DESCRIPTION_CHARS = 32 * 1024  # agents explain a tool in some 10,000 characters
NAME_CHARS = 128  # Anthropic's bound; OpenAI's is 64

_schema = json_object(SCHEMA_BYTES, SCHEMA_LEVELS)
_name = text(NAME_CHARS)
_description = text(DESCRIPTION_CHARS)
_function = record({"name": _name}, {"description": _description, "parameters": _schema, "strict": flag})

tool = record({"type": one_of("function"), "function": _function}, {})
tool_choice = either(
    one_of("none", "auto", "required"),
    record({"type": one_of("function"), "function": record({"name": _name}, {})}, {}),
)
repetition = record(
    {"max_pattern_size": integer(1, 100), "min_count": integer(2, 1000)}, {"min_pattern_size": integer(1, 100)}
)


_bias = number(-100, 100)
_named = record({"name": _name, "schema": _schema}, {"description": _description, "strict": flag})
_formats = {
    "json_schema": record({"type": one_of("json_schema"), "json_schema": _named}, {}),
    "json_object": record({"type": one_of("json_object")}, {}),
    "text": record({"type": one_of("text")}, {}),
}
_grammars: dict[str, Check] = {
    "json": _schema,
    "regex": text(1024),
    "choice": several(text(256), 256),
    "grammar": text(GRAMMAR_CHARS),
}
_grammar = record({}, {**_grammars, "disable_any_whitespace": flag})


@accepting(type="object", propertyNames={"pattern": "^[0-9]+$"}, additionalProperties=_bias.schema, maxProperties=300)
def logit_bias(value: Any) -> None:
    """OpenAI: token ids as strings, biases from -100 to 100, at most 300 of them."""
    if not isinstance(value, dict) or len(value) > 300:
        raise ValueError("must be an object of at most 300 entries")
    for token, amount in value.items():
        if not token.isascii() or not token.isdigit():
            raise ValueError("must have token ids as its keys")
        _bias(amount)


@accepting(anyOf=[check.schema for check in _formats.values()])
def response_format(value: Any) -> None:
    """OpenAI's: text, some JSON object, or JSON of a schema."""
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _formats:
        raise ValueError("must be an object whose type is text, json_object or json_schema")
    _formats[kind](value)


@accepting(**_grammar.schema, oneOf=[{"required": [kind]} for kind in _grammars])
def structured_outputs(value: Any) -> None:
    """vLLM's: one of its kinds of grammar."""
    _grammar(value)
    if len(_grammars.keys() & value.keys()) != 1:
        raise ValueError("must have exactly one of json, regex, choice, grammar")
