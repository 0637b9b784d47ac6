"""Numbers that stand among other numbers: cards, bank accounts, telephones. Pure; the patterns are in `pii`.

A card may be written in groups and stand right after an order number, so that no pattern alone tells where it begins:
each run of groups is walked through, from every group on. Work is bounded by 19 digits (ISO/IEC 7812) from each.
"""

from collections.abc import Iterator

import phonenumbers
from stdnum import iban

from gateway.guards.detectors.rules import Span, compiled

CARD_DIGITS = range(14, 20)  # of the cards below; ISO/IEC 7812-1 allows up to 19
# Ranges and lengths that issuers use now, so that of numbers with the same check digit (IMEI, 15 digits from 35; GTIN)
# few are taken for cards: Visa; Mastercard; American Express; Diners; JCB; Discover and UnionPay; Maestro.
_ISSUER = compiled(
    r"4\d{15}(?:\d{3})?|(?:5[1-5]\d\d|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720))\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}(?:\d{2,5})?|35(?:2[89]|[3-8]\d)\d{12,15}|6(?:011|4[4-9]\d|5\d\d|2\d\d)\d{12,15}"
    r"|(?:5[0678]|6[37])\d{14,17}"
)
_FIRST = "23456"
_TWICE = str.maketrans("0123456789", "0246813579")  # twice a digit, its own digits added up
_GROUP = compiled(r"\d+")
# Where a national number is read without its country: those in which it begins with 0, and North America.
_TRUNK_ZERO = ("DE", "GB", "FR", "CH", "AT", "NL", "BE", "IT", "SE", "FI", "AU", "IN", "JP", "ZA", "IE")
_WITHOUT = ("US", "ES", "PT", "PL", "DK", "NO", "CZ", "GR", "SG", "MX", "BR")
_DATE = compiled(r"\d{1,2}[./\- ]\d{1,2}[./\- ](?:19|20)?\d\d|(?:19|20)\d\d[./\- ]?\d{1,2}[./\- ]?\d{1,2}(?: .*)?")


def cards(text: str, start: int, end: int) -> Iterator[Span]:
    """Card numbers in a run of digits that single separators join."""
    groups = [(start + group.start(), start + group.end()) for group in _GROUP.finditer(text[start:end])]
    after = start
    for first, (begin, _) in enumerate(groups):
        if begin < after or text[begin] not in _FIRST:
            continue
        if stop := _card(text, groups[first : first + CARD_DIGITS.stop]):
            after = stop
            yield begin, stop


def _card(text: str, groups: list[Span]) -> int | None:
    """Where a card that begins with the first group ends."""
    digits, longest = "", None
    for begin, end in groups:
        if len(digits) + end - begin >= CARD_DIGITS.stop:
            break
        digits += text[begin:end]
        if len(digits) in CARD_DIGITS and _ISSUER.fullmatch(digits) and _luhn(digits):
            longest = end
    return longest


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B. The library takes three times as long, at up to six lengths from each group."""
    return (sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2].translate(_TWICE)))) % 10 == 0


def ibans(text: str, start: int, end: int) -> Iterator[Span]:
    """The account that a candidate begins with: its country says how long it is (ISO 13616, 15 to 34 characters)."""
    places = [place for place in range(start, end) if text[place].isalnum()]
    compact = "".join(text[place] for place in places).upper()
    for length in range(15, len(compact) + 1):
        if _remainder(compact[:length]) == 1 and iban.is_valid(compact[:length]):
            yield start, places[length - 1] + 1
            return


def _remainder(compact: str) -> int:
    """ISO 7064 mod 97, 10, of which the library takes ten times as long."""
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97


def international(text: str, start: int, end: int) -> Iterator[Span]:
    """A telephone number with its country, after + or 00."""
    start += _opened(text[start:end])
    number = text[start:end].lstrip("(")
    if _valid("+" + number[2:] if number.startswith("00") else number, None):
        yield start, end


def national(text: str, start: int, end: int) -> Iterator[Span]:
    """One as it is written inside some country."""
    start += _opened(text[start:end])
    number = text[start:end]
    countries = _TRUNK_ZERO if number.lstrip("(").startswith("0") else _WITHOUT
    if not _DATE.fullmatch(number) and any(_valid(number, country) for country in countries):
        yield start, end


def _opened(number: str) -> bool:
    """Whether it stands in a bracket that is not its own."""
    return number.startswith("(") and number.count("(") > number.count(")")


def _valid(number: str, country: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, country))
    except phonenumbers.NumberParseException:
        return False
