"""Includes, imports and macros: what they become, and what is refused, by file and line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.errors import LibraryError, RenderError
from prompts.sandbox import Program
from tests.prompts.bombs import PAYLOADS

PIECES = [*PAYLOADS, "{{", "}}", "{%", "%}", "{#", "{% include 'p' %}", "{{ m(q) }}", "{% endmacro %}", "\r\n", " "]


def program(body: str, **partials: str) -> Program:
    files = {f"partials/{name.replace('__', '/')}.md.j2": text.encode() for name, text in partials.items()}
    return Program("templates/t.md.j2", body, files.get)


def user(content: str) -> str:
    return '{% message role="user" %}' + content + "{% endmessage %}"


def words(body: str, values: dict[str, object], **partials: str) -> str:
    [message] = program(body, **partials).render(values)
    return message["content"]


def faults(body: str, **partials: str) -> list[str]:
    with pytest.raises(LibraryError) as caught:
        program(body, **partials)
    return [str(fault) for fault in caught.value.faults]


def test_an_include_is_its_text() -> None:
    assert words(user("a {% include 'tone' %} b"), {"q": 1}, tone="is {{ q }}\n") == "a is 1 b"


def test_an_include_sees_the_loop_around_it() -> None:
    body = user("{% for one in items %}{% include 'house/row' %}{% endfor %}")
    assert words(body, {"items": [1, 2]}, house__row="[{{ one }}]") == "[1][2]"


def test_macros_of_the_template_and_of_partials() -> None:
    body = (
        '{% import "forms" as forms %}{% from "forms" import card, row as line %}'
        "{% macro twice(x) %}{{ card(x) }}{{ card(x) }}{% endmacro %}"
        + user("{{ twice(q) }} {{ forms.row(q, mark='*') }} {{ line(q) }}")
    )
    forms = (
        "{% macro card(x) %}<{{ x }}>{% endmacro %}{% macro row(x, mark='-') %}{{ mark }}{{ card(x) }}{% endmacro %}"
    )
    assert words(body, {"q": "v"}, forms=forms) == "<v><v> *<v> -<v>"


def test_macros_of_the_same_name_in_two_files_are_two() -> None:
    body = '{% from "a" import m %}{% import "b" as b %}' + user("{{ m() }}{{ b.m() }}")
    assert words(body, {}, a="{% macro m() %}a{% endmacro %}", b="{% macro m() %}b{% endmacro %}") == "ab"


def test_values_that_look_like_includes_stay_values() -> None:
    body = "{% macro m(x) %}[{{ x }}]{% endmacro %}" + user("{% include 'p' %}{{ m(q) }}")
    hostile = "{% include 'p' %}{{ m(q) }}{% endmessage %}"
    assert words(body, {"q": hostile}, p="{{ q }}") == f"{hostile}[{hostile}]"


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.sampled_from(PIECES)).map("".join))
def test_a_value_passes_partials_and_macros_byte_for_byte(text: str) -> None:
    body = "{% macro m(x) %}<{{ x }}>{% endmacro %}" + user("{% include 'p' %}{{ m(q) }}{{ m(x=q ~ '') }}")
    assert words(body, {"q": text}, p="[{{ q }}]") == f"[{text}]<{text}><{text}>"


@pytest.mark.parametrize(
    ("body", "partials", "expected"),
    [
        (user("\n{% include 'gone' %}"), {}, ["t:2: there is no partial 'gone': the file partials/gone.md.j2 is"]),
        ('\n{% import "gone" as g %}' + user("x"), {}, ["t:2: there is no partial 'gone'"]),
        (user("{% include '../secret' %}"), {}, ["t:1: '../secret' cannot name a partial"]),
        (user("{% include '/etc/passwd' %}"), {}, ["t:1: '/etc/passwd' cannot name a partial"]),
        (user("{% include q %}"), {}, ["t:1: names a partial by a text"]),
        (user("{% include ['a', 'b'] %}"), {}, ["t:1: names a partial by a text"]),
        (user("{% include 'a' ignore missing %}"), {"a": ""}, ["t:1: include takes no `ignore missing`"]),
        ('{% import "a" as a with context %}' + user("x"), {"a": ""}, ["t:1: import takes no `with context`"]),
        (user("x") + "{% include 'a' %}", {"a": "x"}, ["t:1: text outside of a message block"]),
        (user("{% include 'a' %}"), {"a": "\n" + user("x")}, ["a:2: a message block cannot stand inside"]),
        (user("{% include 'a' %}"), {"a": "\n{{ 2 * 2 }}"}, ["a:2: Mul is not allowed"]),
        (user("{% include 'a' %}"), {"a": "{% if %}"}, ["a:1: Expected an expression"]),
        (
            user("{% include 'a' %}"),
            {"a": "{% include 'b' %}", "b": "\n{% include 'a' %}"},
            ["b:2: includes itself: partials/a.md.j2 -> partials/b.md.j2 -> partials/a.md.j2"],
        ),
        ('{% import "a" as a %}' + user("x"), {"a": '{% import "a" as a %}'}, ["a:1: includes itself"]),
        ("{% macro m() %}{{ m() }}{% endmacro %}" + user("{{ m() }}"), {}, ["t:1: calls what is no macro above"]),
        (
            "{% macro m() %}{{ n() }}{% endmacro %}{% macro n() %}{{ m() }}{% endmacro %}" + user("{{ m() }}"),
            {},
            ["t:1: calls what is no macro above"],
        ),
        (user("{{ q() }}"), {}, ["t:1: calls what is no macro above"]),
        (user("{{ q.upper() }}"), {}, ["t:1: calls what is no macro above"]),
        (user("{{ 'x'.format(q) }}"), {}, ["t:1: calls what is no macro above"]),
        ("{% macro m(x) %}{% endmacro %}" + user("{{ m(*q) }}"), {}, ["t:1: calls what is no macro above"]),
        ("{% macro m() %}{% endmacro %}" + user("{{ m }}"), {}, ["t:1: m is a macro or"]),
        ("{% macro m() %}{% endmacro %}" + user("{% for m in q %}{% endfor %}"), {}, ["t:1: m is a macro or"]),
        ("{% macro m() %}{% endmacro %}{% macro m() %}{% endmacro %}" + user("x"), {}, ["t:1: m is defined twice"]),
        ("{% macro _m() %}{% endmacro %}" + user("x"), {}, ["t:1: _m: names that begin with an underscore"]),
        ("{% macro m() %}{{ varargs }}{% endmacro %}" + user("x"), {}, ["t:1: varargs cannot be used"]),
        (user("{% macro m() %}{% endmacro %}"), {}, ["t:1: macros and imports stand at the top"]),
        ("{% macro m() %}" + user("x") + "{% endmacro %}" + user("x"), {}, ["t:1: a message block cannot stand"]),
        ('{% from "a" import gone %}' + user("x"), {"a": "{% macro m() %}{% endmacro %}"}, ["t:1: partials/a has no"]),
        ("{% call m() %}{% endcall %}" + user("x"), {}, ["t:1: CallBlock is not allowed", "t:1: calls"]),
        (user("{% include 'a' %}" * 70), {"a": "x"}, ["t:1: a template has at most 64 partials"]),
    ],
)  # fmt: skip
def test_faults(body: str, partials: dict[str, str], expected: list[str]) -> None:
    places = {"t": "templates/t.md.j2"} | {name: f"partials/{name}.md.j2" for name in partials}
    told = faults(body, **partials)
    for fault, wanted in zip(told, expected, strict=False):
        place, _, rest = wanted.partition(":")
        assert fault.startswith(f"{places[place]}:{rest}"), told
    assert told


def test_a_failure_in_a_partial_names_its_line() -> None:
    body = user("\n\n{% include 'row' %}")
    with pytest.raises(RenderError, match=r"partials/row\.md\.j2:2: uses a value that is not there"):
        words(body, {"data": {}}, row="x\n{{ data['gone'] }}")


def test_an_undeclared_name_in_a_partial_is_told_there() -> None:
    found = program(user("{{ a }}{% include 'row' %}"), row="\n\n{{ b }}").unknown(frozenset({"a"}))
    assert [str(fault) for fault in found] == ["partials/row.md.j2:3: b is not a declared variable"]


def test_partials_that_include_each_other_many_times_end() -> None:
    partials = {f"p{n}": f"{{% include 'p{n + 1}' %}}" * 2 for n in range(30)}
    assert "at most 64 partials" in faults(user("{% include 'p0' %}"), **partials, p30="x")[0]
