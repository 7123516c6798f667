"""The settings, read once from the environment (`IMAGE_GATEWAY_...`); each file has one group of them."""

import os
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
        unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
        if unknown:
            raise SetupError(f"Unknown setting {', '.join(unknown)}. docker/README.md lists the settings.")
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            raise SetupError(_first_sentence(error)) from error


def _first_sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
    reason = str(first["msg"]).removeprefix("Value error, ")
    return f"{name}: {reason}."
