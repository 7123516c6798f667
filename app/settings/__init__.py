"""The settings, read once from the environment (`IMAGE_GATEWAY_...`); each file has one group of them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.errors import SetupError
from app.settings.frontend import FrontEndSettings
from app.settings.identity import IdentitySettings
from app.settings.limits import LimitSettings
from app.settings.observability import ObservabilitySettings
from app.settings.rates import RateSettings
from app.settings.serving import ServingSettings
from app.settings.timing import TimingSettings
from app.settings.upstream import UpstreamSettings

PREFIX = "IMAGE_GATEWAY_"
# Settings that may be in a file, which a variable with `_FILE` behind their name leads to: secrets, and the long one.
FROM_FILES = (
    "database_url",
    "auth_secret",
    "auth_previous_secret",
    "auth_issuers",
    "upstream_application_credential_secret",
    "upstream_password",
    "upstream_bus_url",
)


class Settings(
    ObservabilitySettings,
    TimingSettings,
    RateSettings,
    LimitSettings,
    FrontEndSettings,
    UpstreamSettings,
    IdentitySettings,
    ServingSettings,
):
    """The settings; each field's description is its documentation, and docker/README.md repeats it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments and the environment only: each further source would look for every setting too."""
        return init_settings, env_settings

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment. Raises a SetupError that names the first variable that is wrong."""
        known = {f"{PREFIX}{name}".upper() for name in cls.model_fields}
        known |= {f"{PREFIX}{name}_FILE".upper() for name in FROM_FILES}
        unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
        if unknown:
            raise SetupError(f"Unknown setting {', '.join(unknown)}. docker/README.md lists the settings.")
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls(**{**_read_files(os.environ), **given})
        except ValidationError as error:
            raise SetupError(_first_sentence(error)) from error


def _read_files(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings whose values are in files, by the variables `..._FILE` that name them. Raises SetupError."""
    variables = {name.upper(): value for name, value in environment.items()}
    found = dict[str, Any]()
    for name in FROM_FILES:
        variable = f"{PREFIX}{name}".upper()
        if (path := variables.get(f"{variable}_FILE")) is not None:
            if variables.get(variable):
                raise SetupError(f"{variable} and {variable}_FILE are both set. Unset one of them.")
            found[name] = _read_file(f"{variable}_FILE", path)
    return found


def _read_file(variable: str, path: str) -> str:
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SetupError(f"{variable}: {_shown(path)} can't be read: {reason}.") from None
    return text.removesuffix("\n").removesuffix("\r")


def _shown(path: str) -> str:
    """The path, unless it may be the secret itself, set by mistake: only one in an existing folder is surely none."""
    folder = os.path.dirname(path)  # unlike Path, it and isdir take text of any length
    return path if folder.strip("/") and os.path.isdir(folder) else "the file that it names"


# Where pydantic only says that it can't parse the value.
_REASONS = {
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
}


def _first_sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    setting, *inner = [str(part) for part in first["loc"]] or [""]
    place = f" (in {'.'.join(inner)})" if inner else ""
    reason = _REASONS.get(first["type"], str(first["msg"]).removeprefix("Value error, "))
    return f"{PREFIX}{setting.upper()}: {reason}{place}."
