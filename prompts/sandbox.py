"""The body of a template: Jinja, cut down to what fills in a text.

A body is a list of `{% message role="..." %}...{% endmessage %}` blocks with conditions and loops in and around them.
It calls nothing, assigns nothing, multiplies nothing and loads nothing: every construct, filter and test is on a list
here, checked on the syntax tree before anything is compiled (`prompts.lint`). Does not know files, schemas or versions.

Invariants: a value is data and never template text or a message, as messages are collected while the body runs and no
rendered text is parsed again; a printed value comes out byte for byte, as only the template's own white space at the
edges of a block is cut; printing and looping draw on one budget, so that output and loops have an end. Time is not
capped beyond that: whoever writes templates is reviewed, whoever calls them is not.
"""

import json
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, UndefinedError, meta, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.filters import FILTERS
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS

from prompts.errors import Fault, LibraryError, RenderError
from prompts.lint import lint

ROLES = ("system", "user", "assistant")
OUTPUT_CAP = 1 << 20  # bytes of one rendered prompt: some 250,000 tokens, more than the windows we serve

_FILTERS = ["capitalize", "count", "d", "default", "first", "int", "items", "last", "length", "list", "lower"]
_FILTERS += ["reverse", "sort", "title", "trim", "unique", "upper"]
_TESTS = ["boolean", "defined", "divisibleby", "even", "false", "in", "integer", "mapping", "none", "number", "odd"]
_TESTS += ["sequence", "string", "true", "undefined"]
# Not identifiers, so no template can name them.
_TRANSCRIPT, _METERED = "the transcript", "the meter"
_LOOP_COST = 16  # bytes charged per turn of a loop at least: 65,536 turns at most


class _Refused(Exception):
    """Raised inside a template with a text that holds no value."""


class _Transcript:
    """The messages of one render, and how many bytes it may still produce."""

    def __init__(self, left: int) -> None:
        self.messages: list[dict[str, str]] = []
        self._left = left

    def charge(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _Refused(f"the prompt is larger than {OUTPUT_CAP} bytes")


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _text(value: Any) -> str:
    """Text and numbers as text; anything else is a mistake that would reach the model as Python's repr."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Undefined):
        raise _Refused(f"prints a value of type {type(value).__name__}: use a filter such as tojson or default")
    return str(value)  # of an Undefined: raises UndefinedError


@pass_context
def _print(context: Context, value: Any) -> str:
    """What `{{ }}` puts out."""
    text = _text(value)
    context[_TRANSCRIPT].charge(_size(text))
    return text


@pass_context
def _metered(context: Context, items: Iterable[Any], cost: int) -> Iterator[Any]:
    for item in items:
        context[_TRANSCRIPT].charge(cost)
        yield item


def _tojson(value: Any) -> str:
    """JSON as the model should read it, without the HTML escapes of Jinja's own filter."""
    return json.dumps(value, ensure_ascii=False)


def _join(items: Iterable[Any], separator: str = "") -> str:
    texts = [_text(item) for item in items]
    if sum(map(len, texts)) + len(separator) * len(texts) > OUTPUT_CAP:
        raise _Refused(f"join makes a text of more than {OUTPUT_CAP} characters")
    return separator.join(texts)


_OWN_FILTERS: dict[str, Callable[..., str]] = {"join": _join, "tojson": _tojson}


class _MessageTag(Extension):
    """`{% message role="user" %}...{% endmessage %}`; the role is a literal, so no value can choose it."""

    tags = {"message"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        parser.stream.expect("name:role")
        parser.stream.expect("assign")
        role = parser.stream.expect("string").value
        if role not in ROLES:
            parser.fail(f"the role of a message is one of {', '.join(ROLES)}", line)
        body = parser.parse_statements(("name:endmessage",), drop_needle=True)
        for side in (str.lstrip, str.rstrip):
            _cut_edge(body, side)
        call = self.call_method("_collect", [nodes.Const(role), nodes.ContextReference()], lineno=line)
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _collect(self, role: str, context: Context, caller: Macro) -> str:
        context[_TRANSCRIPT].messages.append({"role": role, "content": str(caller())})
        return ""


def _cut_edge(body: list[nodes.Node], cut: Callable[[str], str]) -> None:
    """Cut the template's own white space at one edge of a block, up to the first value, loop or text there."""
    order = list if cut is str.lstrip else reversed
    for node in order(body):
        if isinstance(node, nodes.If):
            for branch in (node.body, *(other.body for other in node.elif_), node.else_):
                _cut_edge(branch, cut)
        if not isinstance(node, nodes.Output):
            return
        for part in order(node.nodes):
            if not isinstance(part, nodes.TemplateData):
                return
            part.data = cut(part.data)
            if part.data:
                return


def _environment() -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_print,
        extensions=[_MessageTag],
        autoescape=False,
        loader=None,
    )
    made.filters = {name: FILTERS[name] for name in _FILTERS} | _OWN_FILTERS | {_METERED: _metered}
    made.tests = {name: TESTS[name] for name in _TESTS}
    return made


_ENVIRONMENT = _environment()


class Program:
    """A compiled body."""

    def __init__(self, path: str, body: str) -> None:
        """Raises LibraryError with every fault of the body; `path` is the name in their texts."""
        try:
            tree = _ENVIRONMENT.parse(body)
            if faults := lint(path, tree, [*_FILTERS, *_OWN_FILTERS], _TESTS):
                raise LibraryError(faults)
            self.free = {name: _line_of(tree, name) for name in sorted(meta.find_undeclared_variables(tree))}
            self._template = _compile(path, tree)
        except TemplateSyntaxError as error:
            raise LibraryError([Fault(path, error.lineno, error.message or "not a template")]) from None
        except (RecursionError, MemoryError, SyntaxError):  # limits of Python's parser, such as 20 nested blocks
            raise LibraryError([Fault(path, 0, "loops or expressions are nested too deeply")]) from None
        self._path = path
        self._left = OUTPUT_CAP - _size(body)

    def render(self, values: Mapping[str, Any]) -> list[dict[str, str]]:
        """OpenAI messages (`role`, `content`). Raises RenderError, naming the line and no value."""
        transcript = _Transcript(self._left)
        context = self._template.new_context({**values, _TRANSCRIPT: transcript})
        try:
            for _ in self._template.root_render_func(context):
                pass
        except Exception as error:  # an expression over arbitrary data can raise whatever Python's operators raise
            raise RenderError(f"{self._path}:{self._line(error)}: {_reason(error)}") from None
        if not transcript.messages:
            raise RenderError(f"{self._path}: no message was produced")
        return transcript.messages

    def _line(self, error: Exception) -> int:
        frames = traceback.walk_tb(error.__traceback__)
        mine = [line for frame, line in frames if frame.f_code.co_filename == self._path]
        return self._template.get_corresponding_lineno(mine[-1]) if mine else 1


def _compile(path: str, tree: nodes.Template) -> Template:
    for loop in tree.find_all(nodes.For):
        repeated = sum(_size(text.data) for text in loop.find_all(nodes.TemplateData))
        cost = nodes.Const(max(_LOOP_COST, repeated))
        loop.iter = nodes.Filter(loop.iter, _METERED, [cost], [], None, None, lineno=loop.lineno)
    no_globals: dict[str, Any] = {}
    return Template.from_code(_ENVIRONMENT, _ENVIRONMENT.compile(tree, filename=path), no_globals)


def _line_of(tree: nodes.Template, name: str) -> int:
    return min(node.lineno for node in tree.find_all(nodes.Name) if node.name == name)


def _reason(error: Exception) -> str:
    match error:
        case _Refused():
            return str(error)
        case UndefinedError():
            return "uses a value that is not there: test it with `is defined` or give a default"
        case SecurityError():
            return "uses an attribute that templates may not see"
        case _:
            return f"fails with {type(error).__name__} on these variables"
