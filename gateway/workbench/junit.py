"""Results as JUnit's XML, which CI systems read: a suite for each template, a case for each case.

The format is the one that Jenkins, GitLab and GitHub's reporters share
(https://github.com/testmoapp/junitxml).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from gateway.workbench.trying import Tried

_CONTROL = {code: "\ufffd" for code in range(32) if code not in (9, 10, 13)}  # characters that XML 1.0 cannot hold


def write(path: Path, results: Mapping[str, Sequence[Tried]]) -> None:
    """Write the results of templates, by id. Raises OSError."""
    top = Element("testsuites", _counts([one for found in results.values() for one in found]))
    for id, found in results.items():
        suite = SubElement(top, "testsuite", {"name": id} | _counts(found))
        for one in found:
            _case(suite, id, one)
    indent(top)
    ElementTree(top).write(path, encoding="utf-8", xml_declaration=True)


def _case(suite: Element, id: str, one: Tried) -> None:
    case = SubElement(suite, "testcase", {"name": one.case, "classname": id, "time": f"{one.seconds:.3f}"})
    if not one.passed:
        message = f"{one.met} of {one.times} answers are as expected"
        failure = SubElement(case, "failure", {"message": message})
        failure.text = "\n".join(one.why).translate(_CONTROL)


def _counts(found: Sequence[Tried]) -> dict[str, str]:
    return {
        "tests": str(len(found)),
        "failures": str(sum(not one.passed for one in found)),
        "errors": "0",
        "time": f"{sum(one.seconds for one in found):.3f}",
    }
