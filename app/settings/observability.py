"""Settings of logs and traces."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class ObservabilitySettings(BaseSettings):
    """Settings of logs and traces."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log lines to write: `debug`, `info`, `warning` or `error`."
    )
    log_format: Literal["json", "text"] = Field(
        default="text", description="Form of the log lines on standard error: `text` for people, `json` for machines."
    )
    operation_log: Literal["off", "errors", "slow", "all"] = Field(
        default="slow",
        description="Operations that get a line in the log: none (`off`), those with a top-level error (`errors`), "
        "these and the slow ones (`slow`), or `all`, with the start of each watch.",
    )
    slow_operation_seconds: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="Time in seconds from which an operation counts as slow."
    )
    traces: bool = Field(
        default=False,
        description="Whether spans are exported by OTLP over HTTP; needs the extra `otel`. The variables `OTEL_...` "
        "set the destination.",
    )
