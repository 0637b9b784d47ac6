"""Secrets by example: issuers' prefixes and labelled values, and what has neither."""

import pytest

from gateway.guards.detectors.secrets import REACH, Secrets
from gateway.keyring import mint

SECRETS = Secrets()
LETTERS = "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cD1fG3iJ5lM7oP9rS1uV3xY5"
KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{'b3BlbnNzaC1rZXktdjEA' * 30}\n-----END OPENSSH PRIVATE KEY-----"
PREFIXED = {
    "AWS_ACCESS_KEY": "AKIAIOSFODNN7EXAMPLE",
    "GITHUB_TOKEN": f"ghp_{LETTERS[:36]}",
    "GITLAB_TOKEN": f"glpat-{LETTERS[:20]}",
    "SLACK_TOKEN": "xoxb-123456789012-abcdefABCDEF",
    "SLACK_WEBHOOK": "hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/abcdefghijklmnop",
    "GOOGLE_API_KEY": f"AIza{LETTERS[:35]}",
    "ANTHROPIC_KEY": f"sk-ant-api03-{LETTERS[:40]}",
    "OPENAI_KEY": f"sk-proj-{LETTERS[:40]}",
    "STRIPE_KEY": f"sk_live_{LETTERS[:24]}",
    "HUGGINGFACE_TOKEN": f"hf_{LETTERS[:34]}",
    "NPM_TOKEN": f"npm_{LETTERS[:36]}",
    "PYPI_TOKEN": f"pypi-AgEIcHlwaS5vcmc{LETTERS * 2}",
    "SENDGRID_KEY": f"SG.{LETTERS[:22]}.{LETTERS[:43]}",
    "TWILIO_KEY": f"SK{'0123456789abcdef' * 2}",
    "DIGITALOCEAN_TOKEN": f"dop_v1_{'0123456789abcdef' * 4}",
    "DATABRICKS_TOKEN": f"dapi{'0123456789abcdef' * 2}",
    "SHOPIFY_TOKEN": f"shpat_{'0123456789abcdef' * 2}",
    "VAULT_TOKEN": f"hvs.{LETTERS[:24]}",
    "GRAFANA_TOKEN": f"glsa_{LETTERS[:32]}_0123abcd",
    "GROQ_KEY": f"gsk_{LETTERS[:50]}",
    "TELEGRAM_TOKEN": f"123456789:AA{LETTERS[:33]}",
    "DISCORD_TOKEN": f"M{LETTERS[:23]}.{LETTERS[:6]}.{LETTERS[:27]}",
    "AGE_KEY": f"AGE-SECRET-KEY-1{'Q' * 58}",
    "JWT": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{LETTERS[:43]}",
    "PRIVATE_KEY": KEY,
    "TOLLGATE_KEY": mint()[2],
}
LABELLED = [
    ("PASSWORD", "password = {}", "hunter2!"),
    ("PASSWORD", "DB_PASSWORD={}", "S3cure#Pass99"),
    ("PASSWORD", '{{"passwd": "{}"}}', "s3cr3tpw"),
    ("PASSWORD", "the password is {}.", "Tr0ub4dor&3"[:-2]),
    ("PASSWORD", "postgres://joe:{}@db/x", "s3cr3tpw"),
    ("SECRET", '"client_secret": "{}"', "9f86d081884c7d659a2feaa0c55ad015"),
    ("SECRET", "api_key: {}", LETTERS[:24]),
    ("SECRET", "Authorization: Bearer {}", LETTERS[:20]),
    ("AWS_SECRET_KEY", "aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzABCDEFKEY"),
    ("AZURE_KEY", "AccountKey={}", f"{'abcD1234' * 10}abcdef=="),
]
NOTHING = [
    "password: required",
    "Your password is wrong, is your account hacked?",
    "password = getpass.getpass()",
    "password=${DB_PASSWORD} api_key={{ key }} token: <your-token>",
    'token = os.environ["TOKEN"]',
    "passwords: ********",
    "api_key = settings.api_key",
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "550e8400-e29b-41d4-a716-446655440000",
    "sk-learn and task-force-one",
    "the secret of a good token is patience",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
]


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in SECRETS.find(text)]


@pytest.mark.parametrize(("kind", "value"), PREFIXED.items(), ids=PREFIXED)
def test_a_prefix_tells_wherever_it_stands(kind: str, value: str) -> None:
    for text in (value, f'key="{value}"', f"it is {value}. So", f"\n{value}\n", f"「{value}」"):
        assert found(text) == [(kind, value)]


@pytest.mark.parametrize(("kind", "text", "value"), LABELLED)
def test_a_label_tells_and_the_value_alone_is_found(kind: str, text: str, value: str) -> None:
    assert found(text.format(value)) == [(kind, value)]
    assert found(value) == []


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_no_secret_is_not_found(text: str) -> None:
    assert found(text) == []


def test_a_private_key_without_an_end_is_found_as_far_as_it_looks_like_one() -> None:
    [(kind, value)] = found(f"Here: {KEY[:200]}?! And more text.")
    assert (kind, value) == ("PRIVATE_KEY", KEY[:200])


def test_a_private_key_is_held_back_until_it_ends() -> None:
    for cut in (30, 100, len(KEY) - 1):
        assert SECRETS.held(f"text {KEY[:cut]}") >= cut
    assert SECRETS.held(f"text {KEY} and more") == len(" more")


def test_a_private_key_that_never_ends_is_held_back_no_longer_than_the_reach() -> None:
    assert SECRETS.held("-----BEGIN PRIVATE KEY-----" + " a" * REACH) <= REACH


def test_no_finding_is_longer_than_the_reach() -> None:
    text = f"-----BEGIN PRIVATE KEY-----{'a' * 9000} eyJ{'a' * 50}.eyJ{'a' * 9000}"
    assert all(one.end - one.start <= REACH for one in SECRETS.find(text))
