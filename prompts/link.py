"""A body and the partials that it includes or imports, made into one syntax tree.

Partials are `partials/<id>.md.j2` of the same version: `{% include "tone" %}`, `{% import "forms" as forms %}`,
`{% from "forms" import card %}`. An include becomes its text, and every macro stands once at the top under a name that
no template can write, so that nothing is looked up while a prompt renders. A macro can call those above it alone:
none can reach itself. Does not know where files come from, and compiles nothing.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jinja2 import TemplateSyntaxError, nodes
from jinja2.visitor import NodeTransformer

from prompts.errors import Fault, LibraryError
from prompts.files import PARTIALS, Read, is_id, partial_path
from prompts.meter import size

_STRIDE = 1_000_000  # lines: the file that a node is from is in its line number; a file has fewer
_MAX_UNITS = 64  # partials in one template, each as often as it is included
_MAX_BYTES = 1 << 20  # of all of them

_Parse = Callable[[str], nodes.Template]
_Lint = Callable[[str, nodes.Template, bool], list[Fault]]
_Macros = Mapping[str, str]  # the name in a file to that in the tree


class Files(NamedTuple):
    """The files of a tree, each as often as it is used, and their bytes together."""

    paths: list[str]
    bytes: int

    def place(self, line: int) -> tuple[str, int]:
        """The file and the line there of a line of the tree."""
        return self.paths[line // _STRIDE], line % _STRIDE


def link(path: str, body: str, read: Read, parse: _Parse, lint: _Lint) -> tuple[nodes.Template, Files]:
    """The tree of a body, and where its lines are from.

    Raises LibraryError with the faults of it and its partials, each by its own file and line.
    """
    linker = _Linker(read, parse, lint)
    tree, _ = linker.unit(path, body, ())
    if linker.faults:
        raise LibraryError(list(dict.fromkeys(linker.faults)))
    tree.body[:0] = linker.macros
    return tree, Files(linker.paths, linker.bytes)


class _Linker:
    """What is known of one template while it is put together."""

    def __init__(self, read: Read, parse: _Parse, lint: _Lint) -> None:
        self._read, self._parse, self._lint = read, parse, lint
        self._modules: dict[str, _Macros] = {}
        self.paths: list[str] = []
        self.macros: list[nodes.Node] = []
        self.faults: list[Fault] = []
        self.bytes = 0

    def unit(self, path: str, text: str, stack: tuple[str, ...]) -> tuple[nodes.Template, _Macros]:
        """The tree of a file without its definitions, and its macros; `stack` are the files that led here."""
        number = len(self.paths)
        self.paths.append(path)
        self.bytes += size(text)
        tree, faults = self._parsed(path, text, partial=bool(stack))
        self.faults += faults
        if faults:
            return nodes.Template([], lineno=1), {}
        names = _Names(self, path, (*stack, path), number)
        for node in tree.find_all(nodes.Node):
            node.lineno = (node.lineno or 1) + number * _STRIDE  # Jinja gives the operands of comparisons none
        tree.body = [node for node in tree.body if not names.defines(node)]
        names.visit(tree)
        return tree, names.macros

    def _parsed(self, path: str, text: str, partial: bool) -> tuple[nodes.Template, list[Fault]]:
        try:
            tree = self._parse(text)
        except TemplateSyntaxError as error:
            return nodes.Template([]), [Fault(path, error.lineno, error.message or "not a template")]
        except ValueError:  # a number longer than Python reads
            return nodes.Template([]), [Fault(path, 0, "has a number that is too long")]
        return tree, self._lint(path, tree, partial)

    def partial(self, name: str, stack: tuple[str, ...]) -> tuple[nodes.Template, _Macros]:
        """Raises ValueError, saying why, when there is none or it cannot be used here."""
        if not is_id(name):
            raise ValueError(f"{name[:80]!r} cannot name a partial: at most 8 parts of letters, digits, - and _")
        path = partial_path(name)
        if path in stack:
            raise ValueError(f"includes itself: {' -> '.join((*stack[stack.index(path) :], path))}")
        if len(self.paths) > _MAX_UNITS or self.bytes > _MAX_BYTES:
            raise ValueError(f"a template has at most {_MAX_UNITS} partials and {_MAX_BYTES} bytes with them")
        data = self._read(path)
        if data is None:
            raise ValueError(f"there is no partial {name!r}: the file {path} is missing")
        try:
            return self.unit(path, data.decode().replace("\r\n", "\n"), stack)
        except UnicodeDecodeError:
            raise ValueError(f"{path} is not UTF-8") from None

    def module(self, name: str, stack: tuple[str, ...]) -> _Macros:
        """The macros of a partial, each made once. Raises ValueError."""
        if name not in self._modules:
            self._modules[name] = self.partial(name, stack)[1]
        return self._modules[name]


class _Names(NodeTransformer):
    """Gives the names of one file their meaning, from its top to its end."""

    def __init__(self, linker: _Linker, path: str, stack: tuple[str, ...], number: int) -> None:
        self._linker, self._path, self._stack, self._number = linker, path, stack, number
        self._modules: dict[str, _Macros] = {}
        self.macros: dict[str, str] = {}

    def defines(self, node: nodes.Node) -> bool:
        """Take in a macro or an import; False for whatever stays in the body."""
        try:
            match node:
                case nodes.Macro(name=name):
                    self.visit(node)
                    self._linker.macros.append(node)
                    node.name = self._new(name, f"_{self._number}_{name}")
                case nodes.Import(template=nodes.Const(value=str(name)), target=target):
                    self._modules[target] = self._linker.module(name, self._stack)
                case nodes.FromImport(template=nodes.Const(value=str(name)), names=wanted):
                    self._take(name, self._linker.module(name, self._stack), wanted)
                case _:
                    return False
        except ValueError as error:
            self._fault(node, str(error))
        return True

    def _take(self, name: str, module: _Macros, wanted: list[str | tuple[str, str]]) -> None:
        for one in wanted:
            theirs, ours = one if isinstance(one, tuple) else (one, one)
            if theirs not in module:
                raise ValueError(f"{PARTIALS}/{name} has no macro {theirs}; it has {', '.join(module) or 'none'}")
            self._new(ours, module[theirs])

    def _new(self, name: str, meaning: str) -> str:
        if name in self.macros or name in self._modules:
            raise ValueError(f"{name} is defined twice")
        self.macros[name] = meaning
        return meaning

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        assert isinstance(node.template, nodes.Const)
        try:
            tree, _ = self._linker.partial(node.template.value, self._stack)
        except ValueError as error:
            self._fault(node, str(error))
            return node
        return nodes.Scope(tree.body, lineno=node.lineno)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        if isinstance(node.node, nodes.ExtensionAttribute):  # our own block
            return node
        meaning = self._meaning(node.node)
        if meaning is None or node.dyn_args or node.dyn_kwargs:
            self._fault(node, "calls what is no macro above this line; only macros can be called, and without * and **")
        else:
            node.node = nodes.Name(meaning, "load", lineno=node.lineno)
        node.args = [self.visit(argument) for argument in node.args]
        for argument in node.kwargs:
            self.visit(argument)
        return node

    def _meaning(self, called: nodes.Node) -> str | None:
        match called:
            case nodes.Name(name=name):
                return self.macros.get(name)
            case nodes.Getattr(node=nodes.Name(name=module), attr=name):
                return self._modules.get(module, {}).get(name)
        return None

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        if node.name in self.macros or node.name in self._modules:
            self._fault(node, f"{node.name} is a macro or an import: call it, and give its name to nothing else")
        return node

    def _fault(self, node: nodes.Node, message: str) -> None:
        line = node.lineno if node.lineno < _STRIDE else node.lineno % _STRIDE
        self._linker.faults.append(Fault(self._path, line, message))
