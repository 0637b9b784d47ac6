"""What a request searches: by itself, by its template, within what its key and tenant may see."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NotAllowed, NotFound, Refusal, Unavailable
from gateway.exchange import Call, Retrieval, Search, Snapshot
from gateway.searching import TOP_K, narrowed, search
from gateway.settings import Retrieve
from gateway.state import Scopes
from prompts.front import Retrieve as Front
from retrieval.search import FLOOR
from tests.gateway.calls import call, caller
from tests.gateway.indexes import Identified, Named

SECTIONS = {
    "docs": Retrieve(path=Path("docs")),
    "handbook": Retrieve(path=Path("handbook"), tenants=["acme"], floor=0.3),
    "coming": Retrieve(path=Path("coming")),
}
LOADED = {name: Snapshot(name, Named("v1", name), SECTIONS[name], Identified()) for name in ("docs", "handbook")}
FRONT = Front.model_validate({"collection": "docs", "top_k": 6, "filter": {"team": ["people", "legal"]}, "floor": 0.4})


def asked(retrieve: Retrieval | None = None, tenant: str = "acme", **scopes: Any) -> Call:
    who = caller(tenant)
    return call(who=type(who)(who.key, who.tenant, scopes=Scopes(**scopes)), retrieve=retrieve)


def found(retrieve: Retrieval | None, front: Front | None = None, **who: Any) -> Search:
    searched = search(asked(retrieve, **who), front, SECTIONS, LOADED)
    assert searched is not None
    return searched


def refused(name: str, **who: Any) -> Refusal:
    with pytest.raises(Refusal) as error:
        search(asked(Retrieval(name), **who), None, SECTIONS, LOADED)
    assert error.value.param in ("gateway.retrieve.collection", None)
    return error.value


def test_nothing_is_searched_where_nobody_asks() -> None:
    assert search(asked(), None, SECTIONS, LOADED) is None


def test_a_request_is_searched_with_the_labels_of_its_key_and_no_others() -> None:
    searched = found(Retrieval("docs", 3, {"team": ("people",)}), access=("hr", "staff"))
    assert (searched.snapshot, searched.top_k, searched.floor) == (LOADED["docs"], 3, FLOOR)
    assert (searched.scope.access, searched.scope.where) == (frozenset({"hr", "staff"}), {"team": ("people",)})
    assert found(Retrieval("docs")).scope.access == frozenset()
    assert found(Retrieval("docs")).top_k == TOP_K


def test_a_template_says_what_the_request_leaves_out() -> None:
    searched = found(None, FRONT)
    assert (searched.snapshot.name, searched.top_k, searched.floor) == ("docs", 6, 0.4)
    assert searched.scope.where == {"team": ("people", "legal")}
    assert found(Retrieval("docs"), FRONT).top_k == 6
    assert found(Retrieval("docs", 2), FRONT).top_k == 2


def test_the_floor_is_the_templates_else_the_collections_else_the_usual_one() -> None:
    floors = [found(None, FRONT).floor, found(Retrieval("handbook")).floor, found(Retrieval("docs")).floor]
    assert floors == [0.4, 0.3, FLOOR]
    assert found(None, FRONT.model_copy(update={"floor": 0.0})).floor == 0.0


def test_another_collection_than_the_templates_has_its_own_floor_and_still_the_filter() -> None:
    searched = found(Retrieval("handbook"), FRONT)
    assert (searched.top_k, searched.floor, searched.scope.where) == (TOP_K, 0.3, {"team": ("people", "legal")})


def test_a_request_narrows_the_filter_of_its_template_and_never_lifts_it() -> None:
    wanted = {"team": ("legal", "sales"), "year": ("2026",)}
    assert found(Retrieval("docs", None, wanted), FRONT).scope.where == {"team": ("legal",), "year": ("2026",)}
    assert found(Retrieval("docs", None, {"team": ("sales",)}), FRONT).scope.where == {"team": ()}


@given(*[st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from("xyz"), min_size=1, unique=True))] * 2)
def test_what_passes_both_filters_passes_the_narrowed_one_and_nothing_else(
    first: dict[str, list[str]], then: dict[str, list[str]]
) -> None:
    def passes(document: Mapping[str, str], where: Mapping[str, Any]) -> bool:
        return all(document.get(name) in values for name, values in where.items())

    both = narrowed(first, {name: tuple(values) for name, values in then.items()})
    for values in ("xxx", "xyz", "zzx", "yxz"):
        document = dict(zip("abc", values, strict=True))
        assert passes(document, both) == (passes(document, first) and passes(document, then))


def test_who_may_not_and_what_is_not_there() -> None:
    assert isinstance(refused("handbook", tenant="globex"), NotAllowed)
    assert isinstance(refused("handbook", tenant="acme", collections=("docs",)), NotAllowed)
    assert isinstance(refused("nowhere"), NotFound)
    assert isinstance(refused("nowhere", collections=("docs",)), NotAllowed)  # whether it exists is not told
    assert isinstance(refused("coming"), Unavailable)


def test_no_tenants_named_is_nobody() -> None:
    closed = {"docs": Retrieve(path=Path("docs"), tenants=[])}
    with pytest.raises(NotAllowed):
        search(asked(Retrieval("docs")), None, closed, LOADED)
