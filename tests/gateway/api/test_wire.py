"""What several bodies have in common: the `gateway` object is strict, and a refused field has the API's own name."""

from typing import Any

import pytest

from gateway.api.body import checked
from gateway.api.wire import GatewayBody, passed_on
from gateway.errors import InvalidValue
from gateway.exchange import Options, Retrieval


def refused(body: dict[str, Any]) -> InvalidValue:
    with pytest.raises(InvalidValue) as error:
        checked(GatewayBody, body)
    return error.value


def test_the_gateway_object_becomes_options() -> None:
    wanted = {
        "cache": "refresh",
        "semantic": True,
        "retrieve": {"collection": "docs", "top_k": 6, "filter": {"team": "people", "year": ["2026", "2025", "2026"]}},
        "truncate": "oldest",
        "on_length": "retry",
        "task": "classify",
        "tags": {"feature": "search"},
        "explain": True,
    }
    wanted_docs = Retrieval("docs", 6, {"team": ("people",), "year": ("2025", "2026")})
    options = Options("refresh", True, wanted_docs, "retry", {"feature": "search"}, True, truncate="oldest")
    assert checked(GatewayBody, wanted).options() == options


def test_what_the_gateway_object_leaves_out_is_up_to_the_template() -> None:
    for body in ({}, {"cache": None}):
        assert checked(GatewayBody, body).options() == Options()


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"cach": "use"}, "cach"),
        ({"cache": "auto"}, "cache"),
        ({"semantic": 1}, "semantic"),
        ({"retrieve": "docs"}, "retrieve"),
        ({"retrieve": {"collection": "docs", "top_k": 0}}, "retrieve.top_k"),
        ({"retrieve": {"collection": "docs", "top_k": 51}}, "retrieve.top_k"),
        ({"retrieve": {"collection": "docs", "k": 1}}, "retrieve.k"),
        ({"retrieve": {}}, "retrieve.collection"),
        ({"retrieve": {"collection": "docs", "filter": "team"}}, "retrieve.filter"),
        ({"retrieve": {"collection": "docs", "filter": {"team": 1}}}, "retrieve.filter.team"),
        ({"retrieve": {"collection": "docs", "filter": {"team": []}}}, "retrieve.filter.team"),
        ({"retrieve": {"collection": "docs", "filter": {"team": ["a", None]}}}, "retrieve.filter.team[1]"),
        ({"retrieve": {"collection": "docs", "filter": {"team": "x" * 257}}}, "retrieve.filter.team[0]"),
        ({"retrieve": {"collection": "docs", "filter": {f"k{i}": "v" for i in range(17)}}}, "retrieve.filter"),
        ({"retrieve": {"collection": "docs", "floor": 0.5}}, "retrieve.floor"),
        ({"retrieve": {"collection": "docs", "access": ["hr"]}}, "retrieve.access"),
        ({"truncate": "newest"}, "truncate"),
        ({"on_length": "shout"}, "on_length"),
        ({"tags": {f"t{i}": "" for i in range(17)}}, "tags"),
        ({"tags": {"t": "x" * 257}}, "tags"),
        ({"tags": {"t": "a\nb"}}, "tags"),
        ({"tags": {"t": 1}}, "tags.t"),
        ({"tags": {"x" * 65: "t"}}, "tags"),
        ({"explain": "yes"}, "explain"),
    ],
)
def test_the_gateway_object_is_strict(wrong: dict[str, Any], param: str) -> None:
    assert refused(wrong).param == param


@pytest.mark.parametrize(("names", "param"), [({}, "stop"), ({"stop": "stop_sequences"}, "stop_sequences")])
def test_a_field_that_is_not_passed_on_has_the_name_it_was_sent_under(names: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidValue, match=f"^{param} must be") as error:
        passed_on({"stop": 7}, names=names)
    assert error.value.param == param
