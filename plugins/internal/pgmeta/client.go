package pgmeta

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/plurabase/plurabase/store/projectdb"
)

// ErrUnavailable says that postgres-meta could not be reached, or had no answer.
var ErrUnavailable = errors.New("postgres-meta unavailable")

// maxGenerated is more than the types of any database that people work with, in bytes.
const maxGenerated = 16 << 20

// client follows no redirect and uses no proxy: what it sends opens a project's database.
var client = &http.Client{
	Transport:     &http.Transport{},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Client asks postgres-meta for what the platform API answers itself.
type Client struct {
	// URL is postgres-meta's address, without a path.
	URL string
	// CryptoKey is postgres-meta's own CRYPTO_KEY.
	CryptoKey string
}

// TypeScript returns TypeScript types of what is in the schemas.
func (c *Client) TypeScript(ctx context.Context, database projectdb.Address, schemas []string) (string, error) {
	query := url.Values{
		"included_schemas":                {strings.Join(schemas, ",")},
		"detect_one_to_one_relationships": {"true"},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/generators/typescript?"+query.Encode(), http.NoBody)
	if err != nil {
		return "", fmt.Errorf("ask postgres-meta: %w", err)
	}
	connection, err := Connection(rand.Reader, c.CryptoKey, database)
	if err != nil {
		return "", err
	}
	request.Header.Set("X-Connection-Encrypted", connection)
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxGenerated+1))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if len(body) > maxGenerated {
		return "", fmt.Errorf("%w: its answer is too large", ErrUnavailable)
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%w: it answered %d", ErrUnavailable, response.StatusCode)
	}
	return string(body), nil
}

// Connection is what postgres-meta is told in the header `x-connection-encrypted`, to connect to a database.
func Connection(random io.Reader, cryptoKey string, database projectdb.Address) (string, error) {
	return Encrypt(random, cryptoKey, connectionString(database))
}

// connectionString is what postgres-meta connects by.
func connectionString(database projectdb.Address) string {
	address := url.URL{
		Scheme: "postgresql",
		User:   url.UserPassword(database.Role, database.Password),
		Host:   database.Host + ":" + strconv.Itoa(int(database.Port)),
		Path:   "/" + projectdb.Database,
	}
	return address.String()
}
