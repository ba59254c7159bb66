package gateway

import (
	"context"
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
func Admit(kong *pdk.PDK, config Config, log *slog.Logger, failures *identity.Limit, gate *pgmeta.Gate) {
	x := Begin(kong, config, log)
	defer x.Recover()
	request, err := readHead(kong)
	if err != nil {
		x.Refuse(problemOf(log, err))
		return
	}
	ctx, cancel := context.WithTimeout(x.trace(request.Request).Context(), admitTimeout)
	defer cancel()
	x.route = pgmeta.Pattern(request.Method, request.URL.Path)
	upstream, err := gate.Admit(ctx, pgmeta.Request{
		Method:        request.Method,
		Path:          request.URL.Path,
		Authorization: request.Header.Get("Authorization"),
		Token:         request.Header.Get(connectionHeader),
	})
	if err != nil {
		refusal := problem.Of(ctx, log, request.Header.Get("X-Request-Id"), err)
		if refusal.Status != http.StatusUnauthorized || !x.refuseFailures(request.Request, failures) {
			x.Refuse(refusal)
		}
		return
	}
	// postgres-meta is told nothing of the caller.
	err = x.Pass(Pass{Path: upstream.Path, Headers: map[string]string{
		strings.ToLower(connectionHeader): upstream.Connection, "authorization": "", "cookie": "",
	}})
	if err != nil {
		x.Refuse(problemOf(log, err))
	}
}
