package telemetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	api "go.opentelemetry.io/otel/trace"
)

// flushTimeout bounds the sending of the last spans when a process ends.
const flushTimeout = 3 * time.Second

// tracesWanted are OpenTelemetry's own variables, either of which names where traces go; the exporter reads all of them.
var tracesWanted = []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}

// Trace sends traces in the name of a service where the operator named an endpoint, by OTLP over HTTP. It returns nil where
// there is none: whoever traces then has nothing to do, not even to ask. stop sends what is left.
func Trace(ctx context.Context, service, version string) (tracer api.Tracer, stop func(), err error) {
	if !wanted() {
		return nil, func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare the traces: %w", err)
	}
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

func wanted() bool {
	for _, name := range tracesWanted {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}
