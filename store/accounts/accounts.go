// Package accounts makes and mends the accounts that people sign in to Studio with, at the platform's own GoTrue, for the operator.
package accounts

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

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/plurabase/plurabase/store"
)

// GoTrue is the platform's own, with what opens its admin API.
type GoTrue struct {
	URL       string `env:"PLURABASE_GOTRUE_URL,required,notEmpty"`
	JWTSecret string `env:"PLURABASE_JWT_SECRET,required,notEmpty"`
}

// ErrNobody says that nobody has an account of the address.
var ErrNobody = errors.New("nobody has an account of this address")

// ErrNoPassword says that an account has to be made, and that no password was given for it.
var ErrNoPassword = errors.New("there is no account of this address yet, and no password was given for it")

// First makes an administrator with an organization of their own, unless they are there: an account is kept as it is, and
// somebody who is in an organization gets no other. It returns their membership of the organization that was made; nil where none
// had to be.
func (g GoTrue) First(ctx context.Context, opened *store.Store, email, password, organization string) (*store.Membership, error) {
	id, err := g.account(ctx, email, password)
	if err != nil {
		return nil, err
	}
	profile, err := opened.EnsureProfile(ctx, id, email)
	if err != nil {
		return nil, err
	}
	memberships, err := opened.Memberships(ctx, profile.ID)
	if err != nil || len(memberships) > 0 {
		return nil, err
	}
	made, err := opened.CreateOrganization(ctx, store.Actor{ProfileID: profile.ID, RequestID: uuid.NewString()}, organization)
	if err != nil {
		return nil, err
	}
	return &made, nil
}

// Reset gives an account another password and takes its second factors away, for somebody who has lost them. ErrNobody: there is no
// such account.
func (g GoTrue) Reset(ctx context.Context, email, password string) error {
	id, err := g.find(ctx, email)
	if err != nil {
		return err
	}
	if id == "" {
		return ErrNobody
	}
	one := "/admin/users/" + url.PathEscape(id)
	if err := g.ask(ctx, http.MethodPut, one, map[string]any{"password": password}, nil); err != nil {
		return err
	}
	var factors []struct {
		ID string `json:"id"`
	}
	if err := g.ask(ctx, http.MethodGet, one+"/factors", nil, &factors); err != nil {
		return err
	}
	for _, factor := range factors {
		if err := g.ask(ctx, http.MethodDelete, one+"/factors/"+url.PathEscape(factor.ID), nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// account returns the id of an account, and makes it where there is none.
func (g GoTrue) account(ctx context.Context, email, password string) (string, error) {
	found, err := g.find(ctx, email)
	if err != nil || found != "" {
		return found, err
	}
	if password == "" {
		return "", ErrNoPassword
	}
	var made user
	err = g.ask(ctx, http.MethodPost, "/admin/users", map[string]any{"email": email, "password": password, "email_confirm": true}, &made)
	return made.ID, err
}

// user is an account, as GoTrue's admin API shows it.
type user struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

func (g GoTrue) find(ctx context.Context, email string) (string, error) {
	var listed struct {
		Users []user `json:"users"`
	}
	// GoTrue keeps addresses in lower case, and its filter minds the case.
	path := "/admin/users?per_page=100&filter=" + url.QueryEscape(strings.ToLower(email))
	if err := g.ask(ctx, http.MethodGet, path, nil, &listed); err != nil {
		return "", err
	}
	for _, one := range listed.Users {
		if strings.EqualFold(one.Email, email) {
			return one.ID, nil
		}
	}
	return "", nil
}

// timeout is more than GoTrue gives a request itself.
const timeout = 15 * time.Second

// ask calls GoTrue's admin API with a token that lives for a minute. Its errors never hold what was sent.
func (g GoTrue) ask(ctx context.Context, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"role": "service_role", "aud": "authenticated", "exp": time.Now().Add(time.Minute).Unix(),
	}).SignedString([]byte(g.JWTSecret))
	if err != nil {
		return fmt.Errorf("sign a token for GoTrue: %w", err)
	}
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(g.URL, "/")+path, &sent)
	if err != nil {
		return errors.New("PLURABASE_GOTRUE_URL is not a URL")
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask GoTrue: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= http.StatusMultipleChoices {
		said, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("GoTrue answered %s: %s", response.Status, bytes.TrimSpace(said))
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
