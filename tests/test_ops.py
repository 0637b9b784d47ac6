"""What ships the product says the same as the code: settings, containers, dashboard, commands, make."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from gateway import settings
from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.settings.guards import AnyGuard

ROOT = Path(__file__).parent.parent
DEFAULTS = ROOT / "gateway.default.toml"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
COMMENTED = re.compile(r"^# (?=\[|\w+ = )", re.MULTILINE)
COMMANDS = ("up", "serve", "check", "usage", "quality", "trace", "tokens")
GROUPS = ("tenants", "keys", "prompts", "index", "cache", "schemas")


def uncommented() -> Settings:
    """The commented default with every example in force."""
    text = COMMENTED.sub("", DEFAULTS.read_text())
    return settings.parse(tomllib.loads(text), text, DEFAULTS)


def test_the_commented_default_is_the_default() -> None:
    assert settings.load(DEFAULTS) == settings.parse({}, "", DEFAULTS)


def test_the_commented_default_has_every_key() -> None:
    shown = uncommented()
    for name in Settings.model_fields:
        part = getattr(shown, name)
        for kind, keys in shown_keys(list(part.values()) if isinstance(part, dict) else [part]).items():
            assert keys == set(kind.model_fields), (name, kind)


COMMON = set(AnyGuard.model_fields)


def shown_keys(sections: list[BaseModel]) -> dict[type[BaseModel], set[str]]:
    """The keys that are shown of each kind of section; what all guards have is shown once."""
    keys: dict[type[BaseModel], set[str]] = {}
    for section in sections:
        keys.setdefault(type(section), set()).update(section.model_fields_set)
    once = {key for kind, shown in keys.items() if issubclass(kind, AnyGuard) for key in shown & COMMON}
    return {kind: shown | once if issubclass(kind, AnyGuard) else shown for kind, shown in keys.items()}


@pytest.mark.parametrize("table", ["backends", "models", "prices", "retrieve"])
def test_the_examples_of_named_tables_show_the_defaults(table: str) -> None:
    first = next(iter(getattr(uncommented(), table).values()))
    assert isinstance(first, BaseModel)
    for name, field in type(first).model_fields.items():
        if not field.is_required() and field.default not in (None, []):
            assert getattr(first, name) == field.default, name


@pytest.mark.parametrize("file", ["gateway.toml", "deploy/gateway.toml"])
def test_the_shipped_settings_are_valid_and_their_paths_exist(file: str) -> None:
    loaded = settings.load(ROOT / file)
    assert (loaded.build.prompts / "templates").is_dir()
    assert all(part.source and part.source.is_dir() for part in loaded.retrieve.values())
    assert all(model.tokenizer is None or model.tokenizer.is_dir() for model in loaded.models.values())


def compose_plugin() -> bool:
    """Whether docker and its compose plugin are here."""
    if shutil.which("docker") is None:
        return False
    return not subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode


def test_compose_accepts_the_file() -> None:
    """By docker itself where it is; the tests below hold the file against itself and the repository in any case."""
    if compose_plugin():
        subprocess.run(["docker", "compose", "config", "--quiet"], cwd=ROOT, check=True)
    assert {"name", "services", "networks", "volumes"} == {key for key in COMPOSE if not key.startswith("x-")}
    assert all({"image", "build"} & service.keys() for service in COMPOSE["services"].values())


def test_compose_refers_only_to_what_it_defines() -> None:
    services, volumes, networks = COMPOSE["services"], set(COMPOSE["volumes"]), set(COMPOSE["networks"])
    assert set(services) == {"gateway", "index", "redis", "qdrant", "vllm", "otel", "prometheus", "grafana"}
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
        assert set(service["networks"]) <= networks
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in volumes or (source.startswith("./") and (ROOT / source).exists()), source


def test_only_gateway_and_grafana_have_ports_and_only_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert published.keys() == {"gateway", "grafana"}
    assert all("127.0.0.1" in port for ports in published.values() for port in ports)


def test_images_are_pinned_and_no_secret_is_written_down() -> None:
    for service in COMPOSE["services"].values():
        assert "build" in service or re.search(r":v?\d+\.\d+", service["image"]), service["image"]
        for name, value in service.get("environment", {}).items():
            assert value is None or not re.search("KEY|TOKEN|SECRET|PASSWORD", name), name


def test_redis_forgets_nothing() -> None:
    command = " ".join(COMPOSE["services"]["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_the_services_name_each_other_as_compose_does() -> None:
    names = set(COMPOSE["services"])
    files = ("deploy/gateway.toml", "deploy/prometheus.yaml", "deploy/grafana/provisioning/datasources/prometheus.yaml")
    text = "".join((ROOT / file).read_text() for file in files)
    hosts = set(re.findall(r"(?://|\")([a-z]+):\d+", text))
    assert hosts == {"redis", "vllm", "otel", "gateway", "prometheus"}
    assert hosts <= names


def test_every_number_on_the_dashboard_is_one_the_gateway_gives() -> None:
    dashboard: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboards/tollgate.json").read_text())
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    known = {
        sample
        for metric in Metrics().registry.collect()
        for sample in (metric.name, f"{metric.name}_total", f"{metric.name}_bucket")
    }
    named = set(re.findall(r"\b(?:tollgate|gen_ai)_\w+", asked))
    assert len(named) > 5
    assert named <= known


def test_help_has_every_command() -> None:
    command = [sys.executable, "-m", "gateway", "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    for name in COMMANDS + GROUPS:
        assert re.search(rf"^\W*{name}\s", ran.stdout, re.MULTILINE), name


def test_make_says_what_is_wrong_with_an_old_python(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    ran = subprocess.run(["make", "up", f"PYTHON={old}"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode
    assert "Python 3.11 or newer is needed" in ran.stderr


def test_with_a_backend_make_neither_installs_nor_needs_the_engine() -> None:
    dry = ("make", "--dry-run", "up")
    alone = subprocess.run([*dry, "BACKEND="], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    given = subprocess.run([*dry, "BACKEND=http://h:1"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "install.py gateway engine" in alone
    assert "install.py gateway \n" in given
    assert "--backend 'http://h:1'" in given
