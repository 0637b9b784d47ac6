import pytest

from retrieval.document import Source
from retrieval.parsing.code import SUFFIXES, parse
from tests.retrieval.sections import blocks, sections

PYTHON = '''"""Doc."""
X = 1

# about f
@wraps
def f(x):
    def inner():
        pass
    return x


class A:
    """A."""

    def g(self):
        return 2

    z = 3


LAST = 4
'''
JAVA = """package x;

public class Foo extends Bar {
    private int x;

    /** Adds. */
    public int add(int a, List<B> b) {
        if (a) {
            call(a, b);
        }
        return a;
    }

    int y;
}
"""
SCRIPT = """import x from "y";

export async function foo(x) {
  const inner = (y) => {
    return y;
  };

  return inner(x);
}

const g = (y) => {
  return y;
};

foo(1);
"""


def test_python_is_cut_at_its_definitions() -> None:
    document = parse(Source("src/a.py", PYTHON.encode()))
    assert sections(document) == [
        ("src/a.py", '"""Doc."""\nX = 1'),
        ("src/a.py > f", "# about f\n@wraps\ndef f(x):\n    def inner():\n        pass\n    return x"),
        ("src/a.py > A", 'class A:\n    """A."""'),
        ("src/a.py > A > g", "def g(self):\n        return 2"),
        ("src/a.py > A", "z = 3"),
        ("src/a.py", "LAST = 4"),
    ]
    assert [text for _, _, text in blocks(document)] == [text for _, text in sections(document)]


@pytest.mark.parametrize(
    ("name", "text", "paths"),
    [
        ("a.java", JAVA, ["", "Foo", "Foo > add", "Foo"]),
        ("a.js", SCRIPT, ["", "foo", "g", ""]),
        (
            "a.go",
            "package main\n\nfunc (t *T) Name(x int) {\n\tf(x)\n}\n\ntype T struct {\n\tx int\n}\n",
            ["", "Name", "T"],
        ),
        ("a.rs", "pub struct P;\n\nimpl P {\n    pub fn new() -> Self {\n        P\n    }\n}\n", ["P", "P", "P > new"]),
        ("a.c", "int x;\n\nstatic int foo(int a)\n{\n    return bar(a);\n}\n", ["", "foo"]),
        (
            "a.rb",
            "module M\n  class C < D\n    def go(x)\n      x\n    end\n  end\nend\n",
            ["M", "M > C", "M > C > go"],
        ),
        ("a.sql", "create table t (a int);\n\nselect * from t;\n", ["t", ""]),
        ("old.py", "class A:\n    def g(self):\n        print 2\n", ["A", "A > g"]),
    ],
)
def test_other_languages_are_cut_by_their_layout(name: str, text: str, paths: list[str]) -> None:
    found = [path.removeprefix(name).removeprefix(" > ") for path, _ in sections(parse(Source(name, text.encode())))]
    assert found == paths


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "text", ["(" * 10_000, "class " * 2_000, "a" * 500_000, "\n{" * 9_000, "def f(:", "if x {\n}\n"]
)
def test_no_text_is_lost_and_none_is_too_much(suffix: str, text: str) -> None:
    found = sections(parse(Source(f"a{suffix}", text.encode())))
    assert sum(len(one.split()) for _, one in found) == len(text.split())
