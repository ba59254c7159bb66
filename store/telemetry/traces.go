package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	api "go.opentelemetry.io/otel/trace"
)

// flushTimeout bounds the sending of the last spans when a process ends.
const flushTimeout = 3 * time.Second

// Trace sends traces in the name of a service where the operator named an endpoint, by OTLP over HTTP. It returns nil where
// there is none: whoever traces then has nothing to do, not even to ask. stop sends what is left.
func Trace(ctx context.Context, service, version string) (tracer api.Tracer, stop func(), err error) {
	client, err := newOTLP()
	if err != nil {
		return nil, nil, err
	}
	if client == nil {
		return nil, func() {}, nil
	}
	exporter := otlptrace.NewUnstarted(client) // there is nothing to start
	about, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceNamespace("plurabase"), semconv.ServiceName(service),
		semconv.ServiceVersion(version)), resource.WithHost(), resource.WithProcessPID(), resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, nil, fmt.Errorf("describe the process for the traces: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return provider.Tracer("github.com/plurabase/plurabase"), func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		_ = provider.Shutdown(ctx) // what is left and cannot be sent is lost
	}, nil
}
