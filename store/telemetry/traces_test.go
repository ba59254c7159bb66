package telemetry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/plurabase/plurabase/store/telemetry"
)

func TestTracesGoWhereTheOperatorNamedAnEndpoint(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	tracer, stop, err := telemetry.Trace(t.Context(), "provisioner", "1")
	require.NoError(t, err)
	require.Nil(t, tracer, "nothing is traced where nobody asks for it")
	stop()

	received := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- append([]byte(r.URL.Path+"\n"+r.Header.Get("Api-Key")+"\n"), body...)
	}))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20key, other=1")
	tracer, stop, err = telemetry.Trace(t.Context(), "provisioner", "1")
	require.NoError(t, err)
	_, span := tracer.Start(t.Context(), "create-container:db")
	span.End()
	stop() // sends what is left
	sent := string(<-received)
	path, rest, _ := strings.Cut(sent, "\n")
	require.Equal(t, "/v1/traces", path)
	key, body, _ := strings.Cut(rest, "\n")
	require.Equal(t, "a key", key)
	require.NoError(t, proto.Unmarshal([]byte(body), &collectorpb.ExportTraceServiceRequest{}), "what a collector reads")
	require.Contains(t, sent, "create-container:db")
	require.Contains(t, sent, "provisioner")
}

func TestAnEndpointThatIsNoURLIsRefused(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")
	_, _, err := telemetry.Trace(t.Context(), "provisioner", "1")
	require.EqualError(t, err, "OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL")
}
