"""The compose file and the Dockerfile: well-formed, hardened, without secrets, and consistent with the settings."""

import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import PREFIX, Settings
from app.workers import LAST_SECONDS

ROOT = Path(__file__).parent.parent.parent
DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WORKERS = ("gateway-a", "gateway-b")
SECRET = re.compile("PASSWORD|SECRET|TOKEN")


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment that the tests run in."""
    command = [str(Path(sys.executable).parent / program), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
def test_the_compose_file_conforms_to_its_specification() -> None:
    checked = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker/compose.yaml")

    assert checked.returncode == 0, checked.stdout


def test_the_dockerfile_passes_its_linter() -> None:
    checked = run("hadolint", "--failure-threshold", "style", "docker/Dockerfile")

    assert (checked.returncode, checked.stdout) == (0, "")


def test_files_copied_by_the_dockerfile_exist_and_are_not_ignored() -> None:
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    copied = [path for line in lines for path in line.split()]
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]

    assert copied
    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert [path for path in copied if not any(fnmatch(path, pattern) for pattern in let_in)] == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened_limited_and_has_a_health_check(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "network_mode", "pid", "ipc", "devices"} & set(service)
    assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert service["ulimits"]["nofile"] > 2 * 8000
    assert service["logging"]["options"]["max-size"]
    assert "test" in service["healthcheck"] or name == "migrate"
    assert "build" in service or re.search(r":v?\d", service["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_a_default_secret(name: str) -> None:
    environment: dict[str, str] = SERVICES[name].get("environment", {})
    as_written = {key: re.sub(r"\$\{[A-Z_]+(:\?[^}]+|-)\}", "", value) for key, value in environment.items()}

    assert {value for key, value in as_written.items() if SECRET.search(key)} <= {""}
    assert [value for value in as_written.values() if re.search("://[^/]*:[^/]+@", value)] == []


def test_secrets_and_local_settings_are_ignored_by_git() -> None:
    for path in ("docker/.env", "docker/gateway.env"):
        ignored = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT)
        if ignored.returncode == 128:
            pytest.skip("this is no git checkout")
        assert ignored.returncode == 0, path


@pytest.mark.parametrize("name", [*WORKERS, "migrate"])
def test_the_settings_of_the_workers_exist(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [variable for variable in os.environ if variable.upper().startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    for variable, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(variable, re.sub(r"\$\{[^}]+\}", "f" * 64, value))
    settings = Settings.load()

    assert settings.database_url.endswith("@postgres/gateway")
    if name in WORKERS:
        patience = settings.drain_notice_seconds + settings.drain_seconds + LAST_SECONDS
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > patience


def test_both_workers_are_configured_alike_and_known_to_the_proxy() -> None:
    balanced = re.findall(r"^    server (\S+) (\S+):8000$", (DOCKER / "haproxy.cfg").read_text(), re.MULTILINE)

    assert SERVICES["gateway-a"] == SERVICES["gateway-b"]
    assert balanced == [(name, name) for name in WORKERS]
    assert set(SERVICES["proxy"]["depends_on"]) == set(WORKERS)


def test_only_the_proxy_and_the_monitoring_publish_ports_and_only_locally() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {"proxy": ["${PUBLISH:-127.0.0.1:8000}:8080"], "grafana": ["127.0.0.1:3000:3000"]}
    assert [name for name, service in SERVICES.items() if "outside" in service["networks"]] == list(published)
    assert [name for name, network in COMPOSE["networks"].items() if not network] == ["outside"]


def test_mounted_files_and_volumes_exist_and_files_are_read_only() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    files = [mount for mount in mounts if isinstance(mount, dict)]

    assert [mount["source"] for mount in files if not (DOCKER / mount["source"]).exists()] == []
    assert all(mount["read_only"] for mount in files)
    assert {mount.partition(":")[0] for mount in mounts if isinstance(mount, str)} == set(COMPOSE["volumes"])
