package kongtest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
)

// retrier sends a request again when it can't have done anything, as nginx does with its default proxy_next_upstream:
// always when there was no connection, else only when the method is safe to repeat.
type retrier struct {
	next    http.RoundTripper
	retries int
}

// RoundTrip implements [http.RoundTripper].
func (t *retrier) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		// A failed try closes the body, which the next one still needs. The reverse proxy closes it in the end.
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(r.Body)
	}
	for try := 0; ; try++ {
		response, err := t.next.RoundTrip(r)
		if err == nil || try >= t.retries || r.Context().Err() != nil || !mayRepeat(r, err) {
			return response, err
		}
	}
}

func mayRepeat(r *http.Request, err error) bool {
	var operation *net.OpError
	if errors.As(err, &operation) && operation.Op == "dial" {
		return true
	}
	repeatable := []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete}
	return r.ContentLength == 0 && slices.Contains(repeatable, r.Method)
}

// timeoutDialer makes connections whose timeouts count from one read or write to the next.
type timeoutDialer struct {
	connect     net.Dialer
	read, write time.Duration
}

func (d *timeoutDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.connect.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &timeoutConn{Conn: c, read: d.read, write: d.write}, nil
}

type timeoutConn struct {
	net.Conn
	read, write time.Duration
}

func (c *timeoutConn) Read(data []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.read)); err != nil {
		return 0, err
	}
	return c.Conn.Read(data)
}

// Write also starts the time of a read that is waiting: on a connection that was idle, it has waited since before the
// request.
func (c *timeoutConn) Write(data []byte) (int, error) {
	now := time.Now()
	if err := errors.Join(c.SetWriteDeadline(now.Add(c.write)), c.SetReadDeadline(now.Add(c.read))); err != nil {
		return 0, err
	}
	return c.Conn.Write(data)
}
