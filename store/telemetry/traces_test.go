package telemetry_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

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
		if unpacked, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, _ = io.ReadAll(unpacked)
		}
		received <- append([]byte(r.URL.Path+"\n"), body...)
	}))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	tracer, stop, err = telemetry.Trace(t.Context(), "provisioner", "1")
	require.NoError(t, err)
	_, span := tracer.Start(t.Context(), "create-container:db")
	span.End()
	stop() // sends what is left
	sent := string(<-received)
	require.Contains(t, sent, "/v1/traces")
	require.Contains(t, sent, "create-container:db")
	require.Contains(t, sent, "provisioner")
}
