"""Results as JUnit's XML, which CI systems read: a suite for each template, a case for each case.

The format is what Jenkins, GitLab and GitHub's reporters have in common (https://github.com/testmoapp/junitxml); a case
that was not met is a failure, one that could not be tried an error.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from gateway.workbench.trying import Tried

# Characters that XML 1.0 cannot hold (section 2.2, Char): controls, lone surrogates, two non-characters.
_REFUSED = [code for code in range(32) if code not in (9, 10, 13)] + [*range(0xD800, 0xE000), 0xFFFE, 0xFFFF]
_XML = dict.fromkeys(_REFUSED, "\ufffd")


def write(path: Path, results: Mapping[str, Sequence[Tried]]) -> None:
    """Write the results of templates, by id. Raises OSError."""
    top = Element("testsuites", {"name": "prompts"} | _counts([one for found in results.values() for one in found]))
    for id, found in results.items():
        suite = SubElement(top, "testsuite", {"name": id} | _counts(found))
        for one in found:
            _case(suite, id, one)
    indent(top)
    ElementTree(top).write(path, encoding="utf-8", xml_declaration=True)


def _case(suite: Element, id: str, one: Tried) -> None:
    named = {"name": one.case.translate(_XML), "classname": id, "time": f"{one.seconds:.3f}"}
    case = SubElement(suite, "testcase", named)
    if one.error is not None:
        SubElement(case, "error", {"message": one.error.translate(_XML), "type": "Unanswered"})
    elif not one.passed:
        message = f"{one.met} of {one.times} answers are as expected" if one.times else "not as expected"
        failure = SubElement(case, "failure", {"message": message, "type": "Expectation"})
        failure.text = "\n".join(one.why).translate(_XML)


def _counts(found: Sequence[Tried]) -> dict[str, str]:
    return {
        "tests": str(len(found)),
        "failures": str(sum(not one.passed and one.error is None for one in found)),
        "errors": str(sum(one.error is not None for one in found)),
        "skipped": "0",
        "time": f"{sum(one.seconds for one in found):.3f}",
    }
