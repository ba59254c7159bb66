package store

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	// cliLoginLifetime is for how long an access token waits for its CLI: Studio shows the code, and the user types it.
	cliLoginLifetime = 10 * time.Minute
	// cliLoginTries is how many wrong codes end a login. The CLI lets its user try three times.
	cliLoginTries = 5
	// cliCodeDigits is how much of the nonce Studio shows as the code (pages/cli/login.tsx).
	cliCodeDigits = 8
)

// SealedToken is an access token encrypted to the key of the CLI that it is for, with what the CLI needs to read it. All are
// hexadecimal.
type SealedToken struct {
	PublicKey  string // of the platform's side
	Nonce      string // its first eight digits are the code that the user is shown
	Ciphertext string
}

// CLILogin is an access token that waits for the CLI that it was made for.
type CLILogin struct {
	SessionID uuid.UUID
	CreatedAt time.Time
	SealedToken
}

// CreateCLILogin makes an access token for the actor, and keeps it as seal encrypts it until a CLI asks for it. A ConflictError says
// that the session is known already.
func (s *Store) CreateCLILogin(ctx context.Context, actor Actor, sessionID uuid.UUID, tokenName string, seal func(token string) (SealedToken, error)) (CLILogin, error) {
	return write(ctx, s, actor, "sign a CLI in", func(ctx context.Context, tx pgx.Tx) (CLILogin, AuditEntry, error) {
		if err := s.forgetCLILogins(ctx, tx); err != nil {
			return CLILogin{}, AuditEntry{}, err
		}
		made, err := s.insertAccessToken(ctx, tx, actor, tokenName, nil)
		if err != nil {
			return CLILogin{}, AuditEntry{}, err
		}
		sealed, err := seal(made.Token)
		if err != nil {
			return CLILogin{}, AuditEntry{}, err
		}
		tag, err := tx.Exec(ctx, `
			insert into platform.cli_logins (session_id, access_token_id, public_key, nonce, ciphertext, created_at, expires_at)
			values ($1, $2, $3, $4, $5, $6, $7) on conflict (session_id) do nothing`,
			sessionID, made.ID, sealed.PublicKey, sealed.Nonce, sealed.Ciphertext, s.now(), s.now().Add(cliLoginLifetime))
		if err != nil {
			return CLILogin{}, AuditEntry{}, fmt.Errorf("keep the login: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return CLILogin{}, AuditEntry{}, &ConflictError{"This link was used already. Begin again with `supabase login`."}
		}
		entry := AuditEntry{Action: "access_tokens.create", Details: map[string]any{"name": tokenName, "alias": made.Alias, "for": "cli"}}
		return CLILogin{SessionID: sessionID, CreatedAt: s.now(), SealedToken: sealed}, entry, nil
	})
}

// forgetCLILogins takes back the access tokens that no CLI has asked for in time.
func (s *Store) forgetCLILogins(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		delete from platform.access_tokens where id in (select access_token_id from platform.cli_logins where expires_at <= $1)`, s.now())
	if err != nil {
		return fmt.Errorf("take back what nobody asked for: %w", err)
	}
	return nil
}

// TakeCLILogin hands an access token out to whoever knows its session and code, once. After a few wrong codes the token is taken
// back. ErrNotFound: there is no such session, not any more, or the code is another one.
func (s *Store) TakeCLILogin(ctx context.Context, sessionID uuid.UUID, code string) (CLILogin, error) {
	const doing = "look the login up"
	var login CLILogin
	good := false
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var tokenID int64
		var wrong int
		err := tx.QueryRow(ctx, `
			select session_id, created_at, public_key, nonce, ciphertext, access_token_id, wrong
			from platform.cli_logins where session_id = $1 and expires_at > $2 for update`, sessionID, s.now(),
		).Scan(&login.SessionID, &login.CreatedAt, &login.PublicKey, &login.Nonce, &login.Ciphertext, &tokenID, &wrong)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the login: %w", err)
		}
		good = subtle.ConstantTimeCompare([]byte(code), []byte(login.Nonce[:cliCodeDigits])) == 1
		switch {
		case good:
			_, err = tx.Exec(ctx, `delete from platform.cli_logins where session_id = $1`, sessionID)
		case wrong+1 < cliLoginTries:
			_, err = tx.Exec(ctx, `update platform.cli_logins set wrong = wrong + 1 where session_id = $1`, sessionID)
		default:
			_, err = tx.Exec(ctx, `delete from platform.access_tokens where id = $1`, tokenID)
		}
		return err
	})
	if err != nil {
		return CLILogin{}, wrap(doing, err)
	}
	if !good {
		return CLILogin{}, wrap(doing, ErrNotFound)
	}
	return login, nil
}
