"""OpenTelemetry: a span for each operation, whose parent is the caller's span, and child spans for units of the store.

No span holds a token, a variable or a piece of a document. The standard variables of OpenTelemetry (`OTEL_...`)
configure sampling and export.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from importlib.metadata import version
from importlib.util import find_spec
from threading import Thread
from typing import Any

from app.documents.summaries import Summaries
from app.errors import SetupError
from app.settings import Settings
from app.web.monitoring.operation import OperationRecord

NAME = "image-sharing-gateway"
SHUTDOWN_SECONDS = 2.0
_LIBRARIES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
_MISSING = "Traces need OpenTelemetry: pip install 'image-sharing-gateway[otel]', in a clone -e '.[otel]'."


def require_libraries(settings: Settings) -> None:
    """Raises SetupError if the settings enable traces and the libraries are not installed."""
    if settings.traces and not all(map(_is_installed, _LIBRARIES)):
        raise SetupError(_MISSING)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its package is installed
        return False


def open_traces(settings: Settings, exporter: Any = None) -> "Traces | None":
    """The traces, if the settings enable them. Tests pass their own exporter."""
    if not settings.traces:
        return None
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter()
    except ModuleNotFoundError as error:
        raise SetupError(_MISSING) from error
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence over this name.
    provider = TracerProvider(resource=Resource({"service.name": NAME}).merge(Resource.create()))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider)


class Traces:
    """Creates the spans of one process."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._api: Any = trace
        self._provider = provider
        self._tracer = provider.get_tracer(NAME, version(NAME))
        self._propagator: Any = TraceContextTextMapPropagator()

    def unit(self, name: str) -> AbstractContextManager[Any]:
        """A span for a unit of the store. Units outside an operation, such as reading the log, have none."""
        if not self._api.get_current_span().is_recording():
            return ExitStack()
        return self._span(name, kind=self._api.SpanKind.CLIENT)

    def operation(self, carrier: Mapping[str, str] | None) -> AbstractContextManager[Any]:
        """A span for an operation, whose parent is the span that the headers name."""
        parent = self._propagator.extract(carrier or {})
        return self._span("GraphQL operation", context=parent, kind=self._api.SpanKind.SERVER)

    def error_status(self) -> Any:
        return self._api.Status(self._api.StatusCode.ERROR)

    async def close(self) -> None:
        """Export the remaining spans, for a short time at most."""
        shutdown = Thread(target=self._provider.shutdown, daemon=True)
        shutdown.start()
        shutdown.join(SHUTDOWN_SECONDS)

    def _span(self, name: str, **options: Any) -> AbstractContextManager[Any]:
        # The messages of exceptions may quote what a client has sent.
        return self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False, **options
        )


class TracedRecord(OperationRecord):
    """The record of an operation with a span. The span of a watch ends when the watch starts, as a watch has no end."""

    def __init__(
        self,
        transport: str,
        request_id: str,
        on_end: Callable[[OperationRecord, float], None],
        traces: Traces,
        descriptions: Summaries,
        carrier: Mapping[str, str] | None,
    ) -> None:
        super().__init__(transport, request_id, on_end)
        self._traces = traces
        self._descriptions = descriptions
        self._carrier = carrier
        self._stack = ExitStack()

    def __enter__(self) -> "TracedRecord":
        self._span: Any = self._stack.enter_context(self._traces.operation(self._carrier))
        super().__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._set_attributes()
        super().__exit__()
        self._stack.close()

    def start_watch(self) -> None:
        self._set_attributes()
        self._span.end()

    def _set_attributes(self) -> None:
        if not self._span.is_recording():
            return
        attributes: dict[str, str | None] = {"image_gateway.transport": self.transport}
        if self.text is not None and not self.codes:
            kind, document, name = self._descriptions.of(self.text, self.name)
            self._span.update_name(f"GraphQL {kind}")
            attributes["graphql.operation.name"] = name
            attributes |= {"graphql.operation.type": kind, "image_gateway.document": document}
        attributes["image_gateway.tenant"] = None if self.caller is None else self.caller.tenant_id
        attributes["image_gateway.request_id"] = self.request_id
        self._span.set_attributes({name: value for name, value in attributes.items() if value is not None})
        if self.codes:
            self._span.set_attribute("image_gateway.codes", self.codes)
        if self.has_fault:
            self._span.set_status(self._traces.error_status())
