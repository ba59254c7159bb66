package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

// What a big instance holds.
const (
	manyProjects = 10_000
	manyMembers  = 100_000
)

// bigTables are those that grow with the instance, none of which a hot statement may read whole.
var bigTables = []string{
	"projects", "profiles", "members", "project_members", "organizations", "access_tokens", "project_keys", "project_secrets",
	"project_services", "api_keys", "operations", "operation_steps", "project_ports", "project_subnets", "audit_log",
}

// TestHotStatementsReadNoBigTableWhole asks a big instance what is asked all the time, and looks at Postgres' plan for
// each statement that was sent.
func TestHotStatementsReadNoBigTableWhole(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	seen := &statements{}
	s, err := store.Open(t.Context(), store.Settings{DatabaseURL: url, MasterKey: storetest.MasterKey(t)},
		store.WithClock(storetest.Clock), store.WithRandom(storetest.Random()), store.WithTracer(seen))
	require.NoError(t, err)
	defer s.Close()
	profile, organization := member(t, s, ada, "ada@example.com")
	made, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	token, err := s.CreateAccessToken(t.Context(), actor(profile, "2"), "ci", nil)
	require.NoError(t, err)
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, connection.Close(context.WithoutCancel(t.Context()))) }()
	grow(t, connection, organization.ID)

	project := made.Project
	for name, ask := range map[string]func(context.Context) error{
		"who a session token is of": func(ctx context.Context) error {
			_, err := s.EnsureProfile(ctx, ada, "ada@example.com")
			return err
		},
		"who an access token is of": func(ctx context.Context) error {
			_, err := s.ProfileByAccessToken(ctx, token.Token)
			return err
		},
		"what somebody is": func(ctx context.Context) error {
			_, err := s.Memberships(ctx, profile.ID)
			return err
		},
		"an organization": func(ctx context.Context) error {
			_, err := s.MembershipBySlug(ctx, profile.ID, organization.Slug)
			return err
		},
		"a project": func(ctx context.Context) error {
			_, err := s.ProjectByRef(ctx, profile.ID, project.Ref)
			return err
		},
		"a page of an organization's projects": func(ctx context.Context) error {
			page, err := s.Projects(ctx, profile.ID, store.ProjectFilter{OrganizationID: organization.ID, Limit: 100})
			require.Len(t, page.Projects, 100)
			return err
		},
		"a project's details": func(ctx context.Context) error {
			_, err := s.ProjectDetails(ctx, project.ID)
			return err
		},
		"a project's secrets": func(ctx context.Context) error {
			_, err := s.ProjectSecrets(ctx, project.ID, project.Ref)
			return err
		},
		"a project's configuration": func(ctx context.Context) error {
			_, err := s.ProjectConfig(ctx, project.ID, project.Ref)
			return err
		},
		"a project's services": func(ctx context.Context) error {
			_, err := s.ProjectServices(ctx, project.ID)
			return err
		},
		"a project's operations": func(ctx context.Context) error {
			_, err := s.Operations(ctx, project.ID, store.OperationPage{Limit: 10})
			return err
		},
		"a project for the gateway": func(ctx context.Context) error {
			_, err := s.GatewayProjects(ctx, project.ID)
			return err
		},
		"work for a provisioner": func(ctx context.Context) error {
			_, err := s.ClaimProject(ctx, "local", "somebody", time.Minute, []store.Ref{project.Ref})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			sent := seen.during(t.Context(), func(ctx context.Context) { require.NoError(t, ask(ctx)) })
			require.NotEmpty(t, sent)
			for _, one := range sent {
				plan := explain(t, connection, one)
				require.Empty(t, plan.wholeTables(), one.SQL)
			}
		})
	}
}

// grow adds what others have: most of the projects to the organization, most of the members to one other.
func grow(t *testing.T, connection *pgx.Conn, organizationID int64) {
	t.Helper()
	for _, statement := range []string{
		`set session_replication_role = replica`, // no triggers: nobody listens
		`insert into platform.profiles (gotrue_id, primary_email, username, created_at, updated_at)
			select gen_random_uuid(), 'user' || n || '@example.com', 'user' || n, now(), now() from generate_series(1, $members) n`,
		`insert into platform.organizations (slug, name, created_at, updated_at)
			select 'organization-' || n, 'Organization ' || n, now(), now() from generate_series(1, 1000) n`,
		`insert into platform.members (organization_id, profile_id, role, joined_at)
			select o.id, p.id, 3, now() from platform.profiles p join platform.organizations o on o.slug = 'organization-' || (p.id % 1000 + 1)`,
		`insert into platform.projects (ref, organization_id, name, cloud_provider, region, target, compute_size, services, desired,
				status, observed_generation, created_at, updated_at)
			select translate(lpad(n::text, 20, '0'), '0123456789', 'abcdefghij'), case when n % 2 = 0 then $organization else (select min(id) from platform.organizations) + n % 1000 end,
				'project ' || n, 'LOCAL', 'local', 'local', 'micro', '{db}', 'active', 'ACTIVE_HEALTHY', 1, now(), now() from generate_series(1, $projects) n`,
		`insert into platform.project_keys select id, 'k', '\x00' from platform.projects on conflict do nothing`,
		`insert into platform.project_secrets select id, secret, '\x00' from platform.projects, unnest('{jwt_secret,anon_key,service_key,db_password}'::text[]) secret on conflict do nothing`,
		`insert into platform.operations (project_id, project_ref, generation, kind, request_id, state, created_at, finished_at)
			select id, ref, 1, 'create', '', 'succeeded', now(), now() from platform.projects on conflict do nothing`,
		`insert into platform.access_tokens (profile_id, name, digest, alias, created_at)
			select id, 'ci', sha256(id::text::bytea), 'sbp_…', now() from platform.profiles where id % 10 = 0`,
		`insert into platform.project_members
			select p.id, m.profile_id, m.organization_id, 3 from platform.projects p join lateral (
				select * from platform.members m where m.organization_id = p.organization_id limit 5) m on true`,
		`insert into platform.project_subnets
			select 'local', set_masklen('10.0.0.0'::inet + id * 16, 28)::cidr, id from platform.projects`,
		`insert into platform.project_ports (target, port, project_id, service)
			select 'local', 20000 + id, id, 'db' from platform.projects`,
		`insert into platform.project_services (project_id, service, host, port, image, healthy, seen_at)
			select id, service, '10.0.0.1', 5432, '', true, now() from platform.projects, unnest('{db,auth,rest}'::text[]) service`,
		`insert into platform.api_keys (id, project_id, name, type, digest, prefix, sealed, claims, created_at, updated_at)
			select gen_random_uuid(), id, 'key', 'secret', sha256(id::text::bytea), '', '', '{}', now(), now() from platform.projects on conflict do nothing`,
		`insert into platform.operation_steps (operation_id, step, cause, attempt, started_at, finished_at)
			select id, 'wait-healthy:db', '', 1, now(), now() from platform.operations`,
		`set session_replication_role = origin`,
		`set plan_cache_mode = force_generic_plan`,
		`analyze`,
	} {
		statement = strings.NewReplacer("$members", fmt.Sprint(manyMembers), "$projects", fmt.Sprint(manyProjects),
			"$organization", fmt.Sprint(organizationID)).Replace(statement)
		_, err := connection.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

// statements is a tracer that keeps what was sent.
type statements struct {
	mutex sync.Mutex
	sent  []pgx.TraceQueryStartData
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.sent = append(s.sent, data)
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// during returns what was sent while do ran, without the ends of transactions.
func (s *statements) during(ctx context.Context, do func(context.Context)) []pgx.TraceQueryStartData {
	s.mutex.Lock()
	s.sent = nil
	s.mutex.Unlock()
	do(ctx)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.DeleteFunc(s.sent, func(one pgx.TraceQueryStartData) bool {
		return slices.Contains([]string{"begin", "commit", "rollback"}, one.SQL)
	})
}

// plan is what Postgres would do.
type plan struct {
	text  string
	nodes []planNode
}

type planNode struct {
	Type  string     `json:"Node Type"`
	Table string     `json:"Relation Name"`
	Plans []planNode `json:"Plans"`
}

// explain asks for the generic plan, which is the one that a Store's connections use.
func explain(t *testing.T, connection *pgx.Conn, statement pgx.TraceQueryStartData) plan {
	t.Helper()
	sql := statement.SQL
	if len(statement.Args) > 0 {
		if named, ok := statement.Args[0].(pgx.QueryRewriter); ok {
			var err error
			sql, _, err = named.RewriteQuery(t.Context(), connection, sql, nil)
			require.NoError(t, err)
		}
	}
	prepared, err := connection.Prepare(t.Context(), "explained", sql)
	require.NoError(t, err, sql)
	nulls := strings.TrimSuffix(strings.Repeat("null, ", len(prepared.ParamOIDs)), ", ")
	if nulls != "" {
		nulls = "(" + nulls + ")"
	}
	var text string
	require.NoError(t, connection.QueryRow(t.Context(), "explain (format json) execute explained"+nulls, pgx.QueryExecModeSimpleProtocol).Scan(&text), sql)
	require.NoError(t, connection.Deallocate(t.Context(), "explained"))
	var read []struct{ Plan planNode }
	require.NoError(t, json.Unmarshal([]byte(text), &read))
	p := plan{text: text}
	for _, one := range read {
		p.nodes = append(p.nodes, one.Plan)
	}
	return p
}

// wholeTables are the big tables that a plan reads whole.
func (p plan) wholeTables() []string {
	var whole []string
	for nodes := slices.Clone(p.nodes); len(nodes) > 0; {
		node := nodes[0]
		nodes = append(nodes[1:], node.Plans...)
		if node.Type == "Seq Scan" && slices.Contains(bigTables, node.Table) {
			whole = append(whole, node.Table)
		}
	}
	return whole
}
