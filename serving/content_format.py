"""Whether a chat template wants a message's content as one string or as OpenAI's list of parts.

vLLM decides by reading the template: one that loops over a message's content wants parts ("openai"), any other a
"string". This is the same reading (vLLM 0.32, `renderers/hf.py`, _detect_content_format): it follows assignments and
macro arguments by name, without scopes.
"""

from collections.abc import Iterator

from jinja2 import nodes

from serving.conversation import ContentFormat


def content_format(template: nodes.Template) -> ContentFormat:
    """The format of a parsed template."""
    messages = set(_loop_variables(template, _aliases(template, "messages"), None))
    if any(_loop_variables(template, messages, "content")):
        return "openai"
    in_macros = set()
    for macro in template.find_all(nodes.Macro):
        taken = _content_parameters(template, macro, messages)
        for loop in macro.find_all(nodes.For):
            in_macros.add(id(loop))
            if isinstance(loop.iter, nodes.Name) and loop.iter.name in taken:
                return "openai"
    outside = [loop.iter for loop in template.find_all(nodes.For) if id(loop) not in in_macros]
    return "openai" if any(isinstance(over, nodes.Name) and over.name == "content" for over in outside) else "string"


def _aliases(template: nodes.Template, name: str) -> set[str]:
    """`name` and every name that is assigned from it, filtered or sliced or not."""
    found, open_names = {name}, [name]
    while open_names:
        current = open_names.pop()
        for assign in template.find_all(nodes.Assign):
            if isinstance(assign.target, nodes.Name) and _reads(assign.node, current, None):
                if assign.target.name not in found:
                    open_names.append(assign.target.name)
                found.add(assign.target.name)
    return found


def _loop_variables(template: nodes.Template, names: set[str], key: str | None) -> Iterator[str]:
    """The variables of loops over one of the names, or over its key."""
    for loop in template.find_all(nodes.For):
        if isinstance(loop.target, nodes.Name) and any(_reads(loop.iter, name, key) for name in names):
            yield loop.target.name


def _content_parameters(template: nodes.Template, macro: nodes.Macro, messages: set[str]) -> set[str]:
    """The parameters of a macro that are somewhere called with a message's content."""
    taken = set()
    for call in template.find_all(nodes.Call):
        if not isinstance(call.node, nodes.Name) or call.node.name != macro.name:
            continue
        named = [(keyword.key, keyword.value) for keyword in call.kwargs]
        placed = [(parameter.name, value) for parameter, value in zip(macro.args, call.args, strict=False)]
        for parameter, value in named + placed:
            if any(_reads(value, name, "content") for name in messages):
                taken.add(parameter)
    return taken


def _reads(node: nodes.Node | None, name: str, key: str | None) -> bool:
    """Whether an expression is the variable, or its key, through filters, tests and slices."""
    match node:
        case nodes.Filter() | nodes.Test():
            return _reads(node.node, name, key)
        case nodes.Getitem(arg=nodes.Slice()):
            return _reads(node.node, name, key)
        case nodes.Getitem(arg=nodes.Const(value=value)) if key is not None:
            return bool(value == key) and _is_name(node.node, name)
        case nodes.Getattr() if key is not None:
            return node.attr == key and _is_name(node.node, name)
    return key is None and _is_name(node, name)


def _is_name(node: nodes.Node | None, name: str) -> bool:
    return isinstance(node, nodes.Name) and node.ctx == "load" and node.name == name
