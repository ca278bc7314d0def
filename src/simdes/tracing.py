"""Traces: what a request waited for, from the gateway down, across organisations.

OpenTelemetry's API (https://opentelemetry.io/docs/specs/otel/trace/api/) with W3C Trace Context
(https://www.w3.org/TR/trace-context/): a caller's ``traceparent`` becomes the parent, custodians
get one, and answers name the trace in ``traceresponse``. Spans go to a collector over OTLP where
the settings name one and the extra ``traces`` is installed; else none are made, at the cost of one
comparison.

Nothing of anybody is in a span. Names and values are the program's own words: route templates,
verbs, status codes, kinds of errors. `KEYS` is the closed set of attributes, each with a value that
no sender chose; ``tracestate`` and baggage, which callers fill as they like, are dropped, and so
are texts of errors.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, TypeVar

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from simdes.errors import Invalid, SimdesError

KEYS: Final = frozenset(
    (
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "db.system.name",
        "rpc.method",
        "error.type",
    )
)
"""Attributes that a span may have (OpenTelemetry's semantic conventions)."""

SERVER: Final = SpanKind.SERVER
CLIENT: Final = SpanKind.CLIENT
INTERNAL: Final = SpanKind.INTERNAL
HEADER: Final = "traceparent"
ANSWER_HEADER: Final = "traceresponse"
_PARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
_NOTHING: Final = nullcontext()

Value = str | int
F = TypeVar("F", bound=Callable[..., Any])

_tracer: trace.Tracer | None = None


def span(
    name: str, *, kind: SpanKind = INTERNAL, **attributes: Value
) -> AbstractContextManager[object]:
    """A step, as long as the context lasts; its name is the program's own.

    Attributes are keys of `KEYS` with "_" for ".".
    """
    return _NOTHING if _tracer is None else _span(_tracer, name, kind, attributes, None)


@contextmanager
def _span(
    tracer: trace.Tracer,
    name: str,
    kind: SpanKind,
    attributes: MutableMapping[str, Value],
    parent: Any,
) -> Iterator[trace.Span]:
    with tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        attributes={_key(one): value for one, value in attributes.items()},
        record_exception=False,  # its text may quote what somebody sent
        set_status_on_exception=False,
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            issue = error.issue if isinstance(error, SimdesError) else type(error).__name__
            opened.set_attribute("error.type", issue)
            opened.set_status(StatusCode.ERROR)
            raise


_DOTTED: Final = {key.replace(".", "_"): key for key in KEYS}


def _key(name: str) -> str:
    return _DOTTED[name]


class Request:
    """The span of a request that somebody sent; nothing at all where no traces are made."""

    def __init__(self, method: str, traceparent: str) -> None:
        self._method = method
        self._given = traceparent
        self._context: AbstractContextManager[Any] = _NOTHING
        self._span: trace.Span | None = None

    def __enter__(self) -> Request:
        if _tracer is not None:
            parent = _parent(self._given)
            self._context = _span(_tracer, self._method, SERVER, {}, parent)
            self._span = self._context.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._span is not None:
            self._context.__exit__(None, None, None)

    @property
    def answer_header(self) -> str:
        """What the answer says of the trace; "" where there is none."""
        return "" if self._span is None else _written(self._span.get_span_context())

    def answered(self, route: str, status: int) -> None:
        """Name it by its route's template, and say what came of it."""
        if self._span is None:
            return
        self._span.update_name(f"{self._method} {route}")
        self._span.set_attributes(
            {
                "http.request.method": self._method,
                "http.route": route,
                "http.response.status_code": status,
            }
        )
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)


NOT_TRACED: Final = Request("", "")
"""A request of which no trace is made."""


def step(name: str) -> Callable[[F], F]:
    """Make each call of a function a step of this name."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def traced(*args: Any, **kwargs: Any) -> Any:
            if _tracer is None:
                return function(*args, **kwargs)
            with _span(_tracer, name, INTERNAL, {}, None):
                return function(*args, **kwargs)

        return traced  # type: ignore[return-value]  # of the same form

    return decorate


def headers() -> dict[str, str]:
    """What to send along with a question to another organisation."""
    if _tracer is None:
        return {}
    here = trace.get_current_span().get_span_context()
    return {HEADER: _written(here)} if here.is_valid else {}


def ids() -> dict[str, str]:
    """The present trace and span, for the log."""
    if _tracer is None:
        return {}
    here = trace.get_current_span().get_span_context()
    if not here.is_valid:
        return {}
    return {"trace": f"{here.trace_id:032x}", "span": f"{here.span_id:016x}"}


def _written(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def _parent(given: str) -> Any:
    """A context whose span is the caller's; an empty one where it names none in good form."""
    empty = trace.set_span_in_context(trace.INVALID_SPAN)
    match = _PARENT.fullmatch(given)
    if match is None:
        return empty
    found = SpanContext(
        trace_id=int(match[1], 16),
        span_id=int(match[2], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(match[3], 16) & TraceFlags.SAMPLED),
    )
    return trace.set_span_in_context(NonRecordingSpan(found)) if found.is_valid else empty


# Sending ----------------------------------------------------------------------------------------


def start(url: str, *, service: str, percent: int) -> Callable[[], None]:
    """Make traces, ``percent`` of them, and send them to the OTLP/HTTP collector at ``url``.

    Which ones are sent follows from the trace's id alone, so that organisations with one percentage
    choose the same, and no caller chooses for us. The returned function sends what is left.

    Raises Invalid where the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise Invalid(
            "traces_url is set and the extra `traces` is not installed.",
            advice="Install simdes[traces], or leave traces_url empty.",
        ) from error
    exporter = OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces", timeout=5)
    return begin(BatchSpanProcessor(exporter), service=service, percent=percent)


def begin(processor: Any, *, service: str, percent: int = 100) -> Callable[[], None]:
    """Make traces and give them to a span processor of the SDK; the function ends that."""
    global _tracer  # noqa: PLW0603 - one for the process, as OpenTelemetry has it
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415

    some = TraceIdRatioBased(percent / 100)
    sampler = ParentBased(some, remote_parent_sampled=some, remote_parent_not_sampled=some)
    provider = TracerProvider(
        sampler=sampler,
        resource=Resource({"service.name": service}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(processor)
    _tracer = provider.get_tracer("simdes")

    def end() -> None:
        global _tracer  # noqa: PLW0603
        _tracer = None
        provider.shutdown()

    return end
