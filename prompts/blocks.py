"""`{% message role="user" %}...{% endmessage %}`: the tag that a body is made of.

Knows Jinja's parser and nothing of where the messages go: the render's own list is found in its context.
"""

from collections.abc import Callable

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro

ROLES = ("system", "user", "assistant")
MESSAGES = "the messages"  # not an identifier, so that no template can name it


class MessageTag(Extension):
    """A block whose text is one message; the role is a literal, so no value can choose it."""

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
        context[MESSAGES].append({"role": role, "content": str(caller())})
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
