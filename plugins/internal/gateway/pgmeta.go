package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/Kong/go-pdk"

	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/plugins/internal/problem"
)

// connectionHeader is what Studio sends its token in, and what postgres-meta reads its connection string from.
const connectionHeader = "X-Connection-Encrypted"

// admitTimeout is the deadline for letting a request in; the query itself is Kong's to wait for.
const admitTimeout = 10 * time.Second

// Admit lets a request through to postgres-meta, or refuses it. The request's body and the result never pass through
// here. A token that is not good is counted among failures.
func Admit(kong *pdk.PDK, log *slog.Logger, failures *identity.Failures, gate *pgmeta.Gate) {
	defer Recover(kong, log)
	request, err := readHead(kong)
	if err != nil {
		Refuse(kong, problemOf(log, err))
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), admitTimeout)
	defer cancel()
	upstream, err := gate.Admit(ctx, pgmeta.Request{
		Method:        request.Method,
		Path:          request.URL.Path,
		Authorization: request.Header.Get("Authorization"),
		Token:         request.Header.Get(connectionHeader),
	})
	if err != nil {
		refusal := problem.Of(ctx, log, request.Header.Get("X-Request-Id"), err)
		if refusal.Status != http.StatusUnauthorized || !refuseFailures(kong, log, failures) {
			Refuse(kong, refusal)
		}
		return
	}
	if err := passOn(kong, upstream); err != nil {
		Refuse(kong, problemOf(log, err))
	}
}

// passOn rewrites the request for postgres-meta, which is told nothing of the caller.
func passOn(kong *pdk.PDK, upstream pgmeta.Upstream) error {
	if err := kong.ServiceRequest.SetPath(upstream.Path); err != nil {
		return fmt.Errorf("set the path: %w", err)
	}
	if err := kong.ServiceRequest.SetHeader(strings.ToLower(connectionHeader), upstream.Connection); err != nil {
		return fmt.Errorf("set the connection: %w", err)
	}
	for _, name := range []string{"authorization", "cookie"} {
		if err := kong.ServiceRequest.ClearHeader(name); err != nil {
			return fmt.Errorf("clear the header %s: %w", name, err)
		}
	}
	return nil
}
