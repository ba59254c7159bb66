// Package problem is the one shape in which the platform says what went wrong.
package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/gotrue"
	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/store"
)

// Problem is an error as the client sees it: what Studio shows in its notice, and a code that programs can tell apart.
type Problem struct {
	Status  int    `json:"-"`
	Message string `json:"message" doc:"What went wrong, in one sentence for a person."`
	Code    string `json:"code" doc:"The same for a program."`
	// What clients of OAuth look for (RFC 6749, section 5.2): the code and the message once more.
	OAuthError       string `json:"error,omitempty"`
	OAuthDescription string `json:"error_description,omitempty"`

	header http.Header
}

// Error returns the message.
func (p *Problem) Error() string { return p.Message }

// GetStatus returns the HTTP status. huma asks for it.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns what the answer has beside its body. huma asks for it.
func (p *Problem) GetHeaders() http.Header { return p.header }

var codes = map[int]string{
	http.StatusBadRequest:            "bad_request",
	http.StatusUnauthorized:          "unauthorized",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "not_found",
	http.StatusMethodNotAllowed:      "method_not_allowed",
	http.StatusNotAcceptable:         "not_acceptable",
	http.StatusRequestTimeout:        "request_timeout",
	http.StatusConflict:              "conflict",
	http.StatusRequestEntityTooLarge: "too_large",
	http.StatusUnsupportedMediaType:  "unsupported_media_type",
	http.StatusTooManyRequests:       "too_many_requests",
	http.StatusInternalServerError:   "internal",
	http.StatusServiceUnavailable:    "unavailable",
}

// New returns a problem with the code that belongs to its status.
func New(status int, message string) *Problem {
	return &Problem{Status: status, Message: message, Code: codes[status]}
}

// BadRequest says what is wrong with what was sent.
func BadRequest(message string) *Problem { return New(http.StatusBadRequest, message) }

// NotFound says that there is no such thing, or none that the caller may know of.
func NotFound(message string) *Problem { return New(http.StatusNotFound, message) }

// Forbidden says that the caller's role does not have the permission.
func Forbidden(permission access.Permission) *Problem {
	return New(http.StatusForbidden,
		fmt.Sprintf("Your role does not allow this: it needs %s on %s.", permission.Action(), permission.Resource()))
}

// OAuth is a problem as clients of OAuth know them. Codes are those of RFC 6749, section 5.2.
func OAuth(status int, code, message string) *Problem {
	p := &Problem{Status: status, Message: message, Code: code, OAuthError: code, OAuthDescription: message}
	p.header = http.Header{"Cache-Control": {"no-store"}}
	if status == http.StatusUnauthorized {
		p.header.Set("WWW-Authenticate", "Basic")
	}
	return p
}

// OrNotFound turns the store's ErrNotFound into a 404 with a message, and leaves other errors as they are.
func OrNotFound(err error, message string) error {
	if errors.Is(err, store.ErrNotFound) {
		return NotFound(message)
	}
	return err
}

// Of turns any error into what the client sees. What is not expected is logged with its cause, and the client gets the
// request's id to ask about, never the cause.
func Of(ctx context.Context, log *slog.Logger, requestID string, err error) *Problem {
	var known *Problem
	var conflict *store.ConflictError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &conflict):
		return New(http.StatusConflict, conflict.Message)
	case errors.Is(err, identity.ErrUnauthenticated):
		return New(http.StatusUnauthorized, "Invalid or expired token. Sign in again.")
	case errors.Is(err, store.ErrNotFound):
		return NotFound("Not found")
	}
	log.ErrorContext(ctx, "request failed", "request_id", requestID, "error", err.Error())
	if errors.Is(err, store.ErrUnavailable) {
		return New(http.StatusServiceUnavailable, "The platform's database cannot be reached. Try again in a moment.")
	}
	if errors.Is(err, gotrue.ErrUnavailable) {
		return New(http.StatusServiceUnavailable, "The sign-in service cannot be reached. Try again in a moment.")
	}
	return Internal(requestID)
}

// Internal says no more than whom to ask.
func Internal(requestID string) *Problem {
	return New(http.StatusInternalServerError, "Something went wrong on the server. The request's id is "+requestID+".")
}

// Write answers a request with the problem.
func (p *Problem) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(p.JSON()) // when the client has gone, nothing is left to do
}

// JSON returns the body.
func (p *Problem) JSON() []byte {
	body, err := json.Marshal(p)
	if err != nil { // two strings always encode
		panic(err)
	}
	return body
}
