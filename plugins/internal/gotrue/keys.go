package gotrue

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// Keys returns the public keys that GoTrue signs its tokens with, and those that it is about to. Where it signs with the
// shared secret alone, there are none.
func (c *Client) Keys(ctx context.Context) ([]jose.JSONWebKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.address+"/.well-known/jwks.json", nil)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	body, err := c.send(request)
	if err != nil {
		return nil, fmt.Errorf("fetch GoTrue's keys: %w", err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || set.Keys == nil {
		return nil, fmt.Errorf("%w: its keys are not a JSON Web Key Set", ErrUnavailable)
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		// RFC 7517, section 5: a key of an unknown kind is no reason to refuse the others.
		if key.UnmarshalJSON(text) == nil && key.IsPublic() {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
