// Package gotrue is a client of the platform's own GoTrue (supabase/auth): what has to be asked of it before a token exists,
// and the public keys of its tokens. It decides nothing.
package gotrue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// timeout is the deadline of every call. GoTrue gives a request 10 s itself (its GOTRUE_API_MAX_REQUEST_DURATION), and sends
// mail within it.
const timeout = 15 * time.Second

// maxAnswer is far above any answer of GoTrue's, in bytes.
const maxAnswer = 1 << 20

// ErrUnavailable says that GoTrue could not be reached, or that what answered is not GoTrue in good health.
var ErrUnavailable = errors.New("GoTrue is not available")

// RefusalError is GoTrue's own 4xx: what it says is written for the user.
type RefusalError struct {
	Status  int
	Code    string // one of GoTrue's error codes, such as `weak_password`
	Message string
}

func (e *RefusalError) Error() string { return e.Message }

// FailureError is GoTrue's own 5xx. It is an ErrUnavailable too.
type FailureError struct {
	Status  int
	Message string // written for the operator
}

func (e *FailureError) Error() string {
	return fmt.Sprintf("GoTrue answered %d: %s", e.Status, e.Message)
}

// Unwrap makes the failure an ErrUnavailable.
func (e *FailureError) Unwrap() error { return ErrUnavailable }

// Client calls one GoTrue. It is safe for concurrent use.
type Client struct {
	address string
	http    *http.Client
}

// New returns a Client of the GoTrue at an address that CheckAddress accepts. It connects on first use.
func New(address string) *Client {
	return &Client{
		address: strings.TrimSuffix(address, "/"),
		http: &http.Client{
			Timeout:   timeout,
			Transport: http.DefaultTransport.(*http.Transport).Clone(),
			// GoTrue redirects none of these calls: whatever does, is not GoTrue.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// CheckAddress tells whether an address can be GoTrue's: http or https, with a host, and perhaps a path in front of
// GoTrue's own.
func CheckAddress(address string) error {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" ||
		parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		return errors.New("must be an http or https address such as http://auth:9999")
	}
	return nil
}

// send sends a request and returns the body of a 2xx.
func (c *Client) send(request *http.Request) ([]byte, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, withoutURL(err))
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%w: read the answer: %w", ErrUnavailable, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, errorOf(response.StatusCode, body)
	}
	return body, nil
}

// call is one request that changes something.
type call struct {
	path          string
	query         url.Values
	authorization string // the user's own; empty where there is no user yet
	clientAddress string // empty where it is not known
	body          any
}

func (c *Client) call(ctx context.Context, method string, one call) error {
	encoded, err := json.Marshal(one.body)
	if err != nil {
		return fmt.Errorf("encode the body: %w", err)
	}
	target := c.address + one.path
	if len(one.query) > 0 {
		target += "?" + one.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(encoded))
	if err != nil {
		return fmt.Errorf("make the request: %w", withoutURL(err))
	}
	request.Header.Set("Content-Type", "application/json")
	if one.authorization != "" {
		request.Header.Set("Authorization", one.authorization)
	}
	if one.clientAddress != "" {
		// What GoTrue's own limits and the captcha's provider go by.
		request.Header.Set("X-Forwarded-For", one.clientAddress)
	}
	_, err = c.send(request)
	return err
}

// errorOf reads an error in the shape that GoTrue answers with where no API version is asked for (its apierrors.HTTPError).
// An error in another shape comes from something in between.
func errorOf(status int, body []byte) error {
	var said struct {
		Code    string `json:"error_code"`
		Message string `json:"msg"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Message == "" {
		return fmt.Errorf("%w: an answer that is not GoTrue's, status %d", ErrUnavailable, status)
	}
	if status >= http.StatusInternalServerError {
		return &FailureError{Status: status, Message: said.Message}
	}
	return &RefusalError{Status: status, Code: said.Code, Message: said.Message}
}

// withoutURL takes the URL out of an error of net/http's: its query may hold a token (Studio's redirect_to does, in
// an OAuth flow).
func withoutURL(err error) error {
	var named *url.Error
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}
