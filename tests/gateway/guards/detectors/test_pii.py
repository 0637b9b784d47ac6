"""Personal data by example: the forms that are found, and those that only look like them."""

import pytest

from gateway.guards.detectors.national import NATIONAL
from gateway.guards.detectors.pii import KINDS, REACH, Pii

PII = Pii()
FOUND = {
    "EMAIL_ADDRESS": [
        "jane.doe+x@example.co.uk",
        "jane (at) example (dot) org",
        "jane%40example.com",
        "müller@example.de",
    ],
    "CREDIT_CARD": [
        "4111 1111 1111 1111",
        "378282246310005",
        "4111-1111-1111-1111",
        "４１１１１１１１１１１１１１１１",
    ],
    "IBAN_CODE": ["DE89 3704 0044 0532 0130 00", "gb29nwbk60161331926819"],
    "IP_ADDRESS": ["192.168.10.4", "2001:db8::1", "fe80::1ff:fe23:4567:890a", "::ffff:192.0.2.1"],
    "PHONE_NUMBER": ["+49 30 12345678", "+1 (415) 555-2671", "0044 20 7946 0958", "(415) 555-2671", "030/12345678"],
    "US_SSN": ["536-90-4399", "536 90 4399"],
    "UK_NINO": ["AB123456C", "ab 12 34 56 c"],
    "FR_NIR": ["2 94 03 75 120 005 91"],
    "ES_NIF": ["54362315K"],
    "ES_NIE": ["X-2482300W"],
    "IT_FISCAL_CODE": ["RCCMNL83S18D969H"],
    "CH_AHV": ["756.9217.0769.85"],
    "BE_NN": ["85.07.30-033.28"],
    "SE_PERSONNUMMER": ["880320-0016"],
    "FI_PERSONAL_IDENTITY_CODE": ["131052-308T"],
    "PL_PESEL": ["44051401359"],
    "CN_RIC": ["360426199101010071"],
    "IN_AADHAAR": ["2341 2341 2346"],
    "BR_CPF": ["390.533.447-05"],
    "CRYPTO": ["1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"],
}
LABELLED = {
    "DATE_OF_BIRTH": [
        "dob: 1980-03-12",
        "born on March 12, 1980",
        "Geburtsdatum: 12.3.1980",
        '"birth_date": "12/3/80"',
    ],
    "PASSPORT": ["passport no. C01X00T47", "Reisepass: C01X00T478"],
    "PHONE_NUMBER": ["Tel. 612 34 56 78", "call 4155552671"],
    "US_SSN": ["SSN 536904399"],
    "UK_NHS": ["NHS number 943 476 5870"],
    "DE_TAX_ID": ["Steuer-ID 36 574 261 809"],
    "NL_BSN": ["BSN 1112.22.333"],
    "PT_NIF": ["NIF 501 964 843"],
    "CA_SIN": ["SIN: 123 456 782"],
    "AU_TFN": ["TFN 123 456 782"],
    "IN_AADHAAR": ["Aadhaar 234123412346"],
    "BR_CPF": ["CPF 39053344705"],
    "AT_SVNR": ["SVNR 1237 010180"],
}
NOTHING = [
    "4111 1111 1111 1112",  # the check digit
    "DE89370400440532013001",
    "536-00-4399",  # no such group
    "000-12-3456",
    "v1.2.3.4, version 10.0.0.1 and >= 1.2.3.4",
    "127.0.0.1, 0.0.0.0 and ::1",
    "std::cout << a::b; x[1::2]; at 12:34:56",
    "1.22.333.4444 and 1.2.3.4.5",
    "2026-11-22, 01.02.2026 and 11/22/2026",
    "icon@2x.png, @someone and a@b",
    "550e8400-e29b-41d4-a716-446655440000",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "order 4815162342, 1,234,567.89 EUR, 1700000000000",
    "IMEI 356938035643809",
    "ISBN 978-3-16-148410-0",
    "555-0199",
    "2026 was the year; passport control is open",
    "0.6934159612345",
]


def kinds(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in PII.find(text)]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in FOUND.items() for value in values])
def test_it_is_found_by_its_form_wherever_it_stands(kind: str, value: str) -> None:
    for text in (value, f"It is {value}.", f"({value})", f'"{value}", {value};', f"7\n{value}\n7", f"日本 {value} 語"):
        assert set(kinds(text)) == {(kind, value)}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in LABELLED.items() for text in texts])
def test_it_is_found_by_its_label(kind: str, text: str) -> None:
    [(found, value)] = kinds(text)
    assert found == kind
    assert value in text
    assert all((kind, value) != one for one in kinds(value))


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_like_it_is_not_found(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "order 2024 4111 1111 1111 1111 12/26",
        "1 2 3 4 5 6 7 8 4111 1111 1111 1111 9 9",
        "4111\u200b1111\u00ad1111\u20601111",
        "4111 1111 1111 1111",
    ],
)
def test_a_card_is_found_among_other_numbers_and_what_cannot_be_seen(text: str) -> None:
    [(kind, value)] = kinds(text)
    assert kind == "CREDIT_CARD"
    assert "".join(filter(str.isdigit, value)) == "4111111111111111"


def test_only_the_kinds_that_are_named_are_looked_for() -> None:
    text = "jane@example.com, 192.168.10.4"
    assert [one.kind for one in Pii(("IP_ADDRESS",)).find(text)] == ["IP_ADDRESS"]


def test_a_kind_that_is_not_known_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(ValueError, match="NAME, which is not found here: EMAIL_ADDRESS"):
        Pii(("NAME", "US_SSN"))


def test_no_finding_is_longer_than_the_reach() -> None:
    text = f"{'x' * 300}@{'a.' * 150}example.com {'4' * 300} {'DE89 ' * 100}"
    assert all(one.end - one.start <= REACH for one in PII.find(text))


def test_every_national_number_has_an_example_here() -> None:
    examples = FOUND.keys() | LABELLED.keys()
    assert {rule.kind for rule in NATIONAL} - examples <= {"US_ITIN", "NO_FODSELSNUMMER", "IN_PAN"}
    assert set(KINDS) >= examples


def test_half_a_surrogate_pair_breaks_nothing() -> None:
    assert kinds("\ud800 jane@example.com \udfff") == [("EMAIL_ADDRESS", "jane@example.com")]
