"""URLs of backends: what is taken out of them, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.address import Address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://host", Address("host", 80, False, "host")),
        ("https://host", Address("host", 443, True, "host")),
        ("http://host:8000/", Address("host", 8000, False, "host:8000")),
        ("http://HOST:80", Address("host", 80, False, "host")),
        ("https://host:80", Address("host", 80, True, "host:80")),
        ("http://10.0.0.1:8000/a/b//", Address("10.0.0.1", 8000, False, "10.0.0.1:8000", "/a/b")),
        ("http://[::1]:8000", Address("::1", 8000, False, "[::1]:8000")),
        ("https://[2001:db8::1]", Address("2001:db8::1", 443, True, "[2001:db8::1]")),
        ("http://münchen.example/ä b%20c", Address("xn--mnchen-3ya.example", 80, False, "xn--mnchen-3ya.example",
                                                  "/%C3%A4%20b%20c")),
    ],
)  # fmt: skip
def test_an_address(url: str, address: Address) -> None:
    assert Address.parse(url) == address


NOWHERE = """
host localhost:8000 ftp://host http:// http://:8000 http://host:x http://host:99999 http://[::1
http://user:secret@host http://a..b http://host/?q=1 http://host#fragment
"""


@pytest.mark.parametrize("url", ["", "http://a b", f"http://{'a' * 64}.example", *NOWHERE.split()])
def test_what_is_no_address_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="URL of a backend") as raised:
        Address.parse(url)
    assert "secret" not in str(raised.value)


@given(st.text() | st.text().map(lambda text: f"http://{text}") | st.text().map(lambda text: f"http://h/{text}"))
def test_whatever_is_accepted_can_stand_in_a_request(url: str) -> None:
    try:
        address = Address.parse(url)
    except ValueError:
        return
    for written in (address.authority, address.prefix):
        assert written.isascii()
        assert not any(character <= " " for character in written)
