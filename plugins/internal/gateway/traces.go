package gateway

import (
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// tracer makes the spans of requests. It is set before the first one, or stays nil where the operator names no endpoint.
var tracer trace.Tracer

// trace begins the request's span, where traces are sent, and returns the request with it. One that only reads is read without
// its traceparent (variable.go), and begins a trace of its own.
func (x *Exchange) trace(r *http.Request) *http.Request {
	if tracer == nil {
		return r
	}
	ctx := otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, x.span = tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(x.begun), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("plurabase.request_id", r.Header.Get("X-Request-Id"))))
	return r.WithContext(ctx)
}

// endSpan ends the request's span, if there is one.
func (x *Exchange) endSpan(status int) {
	if x.span == nil {
		return
	}
	if x.route != "" {
		x.span.SetName(x.route)
		x.span.SetAttributes(attribute.String("http.route", x.route))
	}
	if status != passed {
		x.span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	if status >= http.StatusInternalServerError {
		x.span.SetStatus(codes.Error, "")
	}
	x.span.End()
}
