package dataplane

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Refusal is what a request is answered with in the project's place.
type Refusal struct {
	Status     int           `json:"-"`
	RetryAfter time.Duration `json:"-"` // 0: it does not say
	Message    string        `json:"message"`
	Hint       string        `json:"hint,omitempty"`
	Code       string        `json:"code"`
}

// JSON returns the body.
func (r *Refusal) JSON() []byte {
	body, err := json.Marshal(r)
	if err != nil { // texts always encode
		panic(err)
	}
	return body
}

// Header returns the headers.
func (r *Refusal) Header() http.Header {
	header := http.Header{"Content-Type": {"application/json"}}
	if r.RetryAfter > 0 {
		header["Retry-After"] = []string{strconv.Itoa(int(r.RetryAfter.Seconds()))}
	}
	return header
}

// For how long a client is told to wait: briefly for what changes by itself, for long where somebody has to act.
const (
	briefly = 5 * time.Second
	forLong = time.Minute
)

var (
	badPath = &Refusal{
		Status: http.StatusBadRequest, Message: "The path has dots or characters in it that a path cannot have.", Code: "bad_request",
	}
	noProject = &Refusal{Status: http.StatusNotFound, Message: "There is no project at this address.", Code: "project_not_found"}
	noService = &Refusal{
		Status:  http.StatusNotFound,
		Message: "A project has nothing at this path: it serves /auth/v1, /rest/v1, /graphql/v1, /realtime/v1, /storage/v1, /functions/v1 and, for secret keys, /pg.",
		Code:    "not_found",
	}
	forbidden = &Refusal{Status: http.StatusForbidden, Message: "Access is forbidden.", Code: "forbidden"}
	noAddress = &Refusal{
		Status: http.StatusForbidden, Message: "The project's network restrictions do not let your address in.", Code: "network_restricted",
	}
	banned = &Refusal{Status: http.StatusForbidden, Message: "The project has banned your address.", Code: "network_banned"}

	// What upstream's own gateway says, for clients that look at it.
	noKey = &Refusal{
		Status: http.StatusUnauthorized, Message: "No API key found in request",
		Hint: "No `apikey` request header or url param was found.", Code: "no_api_key",
	}
	wrongKey = &Refusal{
		Status: http.StatusUnauthorized, Message: "Invalid API key",
		Hint: "Double check the API key: it is not one of this project, has expired, or was revoked.", Code: "invalid_api_key",
	}
	legacyOff = &Refusal{
		Status: http.StatusUnauthorized, Message: "Legacy API keys are disabled",
		Hint: "Use a publishable or secret API key, or enable the legacy keys in the project's settings.", Code: "legacy_api_keys_disabled",
	}
	inBrowser = &Refusal{
		Status: http.StatusUnauthorized, Message: "Forbidden use of secret API key in browser",
		Hint: "Secret API keys can only be used in a protected environment and should never be used in a browser. Delete this secret API key immediately.",
		Code: "secret_key_in_browser",
	}
	noSecret = &Refusal{Status: http.StatusInternalServerError, Message: "Something went wrong on the server.", Code: "internal"}
)

func notHere(message string) *Refusal {
	return &Refusal{Status: http.StatusNotFound, Message: message, Code: "not_found"}
}

func comingUp(message string, wait time.Duration) *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, RetryAfter: wait, Message: message, Code: "unavailable"}
}
