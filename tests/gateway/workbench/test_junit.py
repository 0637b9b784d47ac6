"""junit: what CI systems read, held against a schema of the format, whatever stands in names and reasons."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.workbench.junit import write
from gateway.workbench.trying import Tried

SCHEMA = etree.XMLSchema(etree.parse(str(Path(__file__).with_name("junit.xsd"))))
TEXTS = st.text(st.characters(), max_size=20)


def test_failures_and_errors_are_told_apart_and_counted(tmp_path: Path) -> None:
    found = [
        Tried("good", True, 2, 2, seconds=1.5),
        Tried("bad", False, 2, 1, why=("contains: 'a' is not in it (1 of 2)",), seconds=0.25),
        Tried("silent", False, error="no answer"),
    ]
    write(tmp_path / "j.xml", {"a/b": found, "c": [Tried("renders", False, why=("it renders otherwise",))]})
    document = etree.parse(str(tmp_path / "j.xml"))
    SCHEMA.assertValid(document)
    top = document.getroot()
    assert [top.get(name) for name in ("tests", "failures", "errors", "time")] == ["4", "2", "1", "1.750"]
    assert top.find("testsuite[@name='a/b']").get("errors") == "1"
    assert [one.get("message") for one in top.iter("failure")] == [
        "1 of 2 answers are as expected", "not as expected"
    ]  # fmt: skip
    assert top.find(".//error").get("message") == "no answer"


@given(name=TEXTS, why=TEXTS, error=st.none() | TEXTS)
def test_every_text_is_xml(name: str, why: str, error: str | None) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "j.xml"
        write(file, {"t": [Tried(name, False, 1, why=(why,), error=error)]})
        SCHEMA.assertValid(etree.parse(str(file)))
