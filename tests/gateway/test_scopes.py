"""Scopes: names and beginnings of names; tags that a key stamps and a request cannot forge."""

import pytest

from gateway.errors import InvalidValue, NotAllowed
from gateway.exchange import Options
from gateway.scopes import (
    MOST_ENTRIES,
    MOST_TAGS,
    checked_entries,
    checked_labels,
    checked_tags,
    demand,
    named,
    permits,
    stamped,
)


@pytest.mark.parametrize(
    ("entries", "name", "allowed"),
    [
        (None, "small", True),
        ((), "small", False),
        (("small",), "small", True),
        (("small",), "smaller", False),
        (("small",), "Small", False),
        (("smal*",), "small", True),
        (("small*",), "small", True),
        (("support/*",), "support/answer", True),
        (("support/*",), "support", False),
        (("support/*",), "other/support/answer", False),
        (("*",), "anything", True),
        (("large", "sm*"), "small", True),
        (("sm?ll",), "small", False),
        (("s.*",), "small", False),
    ],
)
def test_an_entry_is_a_name_or_a_beginning_of_names(entries: tuple[str, ...] | None, name: str, allowed: bool) -> None:
    assert permits(entries, name) is allowed


def test_a_refusal_names_what_the_key_may_use() -> None:
    with pytest.raises(NotAllowed) as refused:
        demand(("small", "team/*"), "large", "model", "model")
    assert "may not use the model 'large'; it may use small, team/*" in refused.value.message
    assert (refused.value.status, refused.value.code, refused.value.param) == (403, "not_allowed", "model")
    with pytest.raises(NotAllowed, match="it may use none"):
        demand((), "small", "model", "model")
    demand(("small",), "small", "model", "model")


def test_scopes_in_words() -> None:
    assert [named(None), named(()), named(("a", "b/*"))] == ["all", "none", "a, b/*"]


def test_the_keys_tags_are_added_and_may_be_repeated() -> None:
    asked = Options(cache="skip", tags={"team": "red", "feature": "search"})
    assert stamped(asked, {"feature": "search", "app": "web"}) == Options(
        cache="skip", tags={"team": "red", "feature": "search", "app": "web"}
    )
    assert stamped(asked, {}) == asked


def test_a_request_that_gives_a_stamped_tag_another_value_is_refused() -> None:
    with pytest.raises(NotAllowed) as refused:
        stamped(Options(tags={"feature": "chat"}), {"feature": "search"})
    assert refused.value.param == "gateway.tags"
    assert "feature=search" in refused.value.message


def test_the_keys_tags_count_among_the_most() -> None:
    own = {f"own-{n}": "x" for n in range(MOST_TAGS - 1)}
    assert len(stamped(Options(tags=own), {"one": "x"}).tags) == MOST_TAGS
    with pytest.raises(InvalidValue) as refused:
        stamped(Options(tags=own), {"one": "x", "two": "x"})
    assert refused.value.param == "gateway.tags"
    assert "17" in refused.value.message


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"feature": ""},
        {"n" * 64: "v" * 256},
        {f"t{n}": "x" for n in range(MOST_TAGS)},
        {'a b.c:d"e': "x"},
        {"größe": "zwölf Äpfel = 12, mindestens"},
    ],
)
def test_good_tags(tags: dict[str, str]) -> None:
    assert checked_tags(tags) == tags


@pytest.mark.parametrize(
    "tags",
    [
        {"": "x"},
        {"n" * 65: "x"},
        {"n": "v" * 257},
        {"n\n": "x"},
        {"n": "\x1b[31m"},
        {"n": "\ud800"},
        {"a=b": "x"},
        {"a,b": "x"},
        {" a": "x"},
        {"a ": "x"},
        {f"t{n}": "x" for n in range(MOST_TAGS + 1)},
    ],
)
def test_bad_tags(tags: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="tag"):
        checked_tags(tags)


def test_good_entries() -> None:
    good = ("small", "support/*", "*", "a.b_c-d", "x" * 128, "x" * 128 + "*")
    assert checked_entries(good) == good


@pytest.mark.parametrize("entry", ["", "a*b", "**", "*a", "a b", "-a", "x" * 129, "a\n", "ä"])
def test_bad_entries(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a name nor a beginning"):
        checked_entries(("small", entry))


def test_entries_are_bounded() -> None:
    assert len(checked_entries(["a"] * MOST_ENTRIES)) == MOST_ENTRIES
    with pytest.raises(ValueError, match="65 entries"):
        checked_entries(["a"] * (MOST_ENTRIES + 1))


def test_labels_are_sorted_and_each_stands_once() -> None:
    assert checked_labels(["staff", "hr", "hr/pay ü", "hr"]) == ("hr", "hr/pay ü", "staff")


@pytest.mark.parametrize("labels", [[""], [" hr"], ["hr\n"], ["\ud800"], ["x" * 65], ["a"] * (MOST_ENTRIES + 1)])
def test_bad_labels(labels: list[str]) -> None:
    with pytest.raises(ValueError, match="access label"):
        checked_labels(labels)
