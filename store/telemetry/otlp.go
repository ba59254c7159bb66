package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// errEndpoint and errHeaders say what OpenTelemetry's variables may hold.
var (
	errEndpoint = errors.New("OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL")
	errHeaders  = errors.New("OTEL_EXPORTER_OTLP_HEADERS must be name=value, separated by commas, with percent-encoded values")
)

// uploadTimeout is the specification's own default.
const uploadTimeout = 10 * time.Second

// otlp sends spans by OTLP over HTTP (opentelemetry-proto, "OTLP/HTTP Request", binary). OpenTelemetry's own client for it
// links all of gRPC, which takes 5 MB of memory in every process, most of which trace nothing. What cannot be sent is lost.
type otlp struct {
	url    string
	header http.Header
	client *http.Client
}

// newOTLP reads the operator's variables; nil where no endpoint is named.
func newOTLP() (*otlp, error) {
	base := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	if base == "" {
		return nil, nil
	}
	if parsed, err := url.Parse(base); err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return nil, errEndpoint
	}
	header := http.Header{"Content-Type": {"application/x-protobuf"}}
	for entry := range strings.SplitSeq(os.Getenv("OTEL_EXPORTER_OTLP_HEADERS"), ",") {
		name, value, given := strings.Cut(strings.TrimSpace(entry), "=")
		if !given {
			continue
		}
		plain, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil {
			return nil, errHeaders
		}
		header.Set(strings.TrimSpace(name), plain)
	}
	return &otlp{url: strings.TrimSuffix(base, "/") + "/v1/traces", header: header, client: &http.Client{Timeout: uploadTimeout}}, nil
}

// Start implements otlptrace.Client.
func (o *otlp) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (o *otlp) Stop(context.Context) error {
	o.client.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client.
func (o *otlp) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans}) // on the wire, an ExportTraceServiceRequest
	if err != nil {
		return fmt.Errorf("encode the traces: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send the traces: %w", err)
	}
	request.Header = o.header.Clone()
	response, err := o.client.Do(request)
	if err != nil {
		return fmt.Errorf("send the traces: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection serves again
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("send the traces: the collector answered %d", response.StatusCode)
	}
	return nil
}

var _ otlptrace.Client = (*otlp)(nil)
