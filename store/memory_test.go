package store_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// node is a process with a memory, and what it knows of somebody.
type node struct {
	*testing.T
	*store.Store
	profile store.Profile
	slug    store.Slug
	ref     store.Ref
	token   string
}

// remembering opens a Store with a memory, as another process does.
func remembering(t *testing.T, databaseURL string) *store.Store {
	t.Helper()
	opened, err := store.Open(t.Context(), store.Settings{DatabaseURL: databaseURL, MasterKey: storetest.MasterKey(t)},
		store.WithClock(storetest.Clock), store.WithMemory())
	require.NoError(t, err)
	t.Cleanup(opened.Close)
	return opened
}

// setupNodes returns a Store that changes things, and a node that has read all of them through address, its way to Postgres.
func setupNodes(t *testing.T, through func(string) string) (*store.Store, string, *node) {
	t.Helper()
	s, databaseURL := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	project, err := s.CreateProject(t.Context(), actor(profile, "project"), newProject(organization))
	require.NoError(t, err)
	token, err := s.CreateAccessToken(t.Context(), actor(profile, "token"), "laptop", nil)
	require.NoError(t, err)
	n := &node{T: t, Store: remembering(t, through(databaseURL)), profile: profile, slug: organization.Slug, ref: project.Ref, token: token.Token}
	n.warm(databaseURL)
	return s, databaseURL, n
}

func straight(databaseURL string) string { return databaseURL }

// known is all that a node knows.
type known struct {
	Profile     store.Profile
	Owner       store.TokenOwner
	Memberships []store.Membership
	Membership  store.Membership
	Project     store.ProjectAccess
	Secrets     map[string]string
}

func (n *node) read(ctx context.Context) (k known, err error) {
	if k.Profile, err = n.EnsureProfile(ctx, ada, ""); err != nil {
		return k, err
	}
	if k.Owner, err = n.ProfileByAccessToken(ctx, n.token); err != nil {
		return k, err
	}
	if k.Memberships, err = n.Memberships(ctx, n.profile.ID); err != nil {
		return k, err
	}
	if k.Membership, err = n.MembershipBySlug(ctx, n.profile.ID, n.slug); err != nil {
		return k, err
	}
	if k.Project, err = n.ProjectByRef(ctx, n.profile.ID, n.ref); err != nil {
		return k, err
	}
	k.Secrets, err = n.ProjectSecrets(ctx, k.Project.ID, n.ref)
	return k, err
}

// warm reads until everything is answered without Postgres.
func (n *node) warm(databaseURL string) {
	n.Helper()
	require.Eventually(n, func() bool {
		_, err := n.read(n.Context())
		require.NoError(n, err)
		return n.answersAlone(databaseURL)
	}, 20*time.Second, 20*time.Millisecond)
}

// answersAlone tells whether the node answers while nobody can read the tables.
func (n *node) answersAlone(databaseURL string) bool {
	n.Helper()
	connection, err := pgx.Connect(n.Context(), databaseURL)
	require.NoError(n, err)
	defer func() { require.NoError(n, connection.Close(context.WithoutCancel(n.Context()))) }()
	tx, err := connection.Begin(n.Context())
	require.NoError(n, err)
	_, err = tx.Exec(n.Context(), `lock table platform.profiles, platform.access_tokens, platform.members, platform.organizations, platform.projects, platform.project_secrets in access exclusive mode`)
	require.NoError(n, err)
	ctx, cancel := context.WithTimeout(n.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = n.read(ctx)
	require.NoError(n, tx.Rollback(n.Context()))
	return err == nil
}

func TestWhatIsRememberedIsWhatPostgresSays(t *testing.T) {
	t.Parallel()
	s, databaseURL, n := setupNodes(t, straight)
	remembered, err := n.read(t.Context())
	require.NoError(t, err)
	asked, err := (&node{T: t, Store: s, profile: n.profile, slug: n.slug, ref: n.ref, token: n.token}).read(t.Context())
	require.NoError(t, err)
	require.Equal(t, asked, remembered)
	require.True(t, n.answersAlone(databaseURL))

	remembered.Memberships[0].Name = "a caller's own list"
	again, err := n.Memberships(t.Context(), n.profile.ID)
	require.NoError(t, err)
	require.Equal(t, "Acme", again[0].Name)
	_, err = n.ProjectByRef(t.Context(), n.profile.ID+1, n.ref)
	require.ErrorIs(t, err, store.ErrNotFound, "a stranger learns nothing of a project that is remembered")
	_, err = n.MembershipBySlug(t.Context(), n.profile.ID+1, n.slug)
	require.ErrorIs(t, err, store.ErrNotFound)
}

// heardWithin is far more than it takes, for machines that are busy, and far less than anything is remembered for.
const heardWithin = 10 * time.Second

// TestEveryNodeHearsOfAChange makes each change in one process, and waits for it in another.
func TestEveryNodeHearsOfAChange(t *testing.T) {
	t.Parallel()
	notFound := func(_ known, err error) bool { return err != nil }
	for name, test := range map[string]struct {
		change string
		seen   func(known, error) bool
	}{
		"a member removed":       {`delete from platform.members`, notFound},
		"a role taken":           {`update platform.members set role = 4`, func(k known, _ error) bool { return k.Membership.Role == 4 && k.Project.OrganizationRole == 4 }},
		"a role in a project":    {`insert into platform.project_members (project_id, profile_id, organization_id, role) select p.id, m.profile_id, m.organization_id, 3 from platform.projects p, platform.members m`, func(k known, _ error) bool { return k.Project.ProjectRole == 3 }},
		"a token revoked":        {`delete from platform.access_tokens`, notFound},
		"a token's scopes":       {`update platform.access_tokens set scopes = '{x}'`, func(k known, _ error) bool { return k.Owner.Limits != nil }},
		"a profile gone":         {`delete from platform.access_tokens; delete from platform.members; delete from platform.profiles`, notFound},
		"a second factor wanted": {`update platform.organizations set mfa_required = true`, func(k known, _ error) bool { return k.Membership.MFARequired && k.Project.MFARequired }},
		"a project's status":     {`update platform.projects set status = 'INACTIVE'`, func(k known, _ error) bool { return k.Project.Status == store.StatusInactive }},
		"a secret replaced":      {`delete from platform.project_secrets where name = 'anon_key'; update platform.project_secrets set sealed = sealed`, func(k known, _ error) bool { return k.Secrets != nil && k.Secrets["anon_key"] == "" }},
		"a project gone":         {`delete from platform.projects`, notFound},
		"too much to name": {
			`insert into platform.profiles (gotrue_id, primary_email, username, created_at, updated_at)
			select gen_random_uuid(), '', 'user-' || n, now(), now() from generate_series(1, 200) n; update platform.profiles set first_name = 'Ada'`,
			func(k known, _ error) bool { return k.Profile.FirstName != nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, databaseURL, n := setupNodes(t, straight)
			before, err := n.read(t.Context())
			require.False(t, test.seen(before, err))
			execute(t, databaseURL, test.change)
			require.Eventually(t, func() bool { return test.seen(n.read(t.Context())) }, heardWithin, 5*time.Millisecond)
		})
	}
}

func TestWhoeverChangesSomethingSeesIt(t *testing.T) {
	t.Parallel()
	_, _, n := setupNodes(t, straight)
	username := "countess"
	for i, change := range []func(store.Actor) error{
		func(a store.Actor) error {
			_, err := n.UpdateProfile(t.Context(), a, store.ProfileChange{Username: &username})
			return err
		},
		func(a store.Actor) error {
			_, err := n.UpdateOrganization(t.Context(), a, 1, store.OrganizationChange{Name: &username})
			return err
		},
		func(a store.Actor) error {
			_, err := n.ChangeProject(t.Context(), a, n.ref, store.OperationDelete)
			return err
		},
	} {
		require.NoError(t, change(actor(n.profile, string(rune('a'+i)))))
	}
	now, err := n.read(t.Context())
	require.NoError(t, err)
	require.Equal(t, username, now.Profile.Username)
	require.Equal(t, username, now.Membership.Name)
	require.Equal(t, store.DesiredRemoved, now.Project.Desired)
}

// An application's tokens go when what they were granted for goes, and every node hears of it.
func TestEveryNodeHearsOfAnApplicationThatIsRevoked(t *testing.T) {
	t.Parallel()
	s, databaseURL := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	app, err := s.CreateOAuthApp(t.Context(), actor(profile, "app"), organization.ID, store.WantedOAuthApp{Name: "Robot", RedirectURIs: []string{"https://a.test"}, Scopes: []string{}})
	require.NoError(t, err)
	sealed, err := s.SealOAuthRequest(store.OAuthRequest{AppID: app.ID, RedirectURI: "https://a.test", Scopes: []string{}})
	require.NoError(t, err)
	request, _, _, err := s.OpenOAuthRequest(t.Context(), sealed)
	require.NoError(t, err)
	code, err := s.ApproveOAuthRequest(t.Context(), actor(profile, "approve"), organization.ID, request, app.OAuthApp)
	require.NoError(t, err)
	grant, err := s.OAuthGrantByCode(t.Context(), app.ID, code)
	require.NoError(t, err)
	tokens, err := s.ExchangeOAuthCode(t.Context(), store.OAuthIssue{Grant: grant, Actor: actor(profile, "code"), TokenScopes: []string{"projects_read"}}, code)
	require.NoError(t, err)

	n := remembering(t, databaseURL)
	owner, err := n.ProfileByAccessToken(t.Context(), tokens.AccessToken)
	require.NoError(t, err)
	require.Equal(t, &store.TokenLimits{Scopes: []string{"projects_read"}, OrganizationIDs: []int64{organization.ID}, ProjectIDs: []int64{}}, owner.Limits)
	_, err = s.RevokeOAuthApp(t.Context(), actor(profile, "revoke"), organization.ID, app.ID)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := n.ProfileByAccessToken(t.Context(), tokens.AccessToken)
		return errors.Is(err, store.ErrNotFound)
	}, heardWithin, 5*time.Millisecond)
}

func TestAnExpiredTokenIsNotRemembered(t *testing.T) {
	t.Parallel()
	s, databaseURL := storetest.NewWithURL(t)
	profile, _ := member(t, s, ada, "ada@example.com")
	expires := storetest.Now.Add(time.Hour)
	token, err := s.CreateAccessToken(t.Context(), actor(profile, "token"), "laptop", &expires)
	require.NoError(t, err)
	var mutex sync.Mutex
	now := storetest.Now
	clock := func() time.Time { mutex.Lock(); defer mutex.Unlock(); return now }
	n, err := store.Open(t.Context(), store.Settings{DatabaseURL: databaseURL, MasterKey: storetest.MasterKey(t)}, store.WithClock(clock), store.WithMemory())
	require.NoError(t, err)
	defer n.Close()
	for range 3 {
		_, err = n.ProfileByAccessToken(t.Context(), token.Token)
		require.NoError(t, err)
	}
	mutex.Lock()
	now = expires
	mutex.Unlock()
	_, err = n.ProfileByAccessToken(t.Context(), token.Token)
	require.ErrorIs(t, err, store.ErrNotFound)
}

// TestNothingIsBelievedThatCannotBeHeardOf: a network that swallows everything looks like one on which nothing happens.
func TestNothingIsBelievedThatCannotBeHeardOf(t *testing.T) {
	t.Parallel()
	way := &tunnel{T: t}
	_, databaseURL, n := setupNodes(t, way.through)
	way.swallow()
	execute(t, databaseURL, `delete from platform.members`)
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := n.read(ctx) // right or wrong, while it is believed
		return errors.Is(err, context.DeadlineExceeded)
	}, heardWithin, time.Millisecond, "it asks Postgres, and gets no answer")
}

func TestABrokenConnectionIsMadeAgain(t *testing.T) {
	t.Parallel()
	_, databaseURL, n := setupNodes(t, straight)
	execute(t, databaseURL, `select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()`)
	execute(t, databaseURL, `update platform.members set role = 4`)
	require.Eventually(t, func() bool {
		now, err := n.read(t.Context())
		return err == nil && now.Membership.Role == store.RoleReadOnly
	}, heardWithin, 5*time.Millisecond)
	n.warm(databaseURL)
}

// execute runs statements as another process would.
func execute(t *testing.T, databaseURL, statements string) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	_, err = connection.Exec(t.Context(), statements, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	require.NoError(t, connection.Close(t.Context()))
}

// tunnel is a way to Postgres that can be made to swallow what is sent.
type tunnel struct {
	*testing.T
	mutex     sync.Mutex
	swallowed bool
	wanted    string
}

func (w *tunnel) through(databaseURL string) string {
	w.Helper()
	address, err := url.Parse(databaseURL)
	require.NoError(w, err)
	w.wanted = address.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w, err)
	w.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", w.wanted)
			if err != nil {
				_ = from.Close()
				continue
			}
			go w.copy(to, from)
			go w.copy(from, to)
		}
	}()
	address.Host = listener.Addr().String()
	return address.String()
}

func (w *tunnel) copy(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	_, _ = io.Copy(writer(func(p []byte) (int, error) {
		if w.swallows() {
			return len(p), nil
		}
		return to.Write(p)
	}), from)
}

func (w *tunnel) swallow() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.swallowed = true
}

func (w *tunnel) swallows() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.swallowed
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
