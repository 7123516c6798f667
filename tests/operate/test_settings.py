"""The settings: each is documented, used, and rejected if invalid."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.errors import SetupError
from app.settings import FROM_FILES, PREFIX, Settings
from tests.harness.readme import OPERATIONS, READMES

ROOT = Path(__file__).parent.parent.parent
FIELDS = Settings.model_fields


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in FIELDS.items() if not (field.description or "").endswith(".")] == []


def test_the_documentation_lists_every_setting_with_its_default_and_meaning() -> None:
    rows = [line for line in READMES[OPERATIONS].splitlines() if line.startswith(f"| `{PREFIX}")]

    assert rows == [_row(name, field.default, field.description) for name, field in FIELDS.items()]


def test_every_setting_is_used() -> None:
    settings = ROOT / "app" / "settings"
    code = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py") if settings not in path.parents)

    assert [name for name in FIELDS if not re.search(rf"settings\.{name}\b", code)] == []


def test_without_any_variable_the_defaults_apply() -> None:
    assert Settings.load() == Settings()


def test_a_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_GATEWAY_MEMBER_QUOTA", "7")

    assert Settings.load().member_quota == 7


@pytest.mark.parametrize(
    ("name", "reason"),
    [("IDE", "true or false"), ("WORKERS", "a whole number"), ("OPERATION_LOG", "'off', 'errors', 'slow' or 'all'")],
)
def test_a_value_of_another_kind_is_refused_with_the_kind_that_is_right(
    monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    monkeypatch.setenv(f"IMAGE_GATEWAY_{name}", "perhaps")

    with pytest.raises(SetupError, match=f"^IMAGE_GATEWAY_{name}: .*{reason}"):
        Settings.load()


@pytest.mark.parametrize(("written", "seconds"), [("P7D", 604_800), ("PT1H30M", 5_400), ("90", 90), ("0.5", 0.5)])
def test_a_duration_may_be_written_with_a_unit_or_in_seconds(
    monkeypatch: pytest.MonkeyPatch, written: str, seconds: float
) -> None:
    monkeypatch.setenv("IMAGE_GATEWAY_EVENT_RETENTION", written)

    assert Settings.load().event_retention == timedelta(seconds=seconds)


def test_the_command_line_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_GATEWAY_PORT", "1")

    assert Settings.load(port=2).port == 2
    assert Settings.load(port=None).port == 1


@pytest.mark.parametrize("name", ["IMAGE_GATEWAY_COLOUR", "image_gateway_colour", "IMAGE_GATEWAY_"])
def test_an_unknown_variable_is_rejected_by_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "blue")

    with pytest.raises(SetupError, match=name):
        Settings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "http"),
        ("member_quota", "-2"),
        ("auth_secret", "x" * 31),
        ("auth_leeway_seconds", "301"),
        ("poll_seconds", "0"),
        ("poll_seconds", "inf"),
        ("event_retention", "7days"),
        ("event_retention", "7 d"),
        ("event_retention", "1:00"),
        ("event_retention", "P"),
        ("event_retention", "0"),
        ("auth_jwks_keep", "1day"),
        ("bookmark_seconds", "-1"),
        ("drain_seconds", "15"),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("documents_mode", "always"),
        ("allowed_origins", "*"),
        ("allowed_origins", "null"),
        ("allowed_origins", "https://console.example.org/"),
        ("allowed_origins", "https://console.example.org:443"),
        ("allowed_origins", "https://Console.example.org"),
        ("allowed_origins", "https://console.example.org,,https://a.example.org"),
        ("allowed_origins", "https://*.example.org"),
        ("trusted_proxies", "*"),
        ("trusted_proxies", "proxy.example.org"),
        ("trusted_proxies", "10.0.0.1/8"),
    ],
)
def test_an_invalid_value_is_rejected_with_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)

    with pytest.raises(SetupError, match=f"{PREFIX}{name.upper()}: ") as refused:
        Settings.load()
    assert "\n" not in str(refused.value)


def test_the_secret_is_counted_in_bytes_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_GATEWAY_AUTH_SECRET", "ä" * 16)

    assert "ä" not in repr(Settings.load())


@pytest.mark.parametrize("pattern", ["[", "(", "*"])
def test_an_invalid_regular_expression_is_rejected(pattern: str) -> None:
    with pytest.raises(SetupError, match="regular expression"):
        Settings.load(tenant_id_pattern=pattern)


def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 40 + " \r\n")
    monkeypatch.setenv(f"{PREFIX}AUTH_SECRET_FILE", str(tmp_path / "secret"))
    settings = Settings.load()
    assert settings.auth_secret is not None
    assert settings.auth_secret.get_secret_value() == "s" * 40 + " "

    for name, value, sentence in (
        ("AUTH_SECRET", "x" * 40, "AUTH_SECRET and IMAGE_GATEWAY_AUTH_SECRET_FILE are both set"),
        ("DATABASE_URL_FILE", str(tmp_path / "missing"), "DATABASE_URL_FILE: .*missing can't be read: No such file"),
        ("DATABASE_URL_FILE", str(tmp_path), "DATABASE_URL_FILE: .* can't be read: Is a directory"),
        ("AUTH_ISSUER_FILE", str(tmp_path / "secret"), "Unknown setting IMAGE_GATEWAY_AUTH_ISSUER_FILE"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(f"{PREFIX}{name}", value)
            with pytest.raises(SetupError, match=sentence) as refused:
                Settings.load()
        assert "sss" not in str(refused.value)
        assert "xxx" not in str(refused.value)


@pytest.mark.parametrize("secret", ["c2Vj" * 11, "/c2Vj" + "x" * 40, "c2Vj/" * 10, "c" * 5_000 + "/c2Vj"])
def test_a_secret_in_place_of_its_file_is_not_shown(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv(f"{PREFIX}AUTH_SECRET_FILE", secret)

    with pytest.raises(SetupError, match="AUTH_SECRET_FILE: the file that it names can't be read") as refused:
        Settings.load()

    assert "c2Vj" not in str(refused.value)


def test_an_empty_secret_counts_as_unset_also_beside_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(f"{PREFIX}AUTH_SECRET", "")
    assert Settings.load().auth_secret is None

    (tmp_path / "secret").write_text("s" * 40)
    monkeypatch.setenv(f"{PREFIX}AUTH_SECRET_FILE", str(tmp_path / "secret"))
    assert Settings.load().auth_secret is not None


def test_each_secret_may_be_in_a_file() -> None:
    secrets = {name for name, field in FIELDS.items() if "SecretStr" in str(field.annotation)}

    assert secrets < set(FROM_FILES) < set(FIELDS)


def _row(name: str, default: Any, description: str | None) -> str:
    written = TypeAdapter(timedelta).dump_python(default, mode="json") if isinstance(default, timedelta) else default
    shown = "none" if default is None else f"`{written}`"
    return f"| `{PREFIX}{name.upper()}` | {shown} | {description} |"
