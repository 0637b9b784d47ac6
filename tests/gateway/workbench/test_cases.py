"""cases: what a file may say, and what is refused."""

import pytest

from gateway.workbench.cases import Case, CasesError, read


def of(text: str) -> tuple[Case, ...]:
    return read("t.cases.yaml", text.encode())


def test_every_kind_of_expectation_is_read() -> None:
    (case,) = of(
        """
            - name: all
              variables: {question: "Why?"}
              passages: [{text: Because.}]
              least: 0.5
              expect:
                - exact: a
                - contains: b
                - excludes: c
                - matches: "d+"
                - schema: true
                - schema: {type: object}
                - similar: {to: e, least: 0.5}
                - judge: Is it?
                - judge: {asks: "Is it?", model: small}
                - calls: {name: f, arguments: {type: object}}
            """
    )
    assert [one.kind for one in case.expect] == [
        "exact", "contains", "excludes", "matches", "schema", "schema", "similar", "judge", "judge", "calls"
    ]  # fmt: skip
    assert case.expect[-3].judge is not None
    assert case.passages is not None
    assert (case.least, case.passages[0].heading, case.expect[-3].judge.model) == (0.5, "", None)


def test_no_file_is_no_cases() -> None:
    assert read("absent", None) == ()


def test_a_case_may_say_that_nothing_was_found() -> None:
    said, silent = of("[{name: a, passages: [], expect: [{exact: b}]}, {name: b, expect: [{exact: b}]}]")
    assert (said.passages, silent.passages) == ((), None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- name: a\n  expect: [{exact: b, contains: c}]", "name one of"),
        ("- name: a\n  expect: [{}]", "name one of"),
        ("- name: a\n  expect: []", "at least 1 item"),
        ("- name: a\n  expects: []", "Extra inputs"),
        ("- name: a\n  least: 2\n  expect: [{exact: b}]", "less than or equal to 1"),
        ("- name: a\n  expect: [{matches: '(b'}]", "RE2"),
        ("- name: a\n  expect: [{exact: b}]\n- name: a\n  expect: [{exact: b}]", "twice: a"),
        ("- name: a\n  times: 0\n  expect: [{exact: b}]", "greater than or equal to 1"),
        ("- name: [", "not YAML"),
        ("name: a", "tuple"),
    ],
)
def test_what_is_not_understood_is_an_error_and_no_case(text: str, fault: str) -> None:
    with pytest.raises(CasesError, match=r"t\.cases\.yaml") as error:
        of(text)
    assert fault in str(error.value)
