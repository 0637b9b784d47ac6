"""Puts the meter into a template's syntax tree: where a value is copied, compared or walked, it is charged for.

What is printed and what a filter reads is charged by itself (`prompts.sandbox`, `prompts.filters`); left are loops,
calls of macros, comparisons, slices, `~` and the lists that a template writes. `+` is charged by the environment.
Knows the tree that `prompts.lint` accepts, and runs nothing.
"""

from typing import TypeVar, cast

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from prompts.filters import CONCAT, LOOP, SCALES, TOLL
from prompts.meter import CALL, TURN, size

_SEARCH = 4  # units for a character of what `in` searches, in which near misses cost several steps
_List = TypeVar("_List", nodes.List, nodes.Tuple)


def instrument(tree: nodes.Template) -> nodes.Template:
    """The same tree, changed in place."""
    _Instruments().visit(tree)
    return tree


class _Instruments(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:
        cost = max(TURN, _text_within(node))
        self.generic_visit(node)
        node.iter = _filter(node.iter, LOOP, cost)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        toll = nodes.ExprStmt(_filter(nodes.Const(max(CALL, _text_within(node))), TOLL), lineno=node.lineno)
        self.generic_visit(node)
        node.body.insert(0, toll)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _weighed(node.expr)
        for operand in node.ops:
            operand.expr = _weighed(operand.expr, _SEARCH if operand.op in ("in", "notin") else 1)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _weighed(node.node)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), CONCAT)

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return self._written(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        return self._written(node) if node.ctx == "load" else node

    def _written(self, node: _List) -> nodes.Expr:
        self.generic_visit(node)
        return node if all(isinstance(item, nodes.Const) for item in node.items) else _weighed(node)


def _weighed(node: nodes.Expr, rate: int = 1) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _filter(node, SCALES, rate)


def _filter(node: nodes.Node, name: str, *arguments: int) -> nodes.Filter:
    constants = [nodes.Const(one) for one in arguments]
    return nodes.Filter(cast(nodes.Expr, node), name, constants, [], None, None, lineno=node.lineno)


def _text_within(node: nodes.Node) -> int:
    """Bytes of the template's own text that one turn or call can put out."""
    return sum(size(text.data) for text in node.find_all(nodes.TemplateData))
