package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/Kong/go-pdk"

	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/problem"
)

// Serve answers the request that kong stands for by an http.Handler, which knows paths without Prefix. A handler's 401 is
// counted among failures.
func Serve(kong *pdk.PDK, config Config, log *slog.Logger, failures *identity.Limit, handler http.Handler) {
	x := Begin(kong, config, log)
	defer x.Recover()
	request, err := readHead(kong)
	if err == nil && changes(request.Method) {
		err = readWrite(kong, request)
	}
	if err != nil {
		x.Refuse(problemOf(log, err))
		return
	}
	answer := recorders.Get().(*recorder)
	defer answer.release()
	http.StripPrefix(Prefix, handler).ServeHTTP(answer, x.trace(request.Request))
	x.route = answer.route
	if answer.statusCode() == http.StatusUnauthorized && x.refuseFailures(request.Request, failures) {
		return
	}
	x.Answer(answer.statusCode(), answer.header, answer.body.Bytes())
}

// Recover keeps a panic to the one request that caused it: without it Kong answers 500 in words of its own. Call it by
// defer, first in every phase.
func (x *Exchange) Recover() {
	if cause := recover(); cause != nil {
		x.log.Error("panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		x.Refuse(problem.New(http.StatusInternalServerError, "Something went wrong on the server."))
	}
}

// problemOf says what kept a request from being read: a fault of the client's is told, one of Kong's is logged.
func problemOf(log *slog.Logger, err error) *problem.Problem {
	if known, ok := asProblem(err); ok {
		return known
	}
	log.Error("the gateway could not be read", "error", err.Error())
	return problem.New(http.StatusInternalServerError, "The gateway could not read the request.")
}

// recorder keeps an answer until it is whole, for Kong takes it in one piece.
type recorder struct {
	header http.Header
	status int
	route  string
	body   bytes.Buffer
}

var recorders = sync.Pool{New: func() any { return &recorder{header: http.Header{}} }}

// maxKept is how large a buffer is kept for the next answer, in bytes: most are smaller, and few large ones would
// stay for ever.
const maxKept = 256 << 10

// release keeps the recorder for another answer. What it recorded is gone then.
func (r *recorder) release() {
	if r.body.Cap() > maxKept {
		return
	}
	clear(r.header)
	r.status, r.route = 0, ""
	r.body.Reset()
	recorders.Put(r)
}

// Route is told by the handler which of its routes the request took.
func (r *recorder) Route(pattern string) { r.route = pattern }

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(part []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(part)
}

func (r *recorder) statusCode() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
