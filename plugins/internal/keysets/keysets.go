// Package keysets gets the public keys of those whose tokens a project shall take. Who names the address is a user: it is asked
// over https alone, follows no redirect, reaches no address of this machine or of a private network, whatever a name leads
// to, and reads no more than a bounded answer within a deadline.
package keysets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	timeout = 10 * time.Second
	// maxAnswer is far above any set of keys, in bytes.
	maxAnswer = 256 << 10
	// maxKeys is far above what anybody signs with at a time.
	maxKeys = 50
)

// Error says why there are no keys, in words for the user.
type Error struct {
	Message string
	cause   error
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Client asks for keys. It is safe for concurrent use.
type Client struct{ http *http.Client }

// New returns a Client that reaches public addresses alone.
func New() *Client { return newClient(isPublic, nil) }

func newClient(reaches func(netip.Addr) bool, transport func(*http.Transport)) *Client {
	dialer := &net.Dialer{Timeout: timeout, Control: func(_, address string, _ syscall.RawConn) error {
		// The address itself, after the name was looked up: a name may lead anywhere.
		if to, err := netip.ParseAddrPort(address); err != nil || !reaches(to.Addr().Unmap()) {
			return errors.New("the address is not a public one")
		}
		return nil
	}}
	t := &http.Transport{Proxy: nil, DialContext: dialer.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: timeout}
	if transport != nil {
		transport(t)
	}
	return &Client{&http.Client{
		Timeout: timeout, Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// notPublic are the ranges that are none of the Internet's, besides those that netip knows (RFC 6890).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

func isPublic(address netip.Addr) bool {
	for _, prefix := range notPublic {
		if prefix.Contains(address) {
			return false
		}
	}
	return address.IsGlobalUnicast() && !address.IsPrivate()
}

// OfIssuer returns the public keys of an issuer, by what it says of itself (OpenID Connect Discovery).
func (c *Client) OfIssuer(ctx context.Context, issuer string) (json.RawMessage, error) {
	body, err := c.get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var said struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.JWKSURI == "" {
		return nil, &Error{"The issuer's openid-configuration does not name a jwks_uri.", err}
	}
	if strings.TrimSuffix(said.Issuer, "/") != strings.TrimSuffix(issuer, "/") {
		return nil, &Error{"The issuer's openid-configuration is of another issuer.", nil}
	}
	return c.At(ctx, said.JWKSURI)
}

// At returns the public keys at an address.
func (c *Client) At(ctx context.Context, address string) (json.RawMessage, error) {
	body, err := c.get(ctx, address)
	if err != nil {
		return nil, err
	}
	return Public(body)
}

func (c *Client) get(ctx context.Context, address string) ([]byte, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" || parsed.Hostname() == "" || parsed.User != nil {
		return nil, &Error{"The address has to be a URL that begins with https://.", err}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, parsed.String(), nil)
	if err != nil {
		return nil, &Error{"The address has to be a URL that begins with https://.", err}
	}
	request.Header.Set("Accept", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, &Error{fmt.Sprintf("%s cannot be reached.", parsed.Host), err}
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil || len(body) > maxAnswer || response.StatusCode != http.StatusOK {
		return nil, &Error{fmt.Sprintf("%s does not answer with keys.", parsed.Host), err}
	}
	return body, nil
}

// Public reads a set of keys and returns what is public of it. A shared secret is refused: it would let the project sign
// in the other's name.
func Public(encoded []byte) (json.RawMessage, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(encoded, &set); err != nil {
		return nil, &Error{"That is not a JSON Web Key Set.", err}
	}
	if len(set.Keys) == 0 || len(set.Keys) > maxKeys {
		return nil, &Error{fmt.Sprintf("A key set has to have between 1 and %d keys.", maxKeys), nil}
	}
	public := jose.JSONWebKeySet{}
	for _, key := range set.Keys {
		if !key.Valid() {
			return nil, &Error{"The key set has a key in it that is not valid.", nil}
		}
		if !key.IsPublic() {
			key = key.Public()
		}
		if key.Key == nil {
			return nil, &Error{"The key set has a key in it that is not public.", nil}
		}
		public.Keys = append(public.Keys, key)
	}
	return json.Marshal(public)
}
