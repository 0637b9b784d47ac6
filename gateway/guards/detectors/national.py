"""What countries number their people by: patterns, and the check digits (python-stdnum). Pure.

Where the form is common and the check weak, so that one order number in ten would pass, it takes a label before it.
Kinds are called as Presidio calls them, in its manner where it has none.
"""

from collections.abc import Callable

from stdnum import bitcoin
from stdnum.at import vnr
from stdnum.au import tfn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cn import ric
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.pt import nif
from stdnum.se import personnummer
from stdnum.us import itin, ssn

from gateway.guards.detectors.rules import Rule, checked

_TAX = r"(?:tax|steuer|ident|idnr|tin\b|nif\b|contribuinte)"
_INSURED = r"(?:insurance|versicherung|svnr|sv-?n)"


def _rule(kind: str, pattern: str, valid: Callable[[str], bool], before: str | None = None) -> Rule:
    """Neither end of a number may touch another number: a decimal point, a dash, a dot of a version."""
    return Rule(kind, rf"(?:^|[^\w.\-/])({pattern})(?:$|[^\w\-/])", checked(valid), before)


def _social_security(number: str) -> bool:
    return ssn.is_valid(number.replace(" ", "-"))


NATIONAL = (
    _rule("US_SSN", r"\d{3}[ \-]\d{2}[ \-]\d{4}", _social_security),
    _rule("US_SSN", r"\d{9}", ssn.is_valid, r"(?:\bssn|social.security)"),
    _rule("US_ITIN", r"9\d{2}-\d{2}-\d{4}", itin.is_valid),
    # HMRC's manual NIM39110: the letters that no prefix has; no check digit.
    Rule(
        "UK_NINO",
        r"(?:^|[^\w.\-/])((?i:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]))(?:$|[^\w\-/])",
    ),
    _rule("UK_NHS", r"\d{3}[ \-]?\d{3}[ \-]?\d{4}", nhs.is_valid, r"\bnhs"),
    _rule("DE_TAX_ID", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", idnr.is_valid, _TAX),
    _rule("FR_NIR", r"[12] ?\d{2} ?\d{2} ?[0-9AB]{2} ?\d{3} ?\d{3} ?\d{2}", nir.is_valid),
    _rule("ES_NIF", r"\d{8}[ \-]?[A-Za-z]", dni.is_valid),
    _rule("ES_NIE", r"[XYZxyz][ \-]?\d{7}[ \-]?[A-Za-z]", nie.is_valid),
    _rule("IT_FISCAL_CODE", r"(?i:[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z])", codicefiscale.is_valid),
    _rule("PT_NIF", r"\d{3} ?\d{3} ?\d{3}", nif.is_valid, _TAX),
    _rule("NL_BSN", r"\d{4}[. ]?\d{2}[. ]?\d{3}", bsn.is_valid, r"(?:\bbsn|burgerservice|sofi)"),
    _rule("BE_NN", r"\d{2}[. ]\d{2}[. ]\d{2}[- ]\d{3}[. ]\d{2}", nn.is_valid),
    _rule("CH_AHV", r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}", ahv.is_valid),
    _rule("AT_SVNR", r"\d{4} ?\d{6}", vnr.is_valid, _INSURED),
    _rule("SE_PERSONNUMMER", r"(?:19|20)?\d{6}[\-+]\d{4}", personnummer.is_valid),
    _rule("FI_PERSONAL_IDENTITY_CODE", r"\d{6}[\-+A]\d{3}[0-9A-Y]", hetu.is_valid),
    _rule("NO_FODSELSNUMMER", r"\d{6} ?\d{5}", fodselsnummer.is_valid),
    _rule("PL_PESEL", r"\d{11}", pesel.is_valid),
    _rule("CN_RIC", r"\d{17}[0-9Xx]", ric.is_valid),
    _rule("IN_AADHAAR", r"\d{4}[ \-]\d{4}[ \-]\d{4}", aadhaar.is_valid),
    _rule("IN_AADHAAR", r"\d{12}", aadhaar.is_valid, r"aadha+r"),
    _rule("IN_PAN", r"[A-Z]{3}[ABCFGHLJPTK][A-Z]\d{4}[A-Z]", pan.is_valid),
    _rule("BR_CPF", r"\d{3}\.\d{3}\.\d{3}-\d{2}", cpf.is_valid),
    _rule("BR_CPF", r"\d{11}", cpf.is_valid, r"\bcpf"),
    _rule("CA_SIN", r"\d{3}[ \-]\d{3}[ \-]\d{3}", sin.is_valid, r"(?:\bsin\b|social.insurance|\bnas\b)"),
    _rule("AU_TFN", r"\d{3} ?\d{3} ?\d{3}", tfn.is_valid, r"(?:\btfn|tax.file)"),
    _rule("CRYPTO", r"(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{8,87})", bitcoin.is_valid),
)
