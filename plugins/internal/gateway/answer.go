package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"unicode/utf8"

	"github.com/Kong/go-pdk"

	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/problem"
)

// Serve answers the request that kong stands for by an http.Handler, which knows paths without Prefix. A handler's 401 is
// counted among failures.
func Serve(kong *pdk.PDK, log *slog.Logger, failures *identity.Failures, handler http.Handler) {
	defer Recover(kong, log)
	request, err := readHead(kong)
	if err == nil && changes(request.Method) {
		err = readWrite(kong, request)
	}
	if err != nil {
		Refuse(kong, problemOf(log, err))
		return
	}
	answer := &recorder{header: http.Header{}}
	http.StripPrefix(Prefix, handler).ServeHTTP(answer, request)
	if answer.statusCode() == http.StatusUnauthorized && refuseFailures(kong, log, failures) {
		return
	}
	// Exit blocks until the client has read everything; by now the handler has given its connection back.
	kong.Response.Exit(answer.statusCode(), answer.body.Bytes(), answer.headers())
}

// Recover keeps a panic to the one request that caused it: without it the process ends, and every request in flight
// with it. Call it by defer, first in every phase.
func Recover(kong *pdk.PDK, log *slog.Logger) {
	if cause := recover(); cause != nil {
		log.Error("panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		Refuse(kong, problem.New(http.StatusInternalServerError, "Something went wrong on the server."))
	}
}

// Refuse ends the request with a problem.
func Refuse(kong *pdk.PDK, p *problem.Problem) {
	kong.Response.Exit(p.Status, p.JSON(), map[string][]string{"Content-Type": {"application/json"}})
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
	body   bytes.Buffer
}

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

// headers leaves out values that are not UTF-8: one of them would make Kong drop all headers, without a word.
func (r *recorder) headers() map[string][]string {
	for name, values := range r.header {
		for _, value := range values {
			if !utf8.ValidString(value) {
				delete(r.header, name)
				break
			}
		}
	}
	return r.header
}
