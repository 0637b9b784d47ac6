"""What a template body may be made of, checked on its syntax tree before it is compiled.

A list of what is allowed, so that a construct nobody thought of is refused. Left out on purpose: calls of anything but
a macro, assignment, and `*`, `**` and `%` (each turns a line of template into gigabytes). Which macros and partials
there are is for `prompts.link`. Does not run anything; knows the tree of Jinja and no values.
"""

from collections.abc import Collection, Iterator

from jinja2 import nodes

from prompts.errors import Fault

_STRUCTURE = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For)
_VALUES = (nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Getattr, nodes.Getitem, nodes.Slice)
_LOGIC = (nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Test)
_TEXT = (nodes.Add, nodes.Sub, nodes.Div, nodes.FloorDiv, nodes.Neg, nodes.Concat, nodes.Filter, nodes.Keyword)
_SHARED = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Macro, nodes.Call)
_ALLOWED = (*_STRUCTURE, *_VALUES, *_LOGIC, *_TEXT, *_SHARED)
_DEFINITIONS = (nodes.Import, nodes.FromImport, nodes.Macro)

# Names that Jinja binds by itself: inside a message block they are the machinery of that block.
_MACHINERY = frozenset({"self", "caller", "varargs", "kwargs"})
_LARGEST = 2**63  # of a number that a template writes: sums of longer ones take time

_Found = Iterator[tuple[int, str]]


def lint(
    path: str, tree: nodes.Template, filters: Collection[str], tests: Collection[str], partial: bool = False
) -> list[Fault]:
    """Every fault of one tree, in the order of its lines; a partial is text for a message, and holds none."""
    found = [*_nodes(tree, filters, tests), *_places(tree.body, top=True), *_outside(tree.body, inside=partial)]
    if not partial and tree.find(nodes.CallBlock) is None:
        found.append((1, 'has no {% message role="..." %} block'))
    return [Fault(path, line, message) for line, message in sorted(set(found))]


def _nodes(tree: nodes.Template, filters: Collection[str], tests: Collection[str]) -> _Found:
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
            case nodes.Name(name=name) | nodes.Macro(name=name) if name.startswith("_"):
                yield node.lineno, f"{name}: names that begin with an underscore cannot be used"
            case nodes.Const(value=int(number)) if abs(number) > _LARGEST:
                yield node.lineno, "a number of more than 64 bits cannot be used"
            case nodes.Include() | nodes.Import() | nodes.FromImport():
                yield from _plain(node)
            case _ if not isinstance(node, _ALLOWED) and not _is_message(node):
                yield node.lineno, f"{type(node).__name__} is not allowed in a prompt: values, filters, if and for are"


def _plain(node: nodes.Include | nodes.Import | nodes.FromImport) -> _Found:
    """A partial is named by its file's name, so that what a version is made of can be read off its text."""
    if not (isinstance(node.template, nodes.Const) and isinstance(node.template.value, str)):
        yield node.lineno, "names a partial by a text between quotes, not by a value"
    if isinstance(node, nodes.Include) and (node.ignore_missing or not node.with_context):
        yield node.lineno, "include takes no `ignore missing` and no `without context`"
    if not isinstance(node, nodes.Include) and node.with_context:
        yield node.lineno, "import takes no `with context`: give a macro what it needs"


def _is_message(node: nodes.Node) -> bool:
    """Whether a node belongs to our own block: only it, and nothing a template can write, calls an extension."""
    match node:
        case nodes.CallBlock(call=nodes.Call(node=nodes.ExtensionAttribute())):
            return True
        case nodes.ExtensionAttribute() | nodes.ContextReference():
            return True
    return False


def _places(body: list[nodes.Node], top: bool) -> _Found:
    """Definitions below the top of a file."""
    for node in body:
        if isinstance(node, _DEFINITIONS) and not top:
            yield node.lineno, "macros and imports stand at the top of a file, in no block"
        yield from _places([child for child in node.iter_child_nodes() if isinstance(child, nodes.Stmt)], top=False)


def _outside(body: list[nodes.Node], inside: bool) -> _Found:
    """Text that belongs to no message, and messages within messages."""
    for node in body:
        match node:
            case nodes.CallBlock() if inside:
                yield node.lineno, "a message block cannot stand inside another, in a macro or in a partial"
            case nodes.CallBlock() | nodes.Macro():
                yield from _outside(node.body, inside=True)
            case nodes.If():
                yield from _outside([*node.body, *node.elif_, *node.else_], inside)
            case nodes.For():
                yield from _outside([*node.body, *node.else_], inside)
            case nodes.Include() if not inside:
                yield node.lineno, "text outside of a message block reaches nobody: include it in one"
            case nodes.Output() if not inside:
                for line in filter(None, map(_line_of_text, node.nodes)):
                    yield line, "text outside of a message block reaches nobody: move it into one"


def _line_of_text(part: nodes.Node) -> int | None:
    """Where a printed part begins to show; None for white space."""
    if not isinstance(part, nodes.TemplateData):
        return part.lineno
    shown = part.data.lstrip()
    return part.lineno + part.data.count("\n", 0, len(part.data) - len(shown)) if shown else None
