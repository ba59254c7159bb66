package kongtest

import (
	"errors"
	"fmt"
	"net/http"
)

// terminationPriority makes request-termination run last (PRIORITY in its handler.lua).
const terminationPriority = 2

// termination is Kong's plugin request-termination (kong/plugins/request-termination), without its echo.
type termination struct {
	StatusCode  int    `json:"status_code"`
	Message     string `json:"message"`
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
	Trigger     string `json:"trigger"` // A header or query argument without which the request goes on.
}

// terminationMessages are what the plugin says without a message of its own.
var terminationMessages = map[int]string{
	http.StatusUnauthorized:        "Unauthorized",
	http.StatusNotFound:            "Not found",
	http.StatusMethodNotAllowed:    "Method not allowed",
	http.StatusInternalServerError: "An unexpected error occurred",
	http.StatusBadGateway:          "Bad Gateway",
	http.StatusServiceUnavailable:  "Service unavailable",
}

func newTermination(config map[string]any) (*termination, error) {
	t := &termination{StatusCode: http.StatusServiceUnavailable}
	if err := decodeConfig(config, t); err != nil {
		return nil, err
	}
	switch {
	case t.StatusCode < lowestStatus || t.StatusCode > highestStatus:
		return nil, fmt.Errorf("status_code must be from %d to %d", lowestStatus, highestStatus)
	case t.Message != "" && (t.ContentType != "" || t.Body != ""):
		return nil, errors.New("message cannot be used with content_type or body")
	case t.ContentType != "" && t.Body == "":
		return nil, errors.New("content_type requires a body")
	}
	return t, nil
}

func (t *termination) run(x *exchange, p phase) {
	if p != access || !t.triggered(x) {
		return
	}
	if t.Body != "" {
		x.answer = &answer{status: t.StatusCode, header: http.Header{}, body: []byte(t.Body)}
		if t.ContentType != "" {
			x.answer.header.Set("Content-Type", t.ContentType)
		}
		return
	}
	message := t.Message
	if message == "" {
		message = terminationMessages[t.StatusCode]
	}
	x.failJSON(t.StatusCode, message)
}

func (t *termination) triggered(x *exchange) bool {
	if t.Trigger == "" || x.requestHeader.Get(t.Trigger) != "" {
		return true
	}
	for _, p := range parseQuery(x.upstream.query, defaultPairs) {
		if p.name == t.Trigger {
			return true
		}
	}
	return false
}
