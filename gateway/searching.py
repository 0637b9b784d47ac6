"""What a request searches for its passages: which collection, in which part of it, and may it. Pure: searches nothing.

The request's `gateway.retrieve` comes before its template's `retrieve`; a filter of the template holds whatever the
request says, for filters only ever narrow. Invariants: a key that may not use a collection is refused before it is
looked up; the labels that a search may see are the key's own, and nothing in a request adds one.
"""

from collections.abc import Mapping

from gateway.errors import NotAllowed, NotFound, Unavailable
from gateway.exchange import Call, Retrieval, Search, Snapshot
from gateway.scopes import demand
from gateway.settings import Retrieve as Section
from prompts.front import Retrieve as Front
from retrieval.query import Scope
from retrieval.search import FLOOR

TOP_K = 4  # passages, where neither request nor template says: models read a few best (arXiv 2307.03172)
PARAM = "gateway.retrieve.collection"

Where = Mapping[str, tuple[str, ...]]


def search(
    call: Call,
    front: Front | None,
    sections: Mapping[str, Section],
    collections: Mapping[str, Snapshot],
    most: int | None = None,
) -> Search | None:
    """What the call searches, None for nothing; `sections` are the collections' settings, `collections` those that are
    loaded; `most` is the tokens that the template gives to passages.

    Raises NotAllowed (the key or its tenant), NotFound, or Unavailable (it is not loaded).
    """
    asked = call.options.retrieve or (Retrieval(front.collection) if front else None)
    if asked is None:
        return None
    snapshot = _snapshot(call, asked.collection, sections, collections)
    own = front if front and front.collection == asked.collection else None  # the template speaks of this collection
    floors = (own.floor if own else None, snapshot.section.floor, FLOOR)
    return Search(
        snapshot,
        top_k=asked.top_k or (own.top_k if own else TOP_K),
        floor=next(floor for floor in floors if floor is not None),
        scope=Scope(frozenset(call.caller.scopes.access), narrowed(front.filter if front else {}, asked.where)),
        max_tokens=min(most or snapshot.section.max_tokens, snapshot.section.max_tokens),
    )


def narrowed(first: Mapping[str, list[str]], then: Where) -> Where:
    """Both filters at once: what both name must be among the values of both, which may be none."""
    both = {name: tuple(values) for name, values in first.items()}
    for name, values in then.items():
        both[name] = tuple(value for value in values if value in both[name]) if name in both else values
    return both


def _snapshot(call: Call, name: str, sections: Mapping[str, Section], collections: Mapping[str, Snapshot]) -> Snapshot:
    demand(call.caller.scopes.collections, name, "collection", PARAM)
    section = sections.get(name)
    if section is None:
        raise NotFound(f"There is no collection {name!r} here.", param=PARAM, code="collection_not_found")
    if section.tenants is not None and call.caller.tenant not in section.tenants:
        raise NotAllowed(f"The collection {name!r} is not this tenant's.", param=PARAM)
    if name not in collections:
        raise Unavailable(f"The collection {name!r} is not loaded; GET /health/ready says why.")
    return collections[name]
