package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// CustomHostname is a name of its own that a project is to be reached by.
type CustomHostname struct {
	Hostname   string
	Challenge  string     // what the name's TXT record has to hold
	VerifiedAt *time.Time // when it did; nil: not yet
	Active     bool       // the gateway serves it
	CreatedAt  time.Time
}

const customHostnameColumns = `h.hostname, h.challenge, h.verified_at, h.active, h.created_at`

// CustomHostname returns a project's own name. ErrNotFound: it has none.
func (s *Store) CustomHostname(ctx context.Context, projectID int64) (CustomHostname, error) {
	rows, _ := s.pool.Query(ctx, `select `+customHostnameColumns+` from platform.custom_hostnames h where h.project_id = $1`, projectID)
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[CustomHostname])
	return found, wrap("look the custom hostname up", err)
}

// InitializeCustomHostname begins with a name, in place of one that the project may have had. It serves nothing until it is
// verified and activated.
func (s *Store) InitializeCustomHostname(ctx context.Context, actor Actor, ref Ref, hostname string) (CustomHostname, error) {
	return s.changeHostname(ctx, actor, ref, "initialize", func(tx pgx.Tx, project Project) (pgx.Rows, error) {
		challenge, err := newHex(s.random, 16)
		if err != nil {
			return nil, err
		}
		return tx.Query(ctx, `
			insert into platform.custom_hostnames as h (project_id, hostname, challenge, created_at, updated_at) values ($1, $2, $3, $4, $4)
			on conflict (project_id) do update set hostname = excluded.hostname, challenge = excluded.challenge, verified_at = null,
				active = false, created_at = excluded.created_at, updated_at = excluded.updated_at
			returning `+customHostnameColumns, project.ID, hostname, challenge, s.now())
	})
}

// VerifyCustomHostname notes that a name has shown to be the project's: verified is the name that was looked at.
func (s *Store) VerifyCustomHostname(ctx context.Context, actor Actor, ref Ref, verified string) (CustomHostname, error) {
	return s.changeHostname(ctx, actor, ref, "verify", func(tx pgx.Tx, project Project) (pgx.Rows, error) {
		return tx.Query(ctx, `
			update platform.custom_hostnames h set verified_at = $3, updated_at = $3
			where h.project_id = $1 and h.hostname = $2 returning `+customHostnameColumns, project.ID, verified, s.now())
	})
}

// ActivateCustomHostname lets the gateway serve a verified name. ErrNotFound: the project has no verified name.
func (s *Store) ActivateCustomHostname(ctx context.Context, actor Actor, ref Ref) (CustomHostname, error) {
	return s.changeHostname(ctx, actor, ref, "activate", func(tx pgx.Tx, project Project) (pgx.Rows, error) {
		return tx.Query(ctx, `
			update platform.custom_hostnames h set active = true, updated_at = $2
			where h.project_id = $1 and h.verified_at is not null returning `+customHostnameColumns, project.ID, s.now())
	})
}

// DeleteCustomHostname gives a project's own name up. ErrNotFound: it has none.
func (s *Store) DeleteCustomHostname(ctx context.Context, actor Actor, ref Ref) (CustomHostname, error) {
	return s.changeHostname(ctx, actor, ref, "delete", func(tx pgx.Tx, project Project) (pgx.Rows, error) {
		return tx.Query(ctx, `delete from platform.custom_hostnames h where h.project_id = $1 returning `+customHostnameColumns, project.ID)
	})
}

func (s *Store) changeHostname(ctx context.Context, actor Actor, ref Ref, what string, change func(pgx.Tx, Project) (pgx.Rows, error)) (CustomHostname, error) {
	return write(ctx, s, actor, what+" the custom hostname", func(ctx context.Context, tx pgx.Tx) (CustomHostname, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return CustomHostname{}, AuditEntry{}, err
		}
		rows, err := change(tx, project)
		if err != nil {
			return CustomHostname{}, AuditEntry{}, err
		}
		changed, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[CustomHostname])
		if violates(err, "custom_hostnames_active") {
			return CustomHostname{}, AuditEntry{}, &ConflictError{"Another project uses this hostname."}
		}
		return changed, AuditEntry{
			Action: "custom_hostname." + what, OrganizationID: project.OrganizationID, ProjectRef: ref,
			Details: map[string]any{"hostname": changed.Hostname},
		}, err
	})
}

// VanitySubdomain returns what a project is called besides its ref, under the projects' own domain. ErrNotFound: it has no such name.
func (s *Store) VanitySubdomain(ctx context.Context, projectID int64) (string, error) {
	var name string
	err := s.pool.QueryRow(ctx, `select subdomain from platform.vanity_subdomains where project_id = $1`, projectID).Scan(&name)
	return name, wrap("look the vanity subdomain up", err)
}

// VanitySubdomainTaken tells whether a project has the name.
func (s *Store) VanitySubdomainTaken(ctx context.Context, name string) (bool, error) {
	var taken bool
	err := s.pool.QueryRow(ctx, `select exists (select from platform.vanity_subdomains where subdomain = $1)`, name).Scan(&taken)
	return taken, wrap("look for the vanity subdomain", err)
}

// SetVanitySubdomain gives a project a name besides its ref; an empty one takes it away. A ConflictError says that another
// project has it.
func (s *Store) SetVanitySubdomain(ctx context.Context, actor Actor, ref Ref, name string) error {
	_, err := write(ctx, s, actor, "change the vanity subdomain", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		if name == "" {
			_, err = tx.Exec(ctx, `delete from platform.vanity_subdomains where project_id = $1`, project.ID)
		} else {
			_, err = tx.Exec(ctx, `
				insert into platform.vanity_subdomains (project_id, subdomain, created_at) values ($1, $2, $3)
				on conflict (project_id) do update set subdomain = excluded.subdomain, created_at = excluded.created_at`, project.ID, name, s.now())
		}
		if violates(err, "vanity_subdomains_subdomain_key") {
			err = &ConflictError{fmt.Sprintf("The subdomain %q is taken.", name)}
		}
		return struct{}{}, AuditEntry{
			Action: "vanity_subdomain.change", OrganizationID: project.OrganizationID, ProjectRef: ref, Details: map[string]any{"subdomain": name},
		}, err
	})
	return err
}
