package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// gatewayChannel is where the gateway's nodes listen (migrations/0007); the payload is a project's number. A lost message
// costs nothing but time.
const gatewayChannel = "plurabase_gateway"

// GatewayProject is all that a gateway node has to know of a project to serve it. It is small, for a node keeps every project
// in memory: the JWT secret stays sealed until it is asked for (Store.GatewaySecret).
type GatewayProject struct {
	ID       int64
	Ref      Ref
	Status   Status
	Services []string // what its stack is to have
	// Targets are where its services are reached: addresses in the project's own subnet and no others.
	Targets    map[string]netip.AddrPort
	Keys       []GatewayKey
	LegacyKeys bool // whether the anon and service_role JWTs open it
	// Allowed is from where it may be reached; nil: from everywhere. An empty list lets nobody in.
	Allowed   []netip.Prefix
	Banned    []GatewayBan
	Hostname  string // of its own, verified and active; empty where it has none
	Subdomain string // besides its ref; empty where it has none
	// DatabaseHost is where postgres-meta reaches the database; empty where that was not seen yet.
	DatabaseHost string
	DatabasePort uint16
	// Database is the same as an address: in the project's own subnet, or at its own port of this machine. Not valid where it is elsewhere.
	Database         netip.AddrPort
	SSLEnforced      bool // connections to the database in plain text are refused
	secret, password sealedSecret
}

// GatewayKey is an API key as the gateway finds it.
type GatewayKey struct {
	ID     uuid.UUID
	Type   APIKeyType
	Digest [32]byte // SHA-256 of the key
	Claims map[string]any
}

// GatewayBan is a client that is turned away.
type GatewayBan struct {
	Network netip.Prefix // NetworkOf the address that was banned
	Until   time.Time    // zero: until somebody lets it in again
}

// sealedSecret is a secret with all that is needed to open it, but for the master key.
type sealedSecret struct {
	masterKeyID     string
	wrapped, sealed []byte
}

// GatewayProjects returns what the gateway needs of the numbered projects that are there, or of all where no number is given.
func (s *Store) GatewayProjects(ctx context.Context, ids ...int64) ([]GatewayProject, error) {
	arguments, narrowed := []any{SecretJWT, SecretDatabasePassword, s.now()}, ``
	if len(ids) > 0 { // a condition that may be void would hide the index from Postgres
		arguments, narrowed = append(arguments, ids), ` where p.id = any ($4)`
	}
	rows, err := s.pool.Query(ctx, `
		select p.id, p.ref, p.status, p.services, n.subnet, coalesce(g.legacy_keys_enabled, true),
			k.master_key_id, k.wrapped, x.sealed, y.sealed,
			r.allowed,
			(select jsonb_agg(jsonb_build_object('address', host(address), 'until', until) order by address)
				from platform.network_bans b where b.project_id = p.id and (until is null or until > $3)),
			coalesce(h.hostname, ''), coalesce(v.subdomain, ''), coalesce(p.db_host, ''), coalesce(p.db_port, 0), p.ssl_enforced,
			(select port from platform.project_ports o where o.project_id = p.id and o.service = 'db'),
			(select jsonb_agg(jsonb_build_object('service', service, 'host', host, 'port', port))
				from platform.project_services t where t.project_id = p.id),
			(select jsonb_agg(jsonb_build_object('id', id, 'type', type, 'digest', encode(digest, 'hex'), 'claims', claims))
				from platform.api_keys a where a.project_id = p.id)
		from platform.projects p
			join platform.project_keys k on k.project_id = p.id
			join platform.project_secrets x on x.project_id = p.id and x.name = $1
			join platform.project_secrets y on y.project_id = p.id and y.name = $2
			left join platform.project_subnets n on n.project_id = p.id
			left join platform.project_gateway g on g.project_id = p.id
			left join platform.network_restrictions r on r.project_id = p.id
			left join platform.custom_hostnames h on h.project_id = p.id and h.active
			left join platform.vanity_subdomains v on v.project_id = p.id`+narrowed, arguments...)
	if err != nil {
		return nil, wrap("read the gateway's projects", err)
	}
	projects, err := pgx.CollectRows(rows, scanGatewayProject)
	return projects, wrap("read the gateway's projects", err)
}

func scanGatewayProject(row pgx.CollectableRow) (GatewayProject, error) {
	var p GatewayProject
	var subnet *netip.Prefix
	var published *uint16
	var bans, services, keys []byte
	err := row.Scan(&p.ID, &p.Ref, &p.Status, &p.Services, &subnet, &p.LegacyKeys,
		&p.secret.masterKeyID, &p.secret.wrapped, &p.secret.sealed, &p.password.sealed,
		&p.Allowed, &bans, &p.Hostname, &p.Subdomain, &p.DatabaseHost, &p.DatabasePort, &p.SSLEnforced, &published, &services, &keys)
	if err != nil {
		return GatewayProject{}, err
	}
	if p.Banned, err = gatewayBans(bans); err != nil {
		return GatewayProject{}, fmt.Errorf("the bans of project %s: %w", p.Ref, err)
	}
	p.password.masterKeyID, p.password.wrapped = p.secret.masterKeyID, p.secret.wrapped
	p.Database = gatewayDatabase(p.DatabaseHost, p.DatabasePort, subnet, published)
	if p.Targets, err = gatewayTargets(services, subnet); err != nil {
		return GatewayProject{}, fmt.Errorf("the services of project %s: %w", p.Ref, err)
	}
	if p.Keys, err = gatewayKeys(keys); err != nil {
		return GatewayProject{}, fmt.Errorf("the API keys of project %s: %w", p.Ref, err)
	}
	return p, nil
}

// gatewayDatabase leaves out what is neither in the project's subnet nor at the port that the project has on the machine itself, for
// the reason of gatewayTargets.
func gatewayDatabase(host string, port uint16, subnet *netip.Prefix, published *uint16) netip.AddrPort {
	address, err := netip.ParseAddr(host)
	switch {
	case err != nil: // a name, or nothing yet
	case subnet != nil && subnet.Contains(address), address.IsLoopback() && published != nil && port == *published:
		return netip.AddrPortFrom(address, port)
	}
	return netip.AddrPort{}
}

// gatewayTargets leaves out what is not in the project's subnet: whatever stood in the table, the gateway would connect to it.
func gatewayTargets(encoded []byte, subnet *netip.Prefix) (map[string]netip.AddrPort, error) {
	if encoded == nil || subnet == nil {
		return nil, nil
	}
	var services []struct {
		Service, Host string
		Port          uint16
	}
	if err := json.Unmarshal(encoded, &services); err != nil {
		return nil, err
	}
	targets := make(map[string]netip.AddrPort, len(services))
	for _, one := range services {
		if address, err := netip.ParseAddr(one.Host); err == nil && subnet.Contains(address) {
			targets[one.Service] = netip.AddrPortFrom(address, one.Port)
		}
	}
	return targets, nil
}

func gatewayBans(encoded []byte) ([]GatewayBan, error) {
	if encoded == nil {
		return nil, nil
	}
	var rows []struct {
		Address netip.Addr
		Until   time.Time
	}
	if err := json.Unmarshal(encoded, &rows); err != nil {
		return nil, err
	}
	bans := make([]GatewayBan, len(rows))
	for i, one := range rows {
		bans[i] = GatewayBan{NetworkOf(one.Address), one.Until}
	}
	return bans, nil
}

func gatewayKeys(encoded []byte) ([]GatewayKey, error) {
	if encoded == nil {
		return nil, nil
	}
	var rows []struct {
		ID     uuid.UUID
		Type   APIKeyType
		Digest hexDigest
		Claims map[string]any
	}
	if err := json.Unmarshal(encoded, &rows); err != nil {
		return nil, err
	}
	keys := make([]GatewayKey, len(rows))
	for i, one := range rows {
		keys[i] = GatewayKey{ID: one.ID, Type: one.Type, Digest: one.Digest, Claims: one.Claims}
	}
	return keys, nil
}

// hexDigest is a SHA-256 as JSON has it: hexadecimal digits.
type hexDigest [32]byte

// UnmarshalText reads the digits.
func (d *hexDigest) UnmarshalText(text []byte) error {
	if len(text) != 2*len(d) {
		return fmt.Errorf("a digest of %d characters", len(text))
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// SameSecret tells whether two projects have one JWT secret, as it is sealed.
func (p GatewayProject) SameSecret(other GatewayProject) bool {
	return p.Ref == other.Ref && p.secret.masterKeyID == other.secret.masterKeyID &&
		bytes.Equal(p.secret.wrapped, other.secret.wrapped) && bytes.Equal(p.secret.sealed, other.secret.sealed)
}

// GatewaySecret opens the JWT secret of a project, which its services verify tokens with.
func (s *Store) GatewaySecret(p GatewayProject) ([]byte, error) {
	return s.openForGateway(p.Ref, SecretJWT, p.secret)
}

// GatewayDatabasePassword opens the password of a project's database, of its owner's role.
func (s *Store) GatewayDatabasePassword(p GatewayProject) ([]byte, error) {
	return s.openForGateway(p.Ref, SecretDatabasePassword, p.password)
}

func (s *Store) openForGateway(ref Ref, name string, secret sealedSecret) ([]byte, error) {
	dataKey, err := s.sealer.unwrapDataKey(ref, secret.masterKeyID, secret.wrapped)
	if err != nil {
		return nil, err
	}
	plain, err := s.sealer.unseal(dataKey, ref, name, secret.sealed)
	return plain, wrap("open the "+name+" of "+string(ref), err)
}

// ListenForGateway calls listening once it hears, and changed with the number of every project of which something changed
// that the gateway has to know, until ctx ends or the connection breaks. One that was cut, rather than closed, is noticed
// within trustFor.
func (s *Store) ListenForGateway(ctx context.Context, listening func(), changed func(projectID int64)) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig.Copy()) // not one of the pool's, which may be all in use
	if err != nil {
		return wrap("connect to listen", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "listen "+gatewayChannel); err != nil {
		return wrap("listen", err)
	}
	listening()
	for {
		if err := hearForGateway(ctx, conn, changed); err != nil {
			return err
		}
		if err := pingWithin(ctx, conn, trustFor); err != nil {
			return err
		}
	}
}

// hearForGateway takes what is announced, until nothing has been for a while.
func hearForGateway(ctx context.Context, conn *pgx.Conn, changed func(projectID int64)) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, askEvery)
		notification, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			if id, err := strconv.ParseInt(notification.Payload, 10, 64); err == nil {
				changed(id)
			}
		case ctx.Err() == nil && pgconn.Timeout(err) && !conn.IsClosed():
			return nil
		default:
			return wrap("listen", err)
		}
	}
}

func pingWithin(ctx context.Context, conn *pgx.Conn, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return wrap("ask whether the gateway is heard", conn.Ping(ctx))
}

// Traffic is what went through the gateway for one service of a project.
type Traffic struct {
	ProjectID int64
	Service   string
	Requests  int64
	Egress    int64 // bytes
}

// AddTraffic adds to what is kept of the hour. Projects that are gone are passed over.
func (s *Store) AddTraffic(ctx context.Context, at time.Time, traffic []Traffic) error {
	if len(traffic) == 0 {
		return nil
	}
	// In one order, so that two nodes that write at once don't wait for each other in a circle.
	slices.SortFunc(traffic, func(a, b Traffic) int {
		return cmp.Or(cmp.Compare(a.ProjectID, b.ProjectID), cmp.Compare(a.Service, b.Service))
	})
	ids, services := make([]int64, len(traffic)), make([]string, len(traffic))
	requests, egress := make([]int64, len(traffic)), make([]int64, len(traffic))
	for i, one := range traffic {
		ids[i], services[i], requests[i], egress[i] = one.ProjectID, one.Service, one.Requests, one.Egress
	}
	_, err := s.pool.Exec(ctx, `
		insert into platform.project_traffic as t (project_id, hour, service, requests, egress)
		select n.project_id, date_trunc('hour', $1::timestamptz, 'UTC'), n.service, n.requests, n.egress
		from unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[]) as n (project_id, service, requests, egress)
			join platform.projects p on p.id = n.project_id
		on conflict (project_id, hour, service)
		do update set requests = t.requests + excluded.requests, egress = t.egress + excluded.egress`,
		at, ids, services, requests, egress)
	return wrap("count the traffic", err)
}

// TrafficHour is what a service of a project was asked, and sent, within an hour.
type TrafficHour struct {
	Hour     time.Time
	Service  string // `rest`
	Requests int64
	Egress   int64 // bytes
}

// ProjectTraffic returns the hours of a project from one time to another, oldest first.
func (s *Store) ProjectTraffic(ctx context.Context, projectID int64, from, to time.Time) ([]TrafficHour, error) {
	byProject, err := s.ProjectsTraffic(ctx, []int64{projectID}, from, to)
	return byProject[projectID], err
}

// ProjectsTraffic is ProjectTraffic for several projects, by their ids.
func (s *Store) ProjectsTraffic(ctx context.Context, projectIDs []int64, from, to time.Time) (map[int64][]TrafficHour, error) {
	rows, _ := s.pool.Query(ctx, `
		select project_id, hour, service, requests, egress from platform.project_traffic
		where project_id = any ($1) and hour >= date_trunc('hour', $2::timestamptz, 'UTC') and hour < $3 order by hour, service`, projectIDs, from, to)
	type row struct {
		ProjectID int64
		TrafficHour
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	byProject := map[int64][]TrafficHour{}
	for _, one := range found {
		byProject[one.ProjectID] = append(byProject[one.ProjectID], one.TrafficHour)
	}
	return byProject, wrap("read the projects' traffic", err)
}
