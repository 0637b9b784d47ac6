"""What a render costs is counted before it happens: nothing that a template can write stalls or fills memory."""

import json
import subprocess
import sys
from typing import Any

import pytest

from prompts.errors import RenderError
from prompts.meter import ITEM, WORK_CAP, Meter, Refused
from prompts.sandbox import Program
from tests.prompts.bombs import BOMBS, ESCAPES, explode, user

CODE = [sys.executable, "-m", "tests.prompts.bombs"]


@pytest.mark.parametrize(("name", "body", "variables"), BOMBS)
def test_what_would_take_long_is_refused_or_ended(name: str, body: str, variables: dict[str, Any]) -> None:
    assert explode(body, variables) in (("rendered",) if name == "long-number" else ("refused", "ended"))


@pytest.mark.prove
@pytest.mark.parametrize("name", [name for name, _, _ in BOMBS])
def test_each_ends_within_100_ms_and_20_mb(name: str) -> None:
    [found] = measured(name)
    assert found["ms"] < 100, found
    assert found["kib"] < 20 * 1024, found


@pytest.mark.prove
def test_no_escape_stalls_as_data_or_as_template() -> None:
    found = measured(*(name for name, _, _ in ESCAPES))
    assert len(found) == len(ESCAPES) >= 120
    assert max(one["ms"] for one in found) < 100
    assert sum(one["kib"] for one in found) < 20 * 1024


def measured(*names: str) -> list[dict[str, Any]]:
    ran = subprocess.run([*CODE, *names], capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_a_value_weighs_as_much_as_all_that_is_in_it() -> None:
    for value, units in [
        ("abc", 3),
        (7, 1),
        (None, 1),
        (["ab", "c"], 2 * ITEM + 3),
        ({"ab": [1]}, 3 * ITEM + 3),
    ]:
        meter = Meter(0)
        meter.work(WORK_CAP - units)
        meter.weigh(value)
        with pytest.raises(Refused):
            meter.work(1)


def test_a_refusal_says_which_line_and_how_much() -> None:
    with pytest.raises(RenderError, match=rf"t:2: compares, sorts or copies more than {WORK_CAP} characters"):
        Program("t", user("\n{{ q|sort|length }}")).render({"q": "x" * 100_000})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{{ 7 is odd }}", None),
        ("{% if 6 is even and 7 is odd and 9 is divisibleby 3 %}yes{% endif %}", "yes"),
        ("{% if q is odd %}yes{% endif %}", None),
        ("{{ q|trim }}|{{ q|int(5) }}|{{ '12'|int + 1 }}", "text|5|13"),
        ("{{ [3, 1, 2]|sort|join(',') }}|{{ [1, 1]|unique|join }}|{{ [1, 2]|reverse|first }}", "1,2,3|1|2"),
        ("{{ q ~ 1 ~ 'x' }}|{{ q + 'y' }}|{{ q[1:4] }}|{{ (1, 2)|last }}", " text1x| texty|tex|2"),
        ("{% if 'ex' in q and 1 not in [2, q] and q == ' text' and 'a' is in 'ab' %}yes{% endif %}", "yes"),
        ("{% for name, one in data|items %}{{ name }}{{ one }}{% endfor %}|{{ data|tojson }}", 'a1|{"a": 1}'),
    ],
)
def test_what_is_metered_still_does_its_work(body: str, said: str | None) -> None:
    values = {"q": " text", "data": {"a": 1}}
    if said is None:
        with pytest.raises(RenderError):
            Program("t", user(body)).render(values)
    else:
        assert Program("t", user(body)).render(values)[0]["content"] == said
