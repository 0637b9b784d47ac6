"""Numbers and units of measure in a text's words, in one form each: `two hundred`, `200` and `2 hundred` are one."""

from collections.abc import Iterator, Sequence

from gateway.similarity import lexicon as lex


def numbers(forms: Sequence[str]) -> Iterator[str]:
    """Digits and number words, multiplied out; dates, times and versions as written. `forms`: words in lower case."""
    value: float | None = None
    for at, form in enumerate(forms):
        if value is not None and form in lex.MAGNITUDES:
            value *= lex.MAGNITUDES[form]
            continue
        digits = _digits(forms, at, value)
        number = _value(digits)
        if value is not None and number is not None and 20 <= value <= 90 and value % 10 == 0 and 0 < number < 10:
            value += number  # twenty five
            continue
        if value is not None:
            yield f"{value:g}"
        if digits is not None and number is None:
            yield digits
        value = number
    if value is not None:
        yield f"{value:g}"


def units(forms: Sequence[str]) -> Iterator[str]:
    """Those of one letter, and `am`, count after a number only."""
    for before, form in zip(["", *forms], forms, strict=False):
        alone = form != "am" and (len(form) > 1 or not form.isalpha())
        if form in lex.UNITS and (alone or before[:1].isdigit()):
            yield lex.UNITS[form]


def _digits(forms: Sequence[str], at: int, before: float | None) -> str | None:
    """The number that a word is, if it is one: `one` only where it counts, `second` not after a number."""
    form, following = forms[at], forms[at + 1] if at + 1 < len(forms) else ""
    if form == "one" and following not in lex.UNITS and following not in lex.MAGNITUDES:
        return None
    if form == "second" and before is not None:
        return None
    return lex.NUMBERS.get(form, form if form.lstrip("-")[:1].isdigit() else None)


def _value(digits: str | None) -> float | None:
    try:
        return None if digits is None else float(digits)
    except ValueError:
        return None
