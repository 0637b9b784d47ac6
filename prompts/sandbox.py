"""The body of a template: Jinja, cut down to what fills in a text.

A body is a list of `{% message role="..." %}...{% endmessage %}` blocks with conditions and loops in and around them.
It calls nothing but macros, assigns nothing, multiplies nothing, and loads nothing while it renders: every construct,
filter and test is on a list, checked on the syntax tree before anything is compiled (`prompts.lint`, `prompts.link`,
`prompts.filters`). Does not know schemas or versions.

Invariants: a value is data and never template text or a message, as messages are collected while the body runs and no
rendered text is parsed again; a printed value comes out byte for byte, as only the template's own white space at the
edges of a block is cut; whatever takes time or memory is charged for before it happens (`prompts.meter`), so that a
render ends, and after the same step on every machine.
"""

import traceback
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, Template, UndefinedError, meta, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from prompts.blocks import MESSAGES, MessageTag
from prompts.errors import Fault, LibraryError, RenderError
from prompts.files import Read
from prompts.filters import FILTERS, MACHINERY, TESTS, text_of
from prompts.instrument import instrument
from prompts.link import link
from prompts.lint import lint
from prompts.meter import METER, OUTPUT_CAP, Meter, Refused, size


@pass_context
def _print(context: Context, value: Any) -> str:
    """What `{{ }}` puts out."""
    text = text_of(value)
    context[METER].output(size(text))
    return text


class _Environment(ImmutableSandboxedEnvironment):
    """One for all templates: it has no loader, no globals and no state."""

    intercepted_binops = frozenset({"+"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
            finalize=_print,
            extensions=[MessageTag],
            autoescape=False,
            loader=None,
        )
        self.filters = FILTERS | MACHINERY
        self.tests = dict(TESTS)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        for side in (left, right):
            context[METER].weigh(side, 2)  # two texts or lists become a third, beside them
        return super().call_binop(context, operator, left, right)


_ENVIRONMENT = _Environment()


def _nothing(path: str) -> None:
    """The files of a body that stands alone."""


class Program:
    """A compiled body."""

    def __init__(self, path: str, body: str, read: Read = _nothing) -> None:
        """`path` is the name in texts, `read` finds partials. Raises LibraryError with every fault of the body."""
        try:
            tree, self._files = link(path, body, read, _ENVIRONMENT.parse, _lint)
            self.free = {name: _line_of(tree, name) for name in sorted(meta.find_undeclared_variables(tree))}
            self._template = _compile(path, instrument(tree))
        except (RecursionError, MemoryError, SyntaxError):  # limits of Python's parser, such as 20 nested blocks
            raise LibraryError([Fault(path, 0, "loops or expressions are nested too deeply")]) from None
        self._path = path

    def unknown(self, names: frozenset[str]) -> list[Fault]:
        """The names that the body uses and these are not, each with its place."""
        free = [(*self._files.place(line), name) for name, line in self.free.items() if name not in names]
        return [Fault(path, line, f"{name} is not a declared variable") for path, line, name in sorted(free)]

    def render(self, values: Mapping[str, Any]) -> list[dict[str, str]]:
        """OpenAI messages (`role`, `content`). Raises RenderError, naming the line and no value."""
        messages: list[dict[str, str]] = []
        meter = Meter(OUTPUT_CAP - self._files.bytes)
        context = self._template.new_context({**values, METER: meter, MESSAGES: messages})
        try:
            for _ in self._template.root_render_func(context):
                pass
        except Exception as error:  # an expression over arbitrary data can raise whatever Python's operators raise
            path, line = self._place(error)
            raise RenderError(f"{path}:{line}: {_reason(error)}") from None
        if not messages:
            raise RenderError(f"{self._path}: no message was produced")
        return messages

    def _place(self, error: Exception) -> tuple[str, int]:
        frames = traceback.walk_tb(error.__traceback__)
        mine = [line for frame, line in frames if frame.f_code.co_filename == self._path]
        return self._files.place(self._template.get_corresponding_lineno(mine[-1]) if mine else 1)


def _lint(path: str, tree: nodes.Template, partial: bool) -> list[Fault]:
    return lint(path, tree, FILTERS, TESTS, partial)


def _compile(path: str, tree: nodes.Template) -> Template:
    no_globals: dict[str, Any] = {}
    return Template.from_code(_ENVIRONMENT, _ENVIRONMENT.compile(tree, filename=path), no_globals)


def _line_of(tree: nodes.Template, name: str) -> int:
    return min(node.lineno for node in tree.find_all(nodes.Name) if node.name == name)


def _reason(error: Exception) -> str:
    match error:
        case Refused():
            return str(error)
        case UndefinedError():
            return "uses a value that is not there: test it with `is defined` or give a default"
        case SecurityError():
            return "uses an attribute that templates may not see"
        case _:
            return f"fails with {type(error).__name__} on these variables"
