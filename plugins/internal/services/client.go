// Package services is a client of a project's own services: its GoTrue, its Storage, its PostgREST. It goes nowhere but to
// the addresses that the provisioner wrote down, follows no redirect, and reads no more than a bounded answer within a
// deadline. It decides nothing about who may ask.
package services

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plurabase/plurabase/store"
)

// timeout is the deadline of every call: below the API's own, so that a service that hangs is named as the cause.
const timeout = 20 * time.Second

// maxAnswer is far above the largest answer that is waited for, a list of 1,000 objects, in bytes.
const maxAnswer = 8 << 20

// Client calls the services of any project. It is safe for concurrent use.
type Client struct{ http *http.Client }

// New returns a Client. It connects on first use.
func New() *Client {
	return &Client{&http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy:               nil, // a project's key must not pass through whatever proxy the environment names
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 2,
			MaxIdleConns:        100,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Service is one service of one project, and the key that opens it.
type Service struct {
	State store.ServiceState
	Key   string `json:"-"` // the project's own service key
}

// Request is what a service is asked. Each part of the path is escaped, so that none can lead elsewhere.
type Request struct {
	Method string
	Path   []string
	Query  url.Values
	Body   any // encoded as JSON; nil for none
	Accept string
	// Profile is the schema that PostgREST is asked about; its first one where empty.
	Profile string
}

// Answer is what a service said: a status below 400, and the body.
type Answer struct {
	Status int
	Body   []byte
}

// UnavailableError says that a service could not be reached, or that what answered is not the service in good health.
type UnavailableError struct {
	Service string
	cause   error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("the service %s: %v", e.Service, e.cause)
}

// Unwrap returns the cause, which is for the log.
func (e *UnavailableError) Unwrap() error { return e.cause }

// RefusalError is a service's own 4xx: what it says is written for the user.
type RefusalError struct {
	Status  int
	Message string
}

func (e *RefusalError) Error() string { return e.Message }

// Do asks a service. An *UnavailableError or a *RefusalError says why there is no answer.
func (c *Client) Do(ctx context.Context, service Service, r Request) (Answer, error) {
	request, err := newRequest(ctx, service, r)
	if err != nil {
		return Answer{}, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{}, &UnavailableError{service.State.Service, withoutURL(err)}
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return Answer{}, &UnavailableError{service.State.Service, fmt.Errorf("read the answer: %w", err)}
	}
	if len(body) > maxAnswer {
		return Answer{}, &UnavailableError{service.State.Service, errors.New("the answer is too large")}
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return Answer{}, refusal(service, response.StatusCode, body)
	}
	return Answer{response.StatusCode, body}, nil
}

// DoJSON asks a service and decodes its answer.
func (c *Client) DoJSON(ctx context.Context, service Service, r Request, into any) error {
	answer, err := c.Do(ctx, service, r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer.Body, into); err != nil {
		return &UnavailableError{service.State.Service, errors.New("an answer that is not of the expected shape")}
	}
	return nil
}

func newRequest(ctx context.Context, service Service, r Request) (*http.Request, error) {
	var body io.Reader
	if r.Body != nil {
		encoded, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("encode the body: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	target := "http://" + net.JoinHostPort(service.State.Host, strconv.Itoa(int(service.State.Port))) + "/" + escaped(r.Path)
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, target, body)
	if err != nil {
		return nil, &UnavailableError{service.State.Service, withoutURL(err)}
	}
	request.Header.Set("Authorization", "Bearer "+service.Key)
	request.Header.Set("apikey", service.Key)
	request.Header.Set("Accept", "application/json")
	if r.Accept != "" {
		request.Header.Set("Accept", r.Accept)
	}
	if r.Profile != "" {
		request.Header.Set("Accept-Profile", r.Profile)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// escaped joins the parts of a path. `.` and `..` are escaped, too: some servers would walk them.
func escaped(parts []string) string {
	all := make([]string, len(parts))
	for i, part := range parts {
		all[i] = url.PathEscape(part)
		if part == "." || part == ".." {
			all[i] = strings.ReplaceAll(part, ".", "%2E")
		}
	}
	return strings.Join(all, "/")
}

// refusal reads the error shapes of GoTrue (`msg`), Storage (`message`, with the true status in `statusCode`) and
// PostgREST (`message`). A 401 or 403 refuses the platform's own key: the user is not the one who can mend that.
func refusal(service Service, status int, body []byte) error {
	var said struct {
		Msg        string `json:"msg"`
		Message    string `json:"message"`
		StatusCode any    `json:"statusCode"`
	}
	_ = json.Unmarshal(body, &said) // what has another shape has no message
	if inner, err := strconv.Atoi(fmt.Sprint(said.StatusCode)); err == nil && status == http.StatusBadRequest && inner >= 400 && inner < 600 {
		status = inner
	}
	message := said.Msg
	if message == "" {
		message = said.Message
	}
	refused := status == http.StatusUnauthorized || status == http.StatusForbidden
	if refused || message == "" || status < 400 || status >= 500 {
		return &UnavailableError{service.State.Service, fmt.Errorf("it answered %d: %.200q", status, message)}
	}
	return &RefusalError{status, message}
}

// withoutURL takes the URL out of an error of net/http's: the address is nobody's business but the operator's.
func withoutURL(err error) error {
	var named *url.Error
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}
