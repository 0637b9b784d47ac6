"""cases: what a file may say, and what is refused."""

from pathlib import Path

import pytest

from gateway.workbench.cases import CasesError, beside, read

ROOT = Path(__file__).parents[3]


def written(folder: Path, text: str) -> Path:
    file = folder / "t.cases.yaml"
    file.write_text(text)
    return file


def test_the_shipped_templates_have_cases() -> None:
    for id in ("answer", "classify-ticket", "review-diff"):
        assert len(read(beside(ROOT / "prompts/templates", id))) >= 2


def test_every_kind_of_expectation_is_read(tmp_path: Path) -> None:
    (case,) = read(
        written(
            tmp_path,
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
            """,
        )
    )
    assert [one.kind for one in case.expect] == [
        "exact", "contains", "excludes", "matches", "schema", "schema", "similar", "judge", "judge"
    ]  # fmt: skip
    assert case.expect[-2].judge is not None
    assert (case.least, case.passages[0].heading, case.expect[-2].judge.model) == (0.5, "", None)


def test_no_file_is_no_cases(tmp_path: Path) -> None:
    assert read(tmp_path / "absent.cases.yaml") == ()


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
        ("- name: [", "not YAML"),
        ("name: a", "tuple"),
    ],
)
def test_what_is_not_understood_is_an_error_and_no_case(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(CasesError, match=r"t\.cases\.yaml") as error:
        read(written(tmp_path, text))
    assert fault in str(error.value)
