"""Checking tells every fault on its own line, and nothing about good templates."""

from pathlib import Path

from prompts.check import Fault, check


def test_the_shipped_templates_have_no_fault() -> None:
    assert check(Path(__file__).parents[2] / "prompts") == []


def test_every_fault_is_told_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    (folder / "sub").mkdir(parents=True)
    (folder / "b.md.j2").write_text(
        "---\ndescription: d\nvariables: {}\n---\n"
        '{% message role="user" %}{{ b }}\n{{ a }}{% endmessage %}\n'
    )  # fmt: skip
    (folder / "sub/a.md.j2").write_text("+++\nquestion = 1\n+++\n{% if %}\n")
    (folder / "notes.txt").write_text("not a template")
    assert check(tmp_path) == [
        Fault("b.md.j2", 5, "b is not a declared variable"),
        Fault("b.md.j2", 6, "a is not a declared variable"),
        Fault("sub/a.md.j2", 1, "description: Field required"),
        Fault("sub/a.md.j2", 1, "variables: Field required"),
        Fault("sub/a.md.j2", 2, "question: Input should be a valid string"),
        Fault("sub/a.md.j2", 4, "Expected an expression, got 'end of statement block'"),
    ]
    assert str(check(tmp_path)[0]) == "b.md.j2:5: b is not a declared variable"
