package main

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

// firstStartSettings are the environment of `setup first-start`.
type firstStartSettings struct {
	store.Settings
	GoTrueURL    string `env:"PLURABASE_GOTRUE_URL,required,notEmpty"`
	JWTSecret    string `env:"PLURABASE_JWT_SECRET,required,notEmpty"`
	Email        string `env:"PLURABASE_ADMIN_EMAIL"`
	Password     string `env:"PLURABASE_ADMIN_PASSWORD"`
	Organization string `env:"PLURABASE_ORGANIZATION,notEmpty" envDefault:"Main"`
}

const firstStartTimeout = time.Minute

// firstStart makes the first administrator, and an organization of theirs, unless they are there. Without an e-mail
// address there is nothing to do: whoever signs up first makes the first organization in Studio.
func (s firstStartSettings) firstStart(ctx context.Context, out io.Writer) error {
	if s.Email == "" {
		_, _ = fmt.Fprintln(out, "No first administrator is named: whoever signs up in Studio makes an organization of their own.")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, firstStartTimeout)
	defer cancel()
	opened, err := store.Open(ctx, s.Settings)
	if err != nil {
		return err
	}
	defer opened.Close()
	id, err := s.account(ctx)
	if err != nil {
		return err
	}
	profile, err := opened.EnsureProfile(ctx, id, s.Email)
	if err != nil {
		return err
	}
	memberships, err := opened.Memberships(ctx, profile.ID)
	if err != nil || len(memberships) > 0 {
		return err
	}
	made, err := opened.CreateOrganization(ctx, store.Actor{ProfileID: profile.ID, RequestID: uuid.NewString()}, s.Organization)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "Made the organization %q of %s.\n", made.Name, s.Email)
	return nil
}

// account returns the id of the administrator's account at GoTrue, and makes it where there is none.
func (s firstStartSettings) account(ctx context.Context) (string, error) {
	found, err := s.find(ctx)
	if err != nil || found != "" {
		return found, err
	}
	if s.Password == "" {
		return "", errors.New("PLURABASE_ADMIN_PASSWORD is empty, and there is no account of PLURABASE_ADMIN_EMAIL yet")
	}
	var made user
	err = s.ask(ctx, http.MethodPost, "/admin/users", map[string]any{"email": s.Email, "password": s.Password, "email_confirm": true}, &made)
	return made.ID, err
}

// user is an account, as GoTrue's admin API shows it.
type user struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

func (s firstStartSettings) find(ctx context.Context) (string, error) {
	var listed struct {
		Users []user `json:"users"`
	}
	if err := s.ask(ctx, http.MethodGet, "/admin/users?per_page=100&filter="+url.QueryEscape(s.Email), nil, &listed); err != nil {
		return "", err
	}
	for _, one := range listed.Users {
		if strings.EqualFold(one.Email, s.Email) {
			return one.ID, nil
		}
	}
	return "", nil
}

// ask calls GoTrue's admin API with a token that lives for a minute.
func (s firstStartSettings) ask(ctx context.Context, method, path string, body, answer any) error {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"role": "service_role", "aud": "authenticated", "exp": time.Now().Add(time.Minute).Unix(),
	}).SignedString([]byte(s.JWTSecret))
	if err != nil {
		return fmt.Errorf("sign a token for GoTrue: %w", err)
	}
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(s.GoTrueURL, "/")+path, &sent)
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
		return fmt.Errorf("GoTrue answered %s to %s /admin/users: %s", response.Status, method, said)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
