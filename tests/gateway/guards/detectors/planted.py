"""Documents with planted values and near misses, made from a seed: mails, tickets, JSON, CSV, code, Markdown.

Every planted value is valid of its kind (check digits, ranges, areas) and random otherwise; what takes a label has one.
Near misses have the form of something and are nothing. Where a value stands is known by construction.
"""

import calendar
import itertools
import json
import random
import string
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import phonenumbers
from stdnum import luhn, verhoeff
from stdnum.ch import ssn as ahv
from stdnum.iso7064 import mod_97_10

from gateway.exchange import Finding

Make = Callable[[random.Random], str]


@dataclass(frozen=True)
class Planted:
    """A value in a text, from character `start` to before `end`."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Document:
    shape: str
    text: str
    planted: tuple[Planted, ...]

    @property
    def values(self) -> list[str]:
        return [self.text[one.start : one.end] for one in self.planted]


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _word(rng: random.Random, alphabet: str, count: int) -> str:
    return "".join(rng.choices(alphabet, k=count))


FIRST = ["jane", "bob", "maria", "li", "ahmed", "søren", "zoë", "john.paul", "anna-lena", "o_brien"]
LAST = ["doe", "miller", "garcia", "wang", "hassan", "jensen", "müller", "smith", "weber", "rossi"]
HOSTS = [
    "example.com",
    "mail.example.org",
    "uni-koeln.de",
    "acme.co.uk",
    "firma.example.fr",
    "web.de",
    "gmail.com",
    "corp.example.io",
]
B62, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
TOKEN = B62 + "_-"


def mail(rng: random.Random) -> str:
    name = f"{rng.choice(FIRST)}{rng.choice('._-+')}{rng.choice(LAST)}{rng.choice(('', '7', '1984'))}"
    at = rng.choice(("@",) * 8 + ("%40", " (at) "))
    return name + at + rng.choice(HOSTS)


def card(rng: random.Random) -> str:
    prefix, length = rng.choice(
        (("4", 16), ("51", 16), ("2720", 16), ("34", 15), ("37", 15), ("6011", 16), ("3528", 16))
    )
    body = prefix + _digits(rng, length - len(prefix) - 1)
    number = body + luhn.calc_check_digit(body)
    parted = rng.choice(("", " ", "-", ".", " "))
    groups = (4, 6, 5) if length == 15 else (4, 4, 4, 4)
    cuts = [sum(groups[:index]) for index in range(len(groups) + 1)]
    written = parted.join(number[a:b] for a, b in itertools.pairwise(cuts))
    return _dressed(rng, written)


def _dressed(rng: random.Random, number: str) -> str:
    """One in ten in full-width digits, one in ten with something invisible in it."""
    draw = rng.random()
    if draw < 0.1:
        return "".join(chr(0xFF10 + int(character)) if character.isdigit() else character for character in number)
    return number[:5] + rng.choice("\u200b\u00ad\u2060") + number[5:] if draw < 0.2 else number


def iban(rng: random.Random) -> str:
    country, bban = rng.choice(
        (
            ("DE", _digits(rng, 18)),
            ("GB", "NWBK" + _digits(rng, 14)),
            ("NL", "ABNA" + _digits(rng, 10)),
            ("AT", _digits(rng, 16)),
            ("CH", _digits(rng, 17)),
        )
    )
    number = country + mod_97_10.calc_check_digits(bban + country) + bban
    if rng.random() < 0.5:
        return " ".join(number[index : index + 4] for index in range(0, len(number), 4))
    return number if rng.random() < 0.8 else number.lower()


def address(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return ":".join(["2001", *(f"{rng.randrange(1, 65536):x}" for _ in range(7))])
    return f"{rng.randrange(1, 127)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def phone(rng: random.Random) -> str:
    """A number that phonenumbers takes for valid, as its country or the world writes it."""
    country = rng.choice(("US", "DE", "GB", "FR", "CH", "NL"))
    example = phonenumbers.example_number(country)
    assert example is not None
    assert example.national_number is not None
    for _ in range(100):
        number = example.national_number // 10_000 * 10_000 + rng.randrange(10_000)
        one = phonenumbers.PhoneNumber(country_code=example.country_code, national_number=number)
        if phonenumbers.is_valid_number(one):
            break
    form = phonenumbers.PhoneNumberFormat
    how = rng.choice((form.INTERNATIONAL, form.E164, form.NATIONAL))
    return phonenumbers.format_number(one, how)


def ssn(rng: random.Random) -> str:
    area = rng.choice((rng.randrange(1, 666), rng.randrange(667, 900)))
    return f"{area:03}-{rng.randrange(1, 100):02}-{rng.randrange(1, 10000):04}"


def nino(rng: random.Random) -> str:
    return f"{rng.choice(('AB', 'CE', 'JK', 'PR'))}{rng.choice(('{}{}{}', ' {} {} {} '))}{rng.choice('ABCD')}".format(
        *(_digits(rng, 2) for _ in range(3))
    )


def dni(rng: random.Random) -> str:
    number = _digits(rng, 8)
    return number + rng.choice(("", "-")) + "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def nir(rng: random.Random) -> str:
    body = (
        f"{rng.choice('12')}{rng.randrange(40, 99)}{rng.randrange(1, 13):02}{rng.randrange(1, 96):02}{_digits(rng, 6)}"
    )
    whole = body + f"{97 - int(body) % 97:02}"
    parts = [whole[0], whole[1:3], whole[3:5], whole[5:7], whole[7:10], whole[10:13], whole[13:]]
    return rng.choice(("", " ")).join(parts)


def aadhaar(rng: random.Random) -> str:
    while True:
        body = rng.choice("23456789") + _digits(rng, 10)
        number = body + verhoeff.calc_check_digit(body)
        if number != number[::-1]:
            return f"{number[:4]} {number[4:8]} {number[8:]}"


def cpf(rng: random.Random) -> str:
    digits = [int(digit) for digit in _digits(rng, 9)]
    for _ in range(2):
        rest = sum(digit * weight for digit, weight in zip(digits, range(len(digits) + 1, 1, -1), strict=True)) % 11
        digits.append(0 if rest < 2 else 11 - rest)
    text = "".join(map(str, digits))
    return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"


def swiss(rng: random.Random) -> str:
    body = "756" + _digits(rng, 9)
    for check in string.digits:
        if ahv.is_valid(body + check):
            return f"756.{body[3:7]}.{body[7:11]}.{body[11:]}{check}"
    raise AssertionError("one check digit fits")


def birthday(rng: random.Random) -> str:
    year, month, day = rng.randrange(1930, 2010), rng.randrange(1, 13), rng.randrange(1, 29)
    name = calendar.month_name[month]
    numbers = f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}", f"{month}/{day}/{year}"
    return rng.choice((*numbers, f"{day} {name} {year}", f"{name} {day}, {year}"))


def passport(rng: random.Random) -> str:
    return rng.choice((_digits(rng, 9), "C" + _digits(rng, 8), _word(rng, "CFGHJK", 1) + _digits(rng, 7)))


def token(prefix: str, alphabet: str, count: int, rng: random.Random) -> str:
    return prefix + _word(rng, alphabet, count)


def jwt(rng: random.Random) -> str:
    return f"eyJhbGciOiJIUzI1NiJ9.eyJ{_word(rng, TOKEN, 80)}.{_word(rng, TOKEN, 43)}"


def private_key(rng: random.Random) -> str:
    lines = "\n".join(_word(rng, B62 + "+/", 64) for _ in range(8))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"


def password(rng: random.Random) -> str:
    return _word(rng, B62, 6) + rng.choice("!#%+$") + _digits(rng, 2)


# Kind: what stands before it (nothing, where its form is enough), and how one is made.
PII: dict[str, tuple[str, Make]] = {
    "EMAIL_ADDRESS": ("", mail),
    "CREDIT_CARD": ("", card),
    "IBAN_CODE": ("", iban),
    "IP_ADDRESS": ("", address),
    "PHONE_NUMBER": ("phone: ", phone),
    "US_SSN": ("", ssn),
    "UK_NINO": ("", nino),
    "ES_NIF": ("", dni),
    "FR_NIR": ("", nir),
    "IN_AADHAAR": ("", aadhaar),
    "BR_CPF": ("", cpf),
    "CH_AHV": ("", swiss),
    "DATE_OF_BIRTH": ("date of birth: ", birthday),
    "PASSPORT": ("passport no. ", passport),
}
SECRETS: dict[str, tuple[str, Make]] = {
    "AWS_ACCESS_KEY": ("", partial(token, "AKIA", string.ascii_uppercase + "234567", 16)),
    "GITHUB_TOKEN": ("", partial(token, "ghp_", B62, 36)),
    "SLACK_TOKEN": ("", partial(token, "xoxb-", string.digits, 24)),
    "GOOGLE_API_KEY": ("", partial(token, "AIza", B62, 35)),
    "OPENAI_KEY": ("", partial(token, "sk-proj-", B62, 48)),
    "ANTHROPIC_KEY": ("", partial(token, "sk-ant-api03-", B62, 60)),
    "STRIPE_KEY": ("", partial(token, "sk_live_", B62, 24)),
    "TOLLGATE_KEY": ("", lambda rng: f"tg_{_word(rng, HEX, 16)}_{_word(rng, HEX, 64)}"),
    "JWT": ("", jwt),
    "PRIVATE_KEY": ("", private_key),
    "PASSWORD": ("password: ", password),
    "SECRET": ("api_key: ", partial(token, "", B62, 32)),
}
NEAR: tuple[Make, ...] = (
    lambda rng: f"order {_digits(rng, 10)}",
    lambda rng: f"invoice INV-{rng.randrange(2020, 2027)}-{_digits(rng, 6)}",
    lambda rng: f"sha256 {_word(rng, HEX, 64)}",
    lambda rng: f"commit {_word(rng, HEX, 40)}",
    lambda rng: f"v{rng.randrange(9)}.{rng.randrange(30)}.{rng.randrange(9)}.{rng.randrange(99)}",
    lambda rng: f"due {rng.randrange(2020, 2027)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
    lambda rng: f"on {rng.randrange(1, 29):02}.{rng.randrange(1, 13):02}.{rng.randrange(2020, 2027)}",
    lambda rng: "-".join(_word(rng, HEX, count) for count in (8, 4, 4, 4, 12)),
    lambda rng: f"at {rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}",
    lambda rng: f"total {rng.randrange(1, 999)},{_digits(rng, 3)}.{_digits(rng, 2)} EUR",
    lambda rng: f"icon{rng.randrange(9)}@2x.png",
    lambda rng: f"@{rng.choice(LAST)}{_digits(rng, 2)}",
    lambda rng: "std::vector",
    lambda rng: f"ms {rng.randrange(1_600_000_000_000, 1_800_000_000_000)}",
    lambda rng: f"ISBN 978-3-{_digits(rng, 2)}-{_digits(rng, 6)}-{_digits(rng, 1)}",
    lambda rng: f"PN {_word(rng, string.ascii_uppercase, 3)}-{_digits(rng, 5)}-{_digits(rng, 2)}",
    lambda rng: f"ratio {rng.random():.12f}",
    lambda rng: "password: required",
    lambda rng: "token = os.environ['TOKEN']",
    lambda rng: "api_key: ${API_KEY}",
    lambda rng: f"card ending in {_digits(rng, 4)}",
    lambda rng: f"ticket #{_digits(rng, 7)}",
    lambda rng: f"{_digits(rng, 3)} {_digits(rng, 3)} users",
    lambda rng: f"pages {rng.randrange(1, 99)}-{rng.randrange(100, 400)}",
    lambda rng: f"lat {rng.uniform(-90, 90):.6f}, lon {rng.uniform(-180, 180):.6f}",
)
PROSE = (
    "Thank you for your patience while we looked into this.",
    "The second parcel left the warehouse this morning and should arrive on Friday.",
    "Please confirm that the details below are still right.",
    "Our colleagues in Zürich will call back – they are in a meeting until three.",
    "I tried again with another browser, and the result was the same.",
    "お問い合わせありがとうございます。",
    "Nothing else has changed since the last release.",
    "Could you send the form again? The first one was cut off.",
)

Part = tuple[str, str, str | None]  # what stands before a value, the value, its kind


def _mail(rng: random.Random, parts: list[Part]) -> list[Part | str]:
    lines: list[Part | str] = ["Dear colleagues,\n\n"]
    for part in parts:
        lines += [rng.choice(PROSE), " ", part, rng.choice((".", ",", "", " -")), "\n"]
    return [*lines, "\nKind regards"]


def _ticket(rng: random.Random, parts: list[Part]) -> list[Part | str]:
    lines: list[Part | str] = [f"Ticket #{_digits(rng, 6)}\nStatus: open\n"]
    for part in parts:
        lines += [rng.choice(("Note: ", "> ", "* ", "[agent] ")), part, "; ", rng.choice(PROSE), "\n"]
    return lines


def _json(rng: random.Random, parts: list[Part]) -> list[Part | str]:
    lines: list[Part | str] = ['{"items": [']
    for index, part in enumerate(parts):
        lines += [", " if index else "", '{"id": ', str(index), ', "note": "', part, '"}']
    return [*lines, "]}"]


def _csv(rng: random.Random, parts: list[Part]) -> list[Part | str]:
    lines: list[Part | str] = ["id,value,remark\n"]
    for index, part in enumerate(parts):
        lines += [f"{index},", part, f",{rng.choice(('ok', 'late', 'n/a'))}\n"]
    return lines


def _code(rng: random.Random, parts: list[Part]) -> list[Part | str]:
    lines: list[Part | str] = ["def load(path):\n"]
    for index, part in enumerate(parts):
        lines += [f'    x{index} = "', part, '"  # ', rng.choice(("todo", "checked", "from the old system")), "\n"]
    return [*lines, "    return path\n"]


def _markdown(rng: random.Random, parts: list[Part]) -> list[Part | str]:
    lines: list[Part | str] = ["# Notes\n\n| what | value |\n|---|---|\n"]
    for part in parts:
        lines += ["| ", rng.choice(("entry", "detail")), " | ", rng.choice(("", "**", "`")), part, " |\n"]
    return lines


SHAPES = {"mail": _mail, "ticket": _ticket, "json": _json, "csv": _csv, "code": _code, "markdown": _markdown}


def document(seed: int, kinds: dict[str, tuple[str, Make]]) -> Document:
    """Three to five planted values and as many near misses, in the shape that the seed says."""
    rng = random.Random(seed)
    shape = list(SHAPES)[seed % len(SHAPES)]
    parts: list[Part] = [_planted(rng, kind, kinds) for kind in rng.choices(list(kinds), k=rng.randrange(3, 6))]
    parts += [("", rng.choice(NEAR)(rng), None) for _ in range(rng.randrange(3, 6))]
    rng.shuffle(parts)
    text, planted = "", []
    for piece in SHAPES[shape](rng, parts):
        if isinstance(piece, str):
            text += piece
            continue
        before, value, kind = piece
        value = json.dumps(value, ensure_ascii=False)[1:-1] if shape in ("json", "code") else value
        text += before
        if kind:
            planted.append(Planted(kind, len(text), len(text) + len(value)))
        text += value
    return Document(shape, text, tuple(planted))


def _planted(rng: random.Random, kind: str, kinds: dict[str, tuple[str, Make]]) -> Part:
    before, make = kinds[kind]
    return before, make(rng), kind


@dataclass
class Count:
    """Of one kind: planted, wholly covered by findings (of any kind), and met by a finding of that very kind; findings
    of the kind, and those of them that touch nothing planted."""

    planted: int = 0
    covered: int = 0
    named: int = 0
    found: int = 0
    wrong: int = 0


def counted(documents: Iterable[Document], find: Callable[[str], Sequence[Finding]]) -> dict[str, Count]:
    """By kind, of those planted and those found."""
    counts: dict[str, Count] = defaultdict(Count)
    for document in documents:
        found = find(document.text)
        for one in document.planted:
            near = [finding for finding in found if finding.start < one.end and finding.end > one.start]
            inside = {place for finding in near for place in range(finding.start, finding.end)}
            counts[one.kind].planted += 1
            counts[one.kind].covered += inside.issuperset(range(one.start, one.end))
            counts[one.kind].named += any(finding.kind == one.kind for finding in near)
        for finding in found:
            counts[finding.kind].found += 1
            counts[finding.kind].wrong += all(
                finding.start >= one.end or finding.end <= one.start for one in document.planted
            )
    return dict(sorted(counts.items()))
