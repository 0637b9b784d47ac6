"""Addresses of hosts that are not allowed: what a model was talked into writing so that a browser sends data away.

An image whose address carries a secret is fetched as soon as it is shown, so images, links, HTML attributes, CSS and
bare addresses are all read, as browsers read them: ada is the WHATWG parser of Node.js and knows userinfo
(`https://good.com@evil.com`), backslashes, tabs inside, numbers as IP addresses, percent-encoded and international
hosts. Pure.

What has no host of its own (`/path`, `#part`) is the app's and passes; of schemes only http and https can be allowed,
so `data:` and `javascript:` never are. Not found: an address that a program puts together, one in another encoding,
a bare `evil.example` without scheme, `www.` or path, `mailto:`; and an allowed host that forwards to another one.
"""

from collections.abc import Iterator
from html import unescape

from ada_url import URL

from gateway.exchange import Finding
from gateway.guards.detectors.rules import Rule, Rules, Span, compiled

KIND = "URL"
# Characters of an address that are read: a host has 253 at most (RFC 1035), and before it may stand a name and a
# password. Of a longer one the beginning is found and replaced, without which the rest leads nowhere.
LONGEST = 500
REACH = LONGEST + 60  # with the attribute or the bracket before it
_HERE = "https://here.invalid/"  # a name that RFC 2606 keeps from being anyone's
_ATTRIBUTE = (
    r"(?i:\b(?:src|href|srcset|action|formaction|poster|data|background|ping|cite|content|manifest|code|icon|lowsrc))"
    r"\s{0,4}=\s{0,4}"
)
_ENDS = r"\s<>\"'`"
_CUT = f"{{1,{LONGEST}}}"
# Hosts without a scheme are linked by many renderers where a path follows; most often under these.
_TOP = (
    "com|net|org|io|dev|app|info|biz|xyz|co|me|ai|site|online|top|link|click|cloud|page|ru|cn|de|uk|fr|eu|tk|sh|to|ly"
    "|gg|cc"
)
_HEAD = compiled(r"[\x{0}-\x{20}\"'<(\[]*")  # browsers skip white space and controls before an address
_MARKS = ".,;:!?*_~)]}>|'\"`"  # that end a sentence, emphasis, a cell and not an address
_OPEN = compiled(
    rf"(?:{_ATTRIBUTE}(?:\"[^\">]*|'[^'>]*|[^\s>]*)|\]\(\s*<[^>]*|\]\(\s*[^\s)]*|(?i:url)\([^)]*|(?i:s\s*rcset)\s*=[^>]*)$"
)


class Urls:
    """Finds addresses whose host is not in `allow`: `example.com`, or `*.example.com` for all below it."""

    reach = REACH

    def __init__(self, allow: tuple[str, ...] = ()) -> None:
        """Raises ValueError for what is no host."""
        self._exact = frozenset(_host(one) for one in allow if not one.startswith("*."))
        self._below = tuple("." + _host(one[2:]) for one in allow if one.startswith("*."))
        self._rules = Rules([Rule(KIND, pattern, self._foreign) for pattern in _PATTERNS])

    def find(self, text: str) -> list[Finding]:
        """In the order of the text."""
        return self._rules.find(text)

    def held(self, text: str) -> int:
        """As `Guard.held`: the last word, and an attribute or a bracket that is still open, spaces and all."""
        tail = text[-REACH:]
        words = tail.rsplit(None, 1)
        last = len(tail) - (len(words[0]) if len(words) > 1 else 0)
        opened = _OPEN.search(tail)
        return max(last, len(tail) - opened.start()) if opened else last

    def _foreign(self, text: str, start: int, end: int) -> Iterator[Span]:
        """The candidate without what only surrounds it, unless its host is allowed."""
        start += _HEAD.match(text[start:end]).end()
        while end > start and text[end - 1] in _MARKS:
            end -= 1
        if end > start and not all(map(self._allowed, _readings(text[start:end]))):
            yield start, end

    def _allowed(self, address: str) -> bool:
        try:
            url = URL(address, base=_HERE)
        except ValueError:  # an address that nobody can read is not one that was allowed
            return False
        if url.protocol not in ("http:", "https:"):
            return False
        host = url.hostname.rstrip(".")
        return host in (*self._exact, "here.invalid") or host.endswith(self._below or ("\n",))


def _readings(written: str) -> Iterator[str]:
    """What renderers may take an address for: as it is, with HTML's entities read, with Markdown's backslashes gone."""
    if written.lower().startswith(("http:", "https:")):  # "https:evil.com" is absolute only where the page is not https
        scheme, rest = written.split(":", 1)
        written = f"{scheme}://{rest.lstrip('/' + chr(92))}"
    elif _SCHEMELESS.match(written):
        written = f"https://{written}"
    yield written
    if "&" in written:
        yield unescape(written)
    if "\\" in written:
        yield _ESCAPED.sub(r"\1", written)


_SCHEMELESS = compiled(rf"(?i)www\.|(?:[a-z0-9\-]{{1,63}}\.)+(?:{_TOP})(?:[/?#:]|$)")
_ESCAPED = compiled(r"\\([!-/:-@\[-`{-~])")
_PATTERNS = (
    # Anything with a scheme and slashes, either kind; http and https without any too.
    rf"(?i)\b([a-z][a-z0-9+.\-]{{1,20}}:[/\\]{{2}}[^{_ENDS}]{_CUT})",
    rf"(?i)\b(https?:[^{_ENDS}]{_CUT})",
    rf"(?i)\b(data:[a-z0-9+.\-]{{0,40}}[/;,][^{_ENDS}]{{0,{LONGEST}}})",
    rf"(?i)\b((?:javascript|vbscript|blob|filesystem|file):[^{_ENDS}]{_CUT})",
    # //host, which takes the page's scheme.
    rf"(?:^|[\s(\[<\"'=,])([/\\]{{2}}(?:[^{_ENDS}/\\]{{1,253}}[.:][^{_ENDS}]|[0-9]|\[)[^{_ENDS}]{{0,{LONGEST - 256}}})",
    rf"(?i)\b(www\.[^{_ENDS}]{_CUT})",
    rf"(?i)(?:^|[\s(\[<\"'=,])((?:[a-z0-9\-]{{1,63}}\.){{1,5}}(?:{_TOP})(?::\d{{1,5}})?[/?][^{_ENDS}]{{0,160}})",
    # Where an address is due, whatever it looks like: HTML, CSS, Markdown's ](...) and [name]: ...
    rf"{_ATTRIBUTE}\"([^\">]{_CUT})",
    rf"{_ATTRIBUTE}'([^'>]{_CUT})",
    rf"{_ATTRIBUTE}([^\s\"'>]{_CUT})",
    rf"(?i:url)\(([^)]{_CUT})",
    rf"\]\(\s{{0,4}}<([^>]{_CUT})",
    rf"\]\(\s{{0,4}}([^\s<][^\s)]{{0,{LONGEST}}})",
    rf"(?:^|\n) {{0,3}}\[[^\]\n]{{1,80}}\]:\s{{0,4}}<?([^\s>]{_CUT})",
)


def _host(name: str) -> str:
    """As browsers write it: small letters, Punycode."""
    try:
        host = URL(f"https://{name}/").hostname
    except ValueError:
        host = ""
    if not host or any(mark in name for mark in "/@?#*"):
        raise ValueError(
            f"`allow` names {name!r}, which is no host: write example.com, or *.example.com for all below it"
        )
    return host
