package store

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
)

// NetworkRestrictions say from where a project may be reached.
type NetworkRestrictions struct {
	Allowed   []netip.Prefix
	Before    []netip.Prefix // before the last change; nil where nothing had been said
	UpdatedAt time.Time      // zero where nothing was ever said, and everybody is let in
}

// NetworkRestrictions returns what was said of a project; the zero value where nothing was.
func (s *Store) NetworkRestrictions(ctx context.Context, projectID int64) (NetworkRestrictions, error) {
	found, err := networkRestrictions(ctx, s.pool, projectID)
	return found, wrap("read the network restrictions", err)
}

func networkRestrictions(ctx context.Context, q querier, projectID int64) (NetworkRestrictions, error) {
	rows, _ := q.Query(ctx, `select allowed, before, updated_at from platform.network_restrictions where project_id = $1`, projectID)
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[NetworkRestrictions])
	if errors.Is(err, pgx.ErrNoRows) {
		return NetworkRestrictions{}, nil
	}
	return found, err
}

// RestrictNetwork lets a project be reached only from what change makes of what was allowed before (nil where everybody
// was). The gateway's nodes are told at once.
func (s *Store) RestrictNetwork(ctx context.Context, actor Actor, ref Ref, change func(before []netip.Prefix) []netip.Prefix) (NetworkRestrictions, error) {
	return write(ctx, s, actor, "restrict the network", func(ctx context.Context, tx pgx.Tx) (NetworkRestrictions, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return NetworkRestrictions{}, AuditEntry{}, err
		}
		found, err := networkRestrictions(ctx, tx, project.ID)
		if err != nil {
			return NetworkRestrictions{}, AuditEntry{}, err
		}
		now := NetworkRestrictions{Allowed: append([]netip.Prefix{}, change(found.Allowed)...), Before: found.Allowed, UpdatedAt: s.now()}
		_, err = tx.Exec(ctx, `
			insert into platform.network_restrictions (project_id, allowed, before, updated_at) values ($1, $2, $3, $4)
			on conflict (project_id) do update set allowed = excluded.allowed, before = excluded.before, updated_at = excluded.updated_at`,
			project.ID, now.Allowed, now.Before, now.UpdatedAt)
		return now, AuditEntry{
			Action: "network.restrict", OrganizationID: project.OrganizationID, ProjectRef: ref, Details: map[string]any{"allowed": now.Allowed},
		}, err
	})
}

// EnforceSSL says whether the gateway's Postgres port refuses connections to a project's database in plain text. The gateway's nodes
// are told at once; connections that are open stay open.
func (s *Store) EnforceSSL(ctx context.Context, actor Actor, ref Ref, enforced bool) error {
	_, err := write(ctx, s, actor, "enforce TLS", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		_, err = tx.Exec(ctx, `update platform.projects set ssl_enforced = $2, updated_at = $3 where id = $1`, project.ID, enforced, s.now())
		return struct{}{}, AuditEntry{
			Action: "network.enforce_ssl", OrganizationID: project.OrganizationID, ProjectRef: ref, Details: map[string]any{"database": enforced},
		}, err
	})
	return err
}

// NetworkBan is an address that a project's gateway turns away.
type NetworkBan struct {
	Address  netip.Addr
	BannedAt time.Time
	Until    *time.Time // nil: until somebody lets it in again
}

// NetworkBans lists the addresses that a project turns away now.
func (s *Store) NetworkBans(ctx context.Context, projectID int64) ([]NetworkBan, error) {
	rows, _ := s.pool.Query(ctx, `
		select address, banned_at, until from platform.network_bans
		where project_id = $1 and (until is null or until > $2) order by banned_at, address`, projectID, s.now())
	bans, err := pgx.CollectRows(rows, pgx.RowToStructByPos[NetworkBan])
	return bans, wrap("list the network bans", err)
}

// maxBans bounds how many addresses a project turns away: every gateway node keeps them in memory, and whoever has more addresses
// than that is not kept out by a list of them.
const maxBans = 1000

// BanFromProject turns an address away for a while, and tells whether it is a ban that was not there. The gateway's nodes are told
// at once.
func (s *Store) BanFromProject(ctx context.Context, projectID int64, address netip.Addr, until time.Time) (bool, error) {
	var banned bool
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `delete from platform.network_bans where project_id = $1 and until <= $2`, projectID, s.now()); err != nil {
			return err
		}
		made, err := tx.Exec(ctx, `
			insert into platform.network_bans (project_id, address, banned_at, until)
			select p.id, $2, $3, $4 from platform.projects p
			where p.id = $1 and (select count(*) from platform.network_bans b where b.project_id = p.id) < $5
			on conflict do nothing`, projectID, address.Unmap().WithZone(""), s.now(), until, maxBans)
		banned = made.RowsAffected() > 0
		return err
	})
	return banned, wrap("ban an address", err)
}

// NetworkOf returns what one client has: an IPv4 address, or all of an IPv6 network of 64 bits.
func NetworkOf(address netip.Addr) netip.Prefix {
	address = address.Unmap().WithZone("")
	bits := 64
	if address.Is4() {
		bits = 32
	}
	network, _ := address.Prefix(bits) // fails for no address only, and then returns none
	return network
}

// Unban lets addresses in again that a project turned away, an IPv6 one with what else is in its network.
func (s *Store) Unban(ctx context.Context, actor Actor, ref Ref, addresses []netip.Addr) error {
	_, err := write(ctx, s, actor, "lift network bans", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		networks := make([]netip.Prefix, len(addresses))
		for i, address := range addresses {
			networks[i] = NetworkOf(address)
		}
		_, err = tx.Exec(ctx, `delete from platform.network_bans where project_id = $1 and address <<= any ($2::inet[])`, project.ID, networks)
		return struct{}{}, AuditEntry{
			Action: "network.unban", OrganizationID: project.OrganizationID, ProjectRef: ref, Details: map[string]any{"addresses": addresses},
		}, err
	})
	return err
}
