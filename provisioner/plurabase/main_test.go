//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.WithServer(m).Run()) }

// bundle is a platform's state with one project, and the settings by which the tool finds it.
type bundle struct {
	t           *testing.T
	store       *store.Store
	project     store.CreatedProject
	slug        store.Slug
	environment map[string]string
	input       string // what the tool reads
}

func setup(t *testing.T) *bundle {
	t.Helper()
	opened, databaseURL := storetest.NewWithURL(t)
	profile, err := opened.EnsureProfile(t.Context(), "11111111-1111-4111-8111-111111111111", "ada@example.com")
	require.NoError(t, err)
	organization, err := opened.CreateOrganization(t.Context(), store.Actor{ProfileID: profile.ID, RequestID: "1"}, "Acme")
	require.NoError(t, err)
	project, err := opened.CreateProject(t.Context(), store.Actor{ProfileID: profile.ID, RequestID: "2"}, store.NewProject{
		OrganizationID: organization.ID, Name: "shop", CloudProvider: "LOCAL", Region: "local", Target: "local",
		ComputeSize: "micro", Services: []string{"db"}, DatabasePassword: "correct horse",
	})
	require.NoError(t, err)
	return &bundle{t: t, store: opened, project: project, slug: organization.Slug, environment: map[string]string{
		"DATABASE_URL": databaseURL, "PLURABASE_MASTER_KEY": storetest.MasterKeyText,
	}}
}

// run runs the tool, and returns its exit code and what it printed.
func (b *bundle) run(arguments ...string) (code int, stdout, stderr string) {
	b.t.Helper()
	var out, problems bytes.Buffer
	code = run(b.t.Context(), arguments, b.environment, strings.NewReader(b.input), &out, &problems)
	return code, out.String(), problems.String()
}

func (b *bundle) exec(sql string, arguments ...any) {
	b.t.Helper()
	connection, err := pgx.Connect(b.t.Context(), b.environment["DATABASE_URL"])
	require.NoError(b.t, err)
	defer func() { require.NoError(b.t, connection.Close(b.t.Context())) }()
	_, err = connection.Exec(b.t.Context(), sql, arguments...)
	require.NoError(b.t, err)
}

// findings runs the doctor.
func (b *bundle) findings() (code int, byCheck map[string]finding) {
	b.t.Helper()
	code, out, _ := b.run("doctor", "--json")
	var list []finding
	require.NoError(b.t, json.Unmarshal([]byte(out), &list), out)
	byCheck = map[string]finding{}
	for _, one := range list {
		byCheck[one.Check] = one
		require.True(b.t, one.Verdict == well || one.Do != "", "%s says what to do", one.Check)
	}
	return code, byCheck
}

func TestTheDoctorTellsWhatIsWell(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Via", "1.1 kong/3.9.1")
		if r.URL.Path == "/api/platform/profile" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"message":"Invalid or expired token. Sign in again.","code":"unauthorized"}`))
		}
	}))
	t.Cleanup(gateway.Close)
	b.environment["PLURABASE_PUBLIC_URL"] = gateway.URL
	require.NoError(t, b.store.BeatTarget(t.Context(), store.Target{Name: "local", Owner: "host/1"}))
	_, found := b.findings()
	for _, check := range []string{"configuration", "postgres", "migrations", "provisioners", "kong", "plugins", "clocks"} {
		require.Equal(t, well, found[check].Verdict, "%+v", found[check])
	}
	require.Equal(t, "kong/3.9.1", found["kong"].Found)
}

func TestTheDoctorTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Via", "kong/2.8.1") }))
	t.Cleanup(gateway.Close)
	b.environment["PLURABASE_PUBLIC_URL"] = gateway.URL
	b.environment["DOCKER_HOST"] = "unix:///nowhere.sock"
	b.environment["PLURABASE_PROJECT_DOMAIN"] = "nothing.invalid:8000"
	b.environment["PLURABASE_MASTER_KEY"] = strings.Repeat("A", 43) + "="
	require.NoError(t, b.store.BeatTarget(t.Context(), store.Target{Name: "local", Owner: "host/1"}))
	b.exec(`update platform.targets set heartbeat_at = heartbeat_at - interval '1 hour'`)
	b.exec(`update platform.schema_migrations set version = 1`)
	code, found := b.findings()
	require.Equal(t, 1, code)
	for _, check := range []string{"migrations", "provisioners", "docker", "kong", "plugins", "dns"} {
		require.Equal(t, broken, found[check].Verdict, "%+v", found[check])
	}
	require.Equal(t, warning, found["postgres"].Verdict, "the secrets are under another key")
	require.Contains(t, found["postgres"].Do, "rotate-master-key")
}

func TestTheDoctorNeverTellsASecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.environment["DATABASE_URL"] = "postgres://plurabase:hunter2@127.0.0.1:1/plurabase"
	b.environment["PLURABASE_MASTER_KEY"] = "hunter2"
	code, out, problems := b.run("doctor")
	require.Equal(t, 1, code)
	require.Contains(t, out, "PLURABASE_MASTER_KEY is not 32 bytes in Base64")
	require.NotContains(t, out+problems, "hunter2")
}

func TestOperationsAreListedShownAndFollowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	code, out, _ := b.run("operations", "list", "--json", "--project", string(b.project.Ref), "--state", "pending")
	require.Equal(t, 0, code)
	var list []operation
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	require.Len(t, list, 1)
	require.Equal(t, "create", list[0].Kind)

	claim, err := b.store.ClaimProject(t.Context(), "local", "host/1", checkTimeout, nil)
	require.NoError(t, err)
	step, err := claim.StartStep(t.Context(), "create-network", "there is none")
	require.NoError(t, err)
	require.NoError(t, claim.FinishStep(t.Context(), step, nil))
	id := strconv.FormatInt(list[0].ID, 10)
	code, out, problems := b.run("operations", "show", id)
	require.Equal(t, 0, code, problems)
	require.Contains(t, out, "create-network (there is none)")

	require.NoError(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusInitFailed, Failure: errFound}))
	code, out, _ = b.run("operations", "follow", id)
	require.Equal(t, 1, code, "the operation failed")
	require.Contains(t, out, "failed something is wrong")
}

func TestAnOperationThatDoesNotEndIsCalledOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	claim, err := b.store.ClaimProject(t.Context(), "local", "host/1", checkTimeout, nil)
	require.NoError(t, err)
	_, err = claim.StartStep(t.Context(), "pull-image", "it is not there")
	require.NoError(t, err)
	id := strconv.FormatInt(claim.OperationID, 10)
	code, out, problems := b.run("operations", "cancel", id)
	require.Equal(t, 0, code, problems)
	require.Contains(t, out, "called off")

	require.ErrorIs(t, claim.Heartbeat(t.Context()), store.ErrLeaseLost, "whoever works on it has to stop")
	require.ErrorIs(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}), store.ErrLeaseLost)
	_, out, _ = b.run("operations", "show", id)
	require.Contains(t, out, "failed")
	require.Contains(t, out, "called off by the operator")
	require.Contains(t, out, "interrupted")
	claim, err = b.store.ClaimProject(t.Context(), "local", "host/1", checkTimeout, nil)
	require.NoError(t, err)
	require.Nil(t, claim, "nothing is left to do")

	code, _, problems = b.run("operations", "cancel", id)
	require.Equal(t, 1, code)
	require.Contains(t, problems, "is over")
	_, err = b.store.ChangeProject(t.Context(), store.Actor{ProfileID: 1, RequestID: "delete"}, b.project.Ref, store.OperationDelete)
	require.NoError(t, err)
	deletion := list(t, b)[0].ID
	code, _, problems = b.run("operations", "cancel", strconv.FormatInt(deletion, 10))
	require.Equal(t, 1, code, "a delete comes to its own end")
	require.Contains(t, problems, "has to come to its own end")
}

func list(t *testing.T, b *bundle) (operations []operation) {
	t.Helper()
	_, out, _ := b.run("operations", "list", "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &operations))
	return operations
}

func TestWorkThatWaitsForAnotherTryIsTriedNow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	code, _, problems := b.run("operations", "retry", string(b.project.Ref))
	require.Equal(t, 1, code)
	require.Contains(t, problems, "Nothing of the project")
	b.exec(`update platform.projects set retry_at = clock_timestamp() + interval '1 hour'`)
	claim, err := b.store.ClaimProject(t.Context(), "local", "host/1", checkTimeout, nil)
	require.NoError(t, err)
	require.Nil(t, claim)

	code, _, problems = b.run("operations", "retry", string(b.project.Ref))
	require.Equal(t, 0, code, problems)
	claim, err = b.store.ClaimProject(t.Context(), "local", "host/1", checkTimeout, nil)
	require.NoError(t, err)
	require.NotNil(t, claim)
}

func TestTheOperatorMakesAnOwner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	grace, err := b.store.EnsureProfile(t.Context(), "22222222-2222-4222-8222-222222222222", "grace@example.com")
	require.NoError(t, err)
	code, _, problems := b.run("admin", "own", string(b.slug), "nobody@example.com")
	require.Equal(t, 1, code)
	require.Contains(t, problems, "nobody of the address")
	code, _, problems = b.run("admin", "own", string(b.slug), "Grace@example.com")
	require.Equal(t, 0, code, problems)
	membership, err := b.store.MembershipBySlug(t.Context(), grace.ID, b.slug)
	require.NoError(t, err)
	require.Equal(t, store.RoleOwner, membership.Role)
}

func TestAnAdministratorIsMadeAndReset(t *testing.T) {
	t.Parallel()
	b := setup(t)
	known, sent := "", ""
	goTrue := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // stands in for GoTrue's admin API
		body, _ := io.ReadAll(r.Body)
		sent += r.Method + " " + string(body)
		answer := `{"id":"33333333-3333-4333-8333-333333333333"}`
		switch {
		case strings.HasSuffix(r.URL.Path, "/factors"):
			answer = "[]"
		case r.Method == http.MethodGet:
			answer = `{"users":[` + known + `]}`
		case r.Method == http.MethodPost:
			known = `{"id":"33333333-3333-4333-8333-333333333333","email":"lin@example.com"}`
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(goTrue.Close)
	code, _, problems := b.run("admin", "first", "lin@example.com")
	require.Equal(t, 1, code)
	require.Contains(t, problems, "PLURABASE_GOTRUE_URL")
	b.environment["PLURABASE_GOTRUE_URL"], b.environment["PLURABASE_JWT_SECRET"] = goTrue.URL, strings.Repeat("s", 32)
	code, _, problems = b.run("admin", "first", "lin@example.com")
	require.Equal(t, 1, code)
	require.Contains(t, problems, "no password")

	b.input = "correct horse\n"
	code, out, problems := b.run("admin", "first", "lin@example.com", "--organization", "Lin's")
	require.Equal(t, 0, code, problems)
	require.Contains(t, out, `the new organization "Lin's"`)
	code, out, _ = b.run("admin", "first", "lin@example.com")
	require.Equal(t, 0, code)
	require.Contains(t, out, "is there already")

	code, _, problems = b.run("admin", "reset", "nobody@example.com")
	require.Equal(t, 1, code)
	require.Contains(t, problems, "nobody has an account of this address")
	code, out, problems = b.run("admin", "reset", "Lin@example.com")
	require.Equal(t, 0, code, problems)
	require.Contains(t, sent, `PUT {"password":"correct horse"}`)
	require.NotContains(t, out+problems, "correct horse")
}

func TestTheMasterKeyIsRotated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.environment["PLURABASE_MASTER_KEY_PREVIOUS"] = b.environment["PLURABASE_MASTER_KEY"]
	b.environment["PLURABASE_MASTER_KEY"] = strings.Repeat("A", 43) + "="
	code, out, problems := b.run("admin", "rotate-master-key")
	require.Equal(t, 0, code, problems)
	require.Contains(t, out, "1 projects")
	delete(b.environment, "PLURABASE_MASTER_KEY_PREVIOUS")
	_, found := b.findings()
	require.Equal(t, well, found["postgres"].Verdict, "%+v", found["postgres"])
}

func TestWhatIsAskedWronglyEndsWithTwo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, arguments := range [][]string{{"nothing"}, {"operations", "show"}, {"doctor", "--nothing"}} {
		code, _, problems := b.run(arguments...)
		require.Equal(t, 2, code, arguments)
		require.NotEmpty(t, problems)
	}
	code, out, _ := b.run("completion", "bash")
	require.Equal(t, 0, code)
	require.Contains(t, out, "plurabase")
}
