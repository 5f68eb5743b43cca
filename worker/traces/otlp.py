"""Sends spans over OTLP/HTTP; the only module that imports OpenTelemetry.

Its exporter also reads the variables OTEL_EXPORTER_OTLP_HEADERS, _CERTIFICATE and so on:
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

import logging
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from worker.traces.context import TraceContext
from worker.traces.spans import Span
from worker.traces.tracer import Export, Spans

# Seconds for one request and its repetitions.
_TIMEOUT = 5.0
_KINDS = {"falhook.job": SpanKind.INTERNAL, "falhook.render": SpanKind.CLIENT}


def exporter(url: str) -> Export:
    """Return a function that sends spans to the collector, and whether they arrived."""
    # Its log would have a line for each failure; the tracer counts them.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    sender = OTLPSpanExporter(endpoint=url, timeout=_TIMEOUT)
    resource = Resource.create({"service.name": "falhook", "service.version": version("falhook")})
    scope = InstrumentationScope("falhook", version("falhook"))

    def export(spans: Spans) -> bool:
        ready = [_readable(context, span, resource, scope) for context, span in spans]
        return bool(sender.export(ready) is SpanExportResult.SUCCESS)

    return export


def _readable(
    context: TraceContext, span: Span, resource: Resource, scope: InstrumentationScope
) -> ReadableSpan:
    waited = span.waited
    events = [] if waited is None else [_waited(waited, span.began)]
    return ReadableSpan(
        name=span.name,
        context=_context(context, span.id),
        parent=_context(context, span.parent, remote=True) if span.parent else None,
        resource=resource,
        attributes=dict(span.attributes),
        events=events,
        links=[Link(_context(context, link)) for link in span.links],
        kind=_KINDS.get(span.name, SpanKind.CONSUMER),
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.OK),
        start_time=_nanoseconds(span.began),
        end_time=_nanoseconds(span.ended),
        instrumentation_scope=scope,
    )


def _waited(since: float, until: float) -> Event:
    seconds = max(0.0, until - since)
    return Event("waited", {"falhook.seconds": seconds}, timestamp=_nanoseconds(until))


def _context(context: TraceContext, span: str, *, remote: bool = False) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(context.trace, 16), int(span, 16), is_remote=remote, trace_flags=flags)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
