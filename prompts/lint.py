"""What a template body may be made of, checked on its syntax tree before it is compiled.

A list of what is allowed, so that a construct nobody thought of is refused. Left out on purpose: calls, assignment and
macros, `*`, `**` and `%` (each turns a line of template into gigabytes), and whatever loads another file.
Does not run anything; knows the tree of Jinja and no values.
"""

from collections.abc import Collection, Iterator

from jinja2 import nodes

from prompts.errors import Fault

_STRUCTURE = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For)
_VALUES = (nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Getattr, nodes.Getitem, nodes.Slice)
_LOGIC = (nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Test)
_TEXT = (nodes.Add, nodes.Sub, nodes.Div, nodes.FloorDiv, nodes.Neg, nodes.Concat, nodes.Filter, nodes.Keyword)
_ALLOWED = (*_STRUCTURE, *_VALUES, *_LOGIC, *_TEXT)

# Names that Jinja binds by itself: inside a message block they are the machinery of that block.
_MACHINERY = frozenset({"self", "caller", "varargs", "kwargs"})


def lint(path: str, tree: nodes.Template, filters: Collection[str], tests: Collection[str]) -> list[Fault]:
    """Every fault of one tree, in the order of its lines."""
    found = [*_nodes(tree, filters, tests), *_outside(tree.body, inside=False)]
    if tree.find(nodes.CallBlock) is None:
        found.append((1, 'has no {% message role="..." %} block'))
    return [Fault(path, line, message) for line, message in sorted(set(found))]


def _nodes(tree: nodes.Template, filters: Collection[str], tests: Collection[str]) -> Iterator[tuple[int, str]]:
    for node in tree.find_all(nodes.Node):
        match node:
            case nodes.Filter(name=name) if name not in filters:
                yield node.lineno, f"there is no filter {name}; there are {', '.join(sorted(filters))}"
            case nodes.Test(name=name) if name not in tests:
                yield node.lineno, f"there is no test {name}; there are {', '.join(sorted(tests))}"
            case nodes.Name(name=name) if name in _MACHINERY:
                yield node.lineno, f"{name} cannot be used"
            case nodes.Getattr(attr=name) | nodes.Getitem(arg=nodes.Const(value=str(name))) if name.startswith("_"):
                yield node.lineno, f"{name}: names that begin with an underscore cannot be used"
            case _ if not isinstance(node, _ALLOWED) and not _is_message(node):
                yield node.lineno, f"{type(node).__name__} is not allowed in a prompt: values, filters, if and for are"


def _is_message(node: nodes.Node) -> bool:
    """Whether a node belongs to our own block: only it, and nothing a template can write, calls an extension."""
    match node:
        case nodes.CallBlock(call=nodes.Call(node=nodes.ExtensionAttribute())):
            return True
        case nodes.Call(node=nodes.ExtensionAttribute()) | nodes.ExtensionAttribute() | nodes.ContextReference():
            return True
    return False


def _outside(body: list[nodes.Node], inside: bool) -> Iterator[tuple[int, str]]:
    """Text that belongs to no message, and messages within messages."""
    for node in body:
        match node:
            case nodes.CallBlock() if inside:
                yield node.lineno, "a message block cannot stand inside another"
            case nodes.CallBlock():
                yield from _outside(node.body, inside=True)
            case nodes.If():
                yield from _outside([*node.body, *node.elif_, *node.else_], inside)
            case nodes.For():
                yield from _outside([*node.body, *node.else_], inside)
            case nodes.Output() if not inside:
                for line in filter(None, map(_line_of_text, node.nodes)):
                    yield line, "text outside of a message block reaches nobody: move it into one"


def _line_of_text(part: nodes.Node) -> int | None:
    """Where a printed part begins to show; None for white space."""
    if not isinstance(part, nodes.TemplateData):
        return part.lineno
    shown = part.data.lstrip()
    return part.lineno + part.data.count("\n", 0, len(part.data) - len(shown)) if shown else None
