"""Keys, tokens and passwords: by the prefix that their issuer gives them, or by the word that stands before them.

Prefixes are from the issuers' own pages (GitHub's "token formats", Slack's "token types", Stripe's, AWS's IAM "unique
identifiers" ...). detect-secrets and gitleaks know more issuers; their rules run on engines, or are written for one
line at a time, that a stream of hostile text does not allow, so this list is its own, shorter. Pure.

Not found: a secret without prefix and without label (40 letters of an AWS secret key alone look as a hash does); a
password that is a plain word.
"""

from collections import Counter
from collections.abc import Iterator
from math import log2

from gateway.exchange import Finding
from gateway.guards.detectors.holding import Holding
from gateway.guards.detectors.rules import Rule, Rules, Span, compiled

REACH = 4096  # characters; a private RSA key of 4,096 bits is 3.2 KB in PEM, a token of an OpenID provider up to 2 KB
_BEGIN = "-----BEGIN "
_PEM_END = compiled(r"-----END [A-Z0-9 ]{0,40}-----")
_PEM_BODY = compiled(r"[A-Za-z0-9+/=\s\\:,.\-]*")
_TOKEN_BODY = compiled(r"[A-Za-z0-9_\-=]*(?:\.[A-Za-z0-9_\-=]+){0,4}")
_NO_SECRET = compiled(
    r"(?i)[x*.•\-_#]+|\{.*|.*(?:\$\{|\{\{|<|>|\(|\[|example|placeholder|changeme|your[_-]|redacted|process\.env|environ).*|\$\w+|%\w+%"
)
_NAMED = compiled(r"[A-Za-z_][A-Za-z_.]*")  # a variable, a word
_LEAST_BITS = 3.0  # per character, of a token of 16 characters or more; English words have 2.5 to 3, hex digits 3.5


def _private_key(text: str, start: int, end: int) -> Iterator[Span]:
    """To the end mark; without one as far as it looks like a key."""
    rest = text[end : start + REACH]
    close = _PEM_END.search(rest)
    yield start, end + (close.end() if close else _PEM_BODY.match(rest).end())


def _token(text: str, start: int, end: int) -> Iterator[Span]:
    yield start, end + _TOKEN_BODY.match(text[end : start + REACH]).end()


def _password(text: str, start: int, end: int) -> Iterator[Span]:
    """What stands after `password =` and is no variable, no placeholder and no word."""
    value = text[start:end].rstrip(".)]}?")
    if not _NO_SECRET.fullmatch(value) and not _NAMED.fullmatch(value):
        yield start, start + len(value)


def _random(text: str, start: int, end: int) -> Iterator[Span]:
    """What stands after `api_key =` and was not made up by a human."""
    if _bits(text[start:end]) >= _LEAST_BITS and not text[start:end].isalpha():
        yield from _password(text, start, end)


def _bits(value: str) -> float:
    """Shannon's entropy per character."""
    return -sum(count / len(value) * log2(count / len(value)) for count in Counter(value).values())


def _rule(kind: str, pattern: str) -> Rule:
    return Rule(kind, rf"(?:^|[^A-Za-z0-9_])({pattern})(?:$|[^A-Za-z0-9_])")


_IS = r"[\"'\]]{0,2}\s{0,3}(?::=|=>|==?|:|\bis\b)\s{0,3}[\"'`]?"
RULES = (
    Rule("PRIVATE_KEY", rf"({_BEGIN}(?:[A-Z0-9]{{1,12}} ){{0,3}}PRIVATE KEY(?: BLOCK)?-----)", _private_key),
    Rule("JWT", r"\b(eyJ[A-Za-z0-9_\-]{10,200}\.eyJ[A-Za-z0-9_\-]{8})", _token),
    _rule("TOLLGATE_KEY", r"tg_[A-Za-z0-9_\-]{16,128}(?:\.[A-Za-z0-9_\-]{16,128})?"),
    _rule("AWS_ACCESS_KEY", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"),
    Rule(
        "AWS_SECRET_KEY",
        r"(?:^|[^A-Za-z0-9/+])([A-Za-z0-9/+]{40})(?:$|[^A-Za-z0-9/+=])",
        label=r"aws.{0,24}(?:secret|key)",
    ),
    _rule("GITHUB_TOKEN", r"gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,244}"),
    _rule("GITLAB_TOKEN", r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-[A-Za-z0-9_\-]{20,128}"),
    _rule("SLACK_TOKEN", r"xox[abeoprs]-[A-Za-z0-9\-]{10,250}|xapp-\d-[A-Za-z0-9\-]{10,250}"),
    Rule("SLACK_WEBHOOK", r"(hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,100})"),
    _rule("GOOGLE_API_KEY", r"AIza[A-Za-z0-9_\-]{35}|GOCSPX-[A-Za-z0-9_\-]{28}|ya29\.[A-Za-z0-9_\-]{20,400}"),
    _rule("ANTHROPIC_KEY", r"sk-ant-[A-Za-z0-9_\-]{20,250}"),
    _rule("OPENAI_KEY", r"sk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_\-]{20,250}"),
    _rule("STRIPE_KEY", r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,247}|whsec_[A-Za-z0-9+/]{24,64}"),
    _rule("HUGGINGFACE_TOKEN", r"hf_[A-Za-z0-9]{34,64}"),
    _rule("NPM_TOKEN", r"npm_[A-Za-z0-9]{36}"),
    _rule("PYPI_TOKEN", r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_\-]{50,250}"),
    _rule("SENDGRID_KEY", r"SG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}"),
    _rule("TWILIO_KEY", r"SK[0-9a-f]{32}"),
    _rule("DIGITALOCEAN_TOKEN", r"do[opr]_v1_[a-f0-9]{64}"),
    _rule("DATABRICKS_TOKEN", r"dapi[a-f0-9]{32}"),
    _rule("SHOPIFY_TOKEN", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    _rule("VAULT_TOKEN", r"hv[sbr]\.[A-Za-z0-9_\-]{24,250}"),
    _rule("GRAFANA_TOKEN", r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}"),
    _rule("GROQ_KEY", r"gsk_[A-Za-z0-9]{40,64}"),
    _rule("TELEGRAM_TOKEN", r"\d{8,10}:AA[A-Za-z0-9_\-]{33}"),
    _rule("DISCORD_TOKEN", r"[MNO][A-Za-z0-9_\-]{23,25}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,38}"),
    _rule("AGE_KEY", r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}"),
    Rule("AZURE_KEY", r"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{43,86}={1,2})"),
    Rule("PASSWORD", r"[A-Za-z][A-Za-z0-9+.\-]{1,20}://[^\s:/@]{0,64}:([^\s:/@]{3,128})@", _password),
    Rule(
        "PASSWORD",
        rf"(?i:password|passwd|passwort|\bpwd|passphrase|_pass)\b?{_IS}([^\s\"'`<>,;&|]{{6,128}})",
        _password,
    ),
    Rule(
        "SECRET",
        rf"(?i:secret|token|api[_\-]?key|access[_\-]?key|credential|auth[_\-]?key)s?\b?{_IS}("
        rf"[^\s\"'`<>,;&|]{{16,250}})",
        _random,
    ),
    Rule(
        "SECRET",
        r"(?i:authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer|basic|"
        r"token)\s{1,3})([A-Za-z0-9_\-.=+/~]{12,250})",
        _random,
    ),
)
KINDS = tuple(dict.fromkeys(rule.kind for rule in RULES))


class Secrets:
    """Finds all kinds."""

    reach = REACH

    def __init__(self) -> None:
        self._rules = Rules(RULES)
        self._holding = Holding(REACH, 1)

    def find(self, text: str) -> list[Finding]:
        """In the order of the text."""
        return self._rules.find(text)

    def held(self, text: str) -> int:
        """As `Guard.held`; a private key is held from its first line on, until it ends."""
        begun = text.rfind(_BEGIN, -REACH) if len(text) > REACH else text.rfind(_BEGIN)
        unended = begun >= 0 and not _PEM_END.search(text[begun:])
        return max(self._holding.held(text), min(REACH, len(text) - begun) if unended else 0)
