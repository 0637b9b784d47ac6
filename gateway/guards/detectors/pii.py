"""Personal data that has a form: addresses, telephones, cards, accounts, national numbers, labelled dates of birth.

Why not Presidio (2.2.366, measured on two cores): it imports spaCy even for its patterns alone (390 MB, 1.2 s); its
patterns run on a backtracking engine (`regex`); its e-mail recognizer asks the network for the list of domains; its URL
recognizer takes 12 s for 20 KB of `a.` and 6 ms for 1 KB of plain prose, its telephones 14 ms for 1 KB with nine in
it. What it rests on is used directly instead: phonenumbers, python-stdnum for check digits, and its names of kinds.
docs/guards-quality.md has this detector's own figures.

Not found, for want of a maintained model that installs offline: names of people and postal addresses. Nor what has no
form of its own and no label: a birthday, a passport's or a customer's number in mid-sentence.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from gateway.exchange import Finding
from gateway.guards.detectors.holding import Holding
from gateway.guards.detectors.national import NATIONAL
from gateway.guards.detectors.numbers import cards, ibans, international, national
from gateway.guards.detectors.rules import Rule, Rules, Span, compiled

# The longest e-mail address that is looked for: 64 characters before the @ (RFC 5321), 96 of the host's name and 24
# of its last label; of those in real mail none is near it. All other kinds are shorter.
REACH = 200
# Four words may come together as one finding: `jane (at) example (dot)` before the last; numbers may be longer.
WORDS = 4

_LOCAL = r"[A-Za-z0-9._%+\-\x{C0}-\x{24F}\x{370}-\x{52F}]{1,64}"
_AT = r"(?:@|%40|&#64;|\\u0040| ?[\[({] ?(?i:at) ?[\])}] ?)"
_DOT = r"(?:\.| ?[\[({] ?(?i:dot) ?[\])}] ?)"
_LABELS = r"[A-Za-z0-9\x{C0}-\x{24F}\x{370}-\x{52F}.\-]{1,64}"
# `icon@2x.png` has the form of an address.
_FILES = (
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "webp",
    "html",
    "css",
    "js",
    "json",
    "yaml",
    "yml",
    "xml",
    "txt",
    "pdf",
    "csv",
)
_MONTH = r"(?i:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[\pL]{0,7}\.?"
_DATE = (
    r"\d{1,2}[./\- ]{1,2}\d{1,2}[./\- ]{1,2}(?:\d{4}|\d{2})|\d{4}[./\-]\d{1,2}[./\-]\d{1,2}"
    rf"|\d{{1,2}}(?:st|nd|rd|th|\.)? (?:of )?{_MONTH},? \d{{4}}|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}"
)
_BORN = (
    r"(?:\bdob\b|\bd\.o\.b|birth|\bborn\b|geburtsdatum|geboren|\bgeb\.|naissance|n[ée]e? le|nacimiento|"
    r"nascita|nascimento)"
)
_CALLED = r"(?:\btel|phone|mobile|\bmob\b|\bcell|\bcall|\bfax|whatsapp|handy|rufnummer|\bt[ée]l|m[óo]vil|\bsms)"


def _mail(text: str, start: int, end: int) -> Iterator[Span]:
    if text[start:end].rpartition(".")[2].lower() not in _FILES:
        yield start, end


def _passport(text: str, start: int, end: int) -> Iterator[Span]:
    """ICAO 9303 allows 9 letters and digits in any order; words written large have fewer digits than these."""
    if sum(map(str.isdigit, text[start:end])) >= 4:
        yield start, end


def _address(text: str, start: int, end: int) -> Iterator[Span]:
    """An IP address; those of no single machine are nobody's. `v1.2.3.4` is a version, `[1::2]` a slice."""
    try:
        address = ip_address(text[start:end])
    except ValueError:
        return
    nobody = address.is_loopback or address.is_unspecified or address.is_multicast
    written = text[start:end].split(":")
    slice_ = 1 < len(written) < 6 and max(map(len, written)) < 3
    if not (nobody or slice_ or _VERSION.search(text[max(0, start - 12) : start])):
        yield start, end


_VERSION = compiled(r"(?i)(?:\bv|version|release|build|section|chapter|§|[<>=!~]=|[~^]) ?$")

RULES = (
    Rule("EMAIL_ADDRESS", rf"{_LOCAL}{_AT}{_LABELS}{_DOT}[A-Za-z]{{2,24}}", _mail),
    # Groups of digits that a space, a dash or a dot joins, two at most.
    Rule("CREDIT_CARD", r"(?:^|[^\w.\-])(\d(?:[ .\-]{0,2}\d){12,})(?:$|\W)", cards, walked=True),
    Rule("IBAN_CODE", r"\b((?i:[A-Z]{2})\d{2}(?:[ \-]?[A-Za-z0-9]){11,30})", ibans),
    Rule("IP_ADDRESS", r"(?:^|[^\w.\-])((?:\d{1,3}\.){3}\d{1,3})(?:$|[^\w.\-]|\.(?:$|\D))", _address),
    Rule(
        "IP_ADDRESS",
        r"(?:^|[^\w:.])([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?::(?:\d{1,3}\.){3}\d{1,3})?)(?:$|[^\w:])",
        _address,
    ),
    *NATIONAL,
    Rule("PHONE_NUMBER", r"(?:^|[^\w.+\-])(\(?(?:\+|00)\(?\d(?:[ ().\-/]{0,3}\d){6,15})(?:$|[^\w])", international),
    # North America's is told by its form alone; with a leading zero others are, if parted; all else takes a label.
    Rule(
        "PHONE_NUMBER",
        r"(?:^|[^\w.\-/])((?:1[ .\-])?\(?[2-9]\d{2}(?:\) ?|[ .\-])[2-9]\d{2}[ .\-]\d{4})(?:$|[^\w\-])",
        national,
    ),
    Rule("PHONE_NUMBER", r"(?:^|[^\w.\-/])(\(?0\d{1,5}\)?[ /\-.]{1,3}\d(?:[ \-.]?\d){4,9})(?:$|[^\w\-])", national),
    Rule("PHONE_NUMBER", r"(?:^|[^\w.\-/])(\(?\d(?:[ ().\-/]{0,3}\d){6,13})(?:$|[^\w\-])", national, _CALLED),
    Rule("DATE_OF_BIRTH", rf"\b({_DATE})\b", label=_BORN),
    Rule("PASSPORT", r"\b([A-Z0-9]{6,10})\b", _passport, r"(?:passport|passeport|reisepass|pasaporte|passaporto)"),
)
KINDS = tuple(dict.fromkeys(rule.kind for rule in RULES))


class Pii:
    """Finds the kinds that are named, or all."""

    reach = REACH

    def __init__(self, entities: tuple[str, ...] | None = None) -> None:
        """Raises ValueError for a kind that no rule finds."""
        if unknown := sorted(set(entities or ()) - set(KINDS)):
            raise ValueError(f"`entities` names {', '.join(unknown)}, which is not found here: {', '.join(KINDS)} are")
        self._rules = Rules([rule for rule in RULES if entities is None or rule.kind in entities])
        self._holding = Holding(REACH, WORDS)

    def find(self, text: str) -> list[Finding]:
        """In the order of the text."""
        return self._rules.find(text)

    def held(self, text: str) -> int:
        """As `Guard.held`."""
        return self._holding.held(text)
