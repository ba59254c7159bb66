package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Profile is a person, known by the `sub` of their GoTrue session token.
type Profile struct {
	ID           int64
	GotrueID     string // a UUID
	PrimaryEmail string
	Username     string
	FirstName    *string
	LastName     *string
	Mobile       *string
	CreatedAt    time.Time
}

const profileColumns = `p.id, p.gotrue_id::text, p.primary_email, p.username, p.first_name, p.last_name, p.mobile, p.created_at`

// EnsureProfile returns the profile of a GoTrue user, and makes it on first sight, once under any race. The e-mail address
// is always that of the latest session token; empty says nothing of it. The username
// comes from the e-mail's local part; where that is taken, a short piece of the user's id tells the two apart.
func (s *Store) EnsureProfile(ctx context.Context, gotrueID, email string) (Profile, error) {
	if s.memory != nil {
		return s.keptProfile(ctx, gotrueID, email)
	}
	return s.ensureProfile(ctx, gotrueID, email)
}

func (s *Store) ensureProfile(ctx context.Context, gotrueID, email string) (Profile, error) {
	profile, err := s.profileWhere(ctx, "p.gotrue_id = $1", gotrueID)
	if err == nil && email != "" && profile.PrimaryEmail != email {
		return s.followEmail(ctx, gotrueID, email)
	}
	if err == nil || !isNotFound(err) {
		return profile, err
	}
	for _, username := range usernames(gotrueID, email) {
		tag, err := s.pool.Exec(ctx, `
			insert into platform.profiles (gotrue_id, primary_email, username, created_at, updated_at)
			values ($1, $2, $3, $4, $4) on conflict do nothing`,
			gotrueID, email, username, s.now())
		if err != nil {
			return Profile{}, wrap("make the profile", err)
		}
		if tag.RowsAffected() == 1 {
			break
		}
		// Either another request made this profile in the meantime, or the username is taken.
		if profile, err := s.profileWhere(ctx, "p.gotrue_id = $1", gotrueID); err == nil {
			return profile, nil
		}
	}
	return s.profileWhere(ctx, "p.gotrue_id = $1", gotrueID)
}

// followEmail keeps the e-mail address that GoTrue has: nobody says at the platform who they are.
func (s *Store) followEmail(ctx context.Context, gotrueID, email string) (Profile, error) {
	rows, _ := s.pool.Query(ctx, `
		update platform.profiles p set primary_email = $2, updated_at = $3 where p.gotrue_id = $1 returning `+profileColumns,
		gotrueID, email, s.now())
	profile, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Profile])
	return profile, wrap("follow the e-mail address", err)
}

// ProfileChange says what becomes of a profile. What is nil stays as it is.
type ProfileChange struct {
	Username  *string
	FirstName *string
	LastName  *string
}

// UpdateProfile changes the actor's own profile. A ConflictError says that somebody else has the username.
func (s *Store) UpdateProfile(ctx context.Context, actor Actor, change ProfileChange) (Profile, error) {
	return write(ctx, s, actor, "update the profile", func(ctx context.Context, tx pgx.Tx) (Profile, AuditEntry, error) {
		rows, _ := tx.Query(ctx, `
			update platform.profiles p set username = coalesce($2, username), first_name = coalesce($3, first_name),
				last_name = coalesce($4, last_name), updated_at = $5
			where id = $1 returning `+profileColumns,
			actor.ProfileID, change.Username, change.FirstName, change.LastName, s.now())
		changed, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Profile])
		if violates(err, "profiles_username_key") {
			return Profile{}, AuditEntry{}, &ConflictError{"This username is taken."}
		}
		return changed, AuditEntry{Action: "account.update"}, err
	})
}

// usernames lists the usernames to try, the nicest first. The last one holds the whole id and cannot be taken.
func usernames(gotrueID, email string) []string {
	local, _, _ := strings.Cut(email, "@")
	if local == "" {
		local = "user"
	}
	return []string{local, local + "-" + gotrueID[:4], local + "-" + gotrueID[:8], local + "-" + gotrueID}
}

func (s *Store) profileWhere(ctx context.Context, condition string, arguments ...any) (Profile, error) {
	rows, _ := s.pool.Query(ctx, `select `+profileColumns+` from platform.profiles p where `+condition, arguments...)
	profile, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Profile])
	return profile, wrap("read the profile", err)
}
