"""What an answer must be: the format that a request wants, read from the fields that name one. Checks nothing.

The engine is given the same fields; that it was guided is no proof (it skips what it does not support).
"""

from collections.abc import Mapping
from typing import Any, Literal

from serving.frozen import dataclass

Kind = Literal["text", "json", "regex", "choice", "grammar"]
Param = Literal["response_format", "structured_outputs"]
ANY = {"type": "object"}  # what response_format json_object promises: some JSON object


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model may call: the schema of its arguments. `strict`: the engine was told to hold to it."""

    name: str
    parameters: Mapping[str, Any] | None
    strict: bool


@dataclass(frozen=True, slots=True)
class Format:
    """Of the content: `schema` where it is json, `regex` or `choices` where it is these; and the tools it may call.

    A `grammar` (EBNF) is only the engine's to check. `param`: the field that names the format. `demands`: an answer
    that calls none of the tools is none.
    """

    kind: Kind = "text"
    schema: Mapping[str, Any] | None = None
    regex: str | None = None
    choices: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    param: Param = "response_format"
    demands: bool = False

    @property
    def structured(self) -> bool:
        """Whether half an answer is none: it cannot be continued, and its text is no prose."""
        return self.kind != "text"


def wanted(fields: Mapping[str, Any]) -> Format:
    """The format that these fields want (OpenAI's response_format and tools, vLLM's structured_outputs)."""
    kind, value, param = _content(fields)
    tools, choice = _tools(fields), fields.get("tool_choice")
    return Format(
        kind,
        schema=value if kind == "json" else None,
        regex=value if kind == "regex" else None,
        choices=tuple(value) if kind == "choice" else (),
        tools=tools,
        param=param,
        demands=bool(tools) and _demands(choice),
    )


def _content(fields: Mapping[str, Any]) -> tuple[Kind, Any, Param]:
    response, outputs = fields.get("response_format") or {}, fields.get("structured_outputs") or {}
    if response.get("type") == "json_schema":
        return "json", (response.get("json_schema") or {}).get("schema") or {}, "response_format"
    if response.get("type") == "json_object":
        return "json", ANY, "response_format"
    for kind in ("json", "regex", "choice", "grammar"):
        if outputs.get(kind) is not None:
            return kind, outputs[kind], "structured_outputs"
    return "text", None, "response_format"


def _tools(fields: Mapping[str, Any]) -> tuple[Tool, ...]:
    """Those that may be called: the one that tool_choice names, or all."""
    choice, functions = fields.get("tool_choice"), [tool["function"] for tool in fields.get("tools") or ()]
    if isinstance(choice, Mapping):
        functions = [function for function in functions if function["name"] == choice["function"]["name"]]
    return tuple(_tool(function, _demands(choice)) for function in functions)


def _demands(choice: Any) -> bool:
    return choice == "required" or isinstance(choice, Mapping)


def _tool(function: Mapping[str, Any], demanded: bool) -> Tool:
    """vLLM guides a call's arguments where the call is demanded: tool_choice `required`, or one tool by its name."""
    return Tool(function["name"], function.get("parameters"), bool(function.get("strict")) or demanded)
