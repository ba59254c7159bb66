//go:build unix

package platform_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/compose/local/machine"
)

// TestClients has the management client, as npm has it, do what it can with one project: every method that it has. What it is asked,
// and what comes of it, is docs/clients.md. It closes with one line: `clients: management N/N`.
func TestClients(t *testing.T) {
	c := startClients(t)
	var results []result
	c.step("every method is called", func() { results = c.runManagement() })
	c.step("what goes wrong is said in words", func() { results = append(results, c.runErrors()...) })
	c.remove(c.ref)
	c.gone(c.ref)
	right := 0
	for _, one := range results {
		if one.complaint == "" {
			right++
			continue
		}
		t.Errorf("%s: %s", one.name, one.complaint)
	}
	fmt.Printf("clients: management %d/%d\n", right, len(results))
}

// clientCase is one thing that a tool is asked, as a row of docs/clients.md.
type clientCase struct {
	name string // the method, and after a comma what is special about this call
	// input is the arguments of the method: {ref} is the project, {org} its organization.
	input []any
	// prints is in what comes of it: in the output of what works, in the message of what does not.
	prints string
	// because says why it does not work; empty where it does.
	because string
	// note is what else people should know.
	note string
	// keep names what the cases after it call the id in the answer of a method.
	keep string
}

// result is what came of a case.
type result struct {
	name      string
	complaint string // empty where it was as it should be
}

// clients is a story with the tools, and the project that they share.
type clients struct {
	*story
	modules string // npm's folder with the tools
	org     string
	ref     string
}

func startClients(t *testing.T) *clients {
	t.Helper()
	s := startStory(t)
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	modules, err := machine.InstallClients(t.Context(), filepath.Join(root, ".run"))
	require.NoError(t, err)
	s.session = s.platform.AccessToken() // everything here is the administrator's
	c := &clients{story: s, modules: modules}
	c.supabase("orgs", "create", "Tools", "--yes")
	var organizations []struct{ ID string }
	c.decode(&organizations, "orgs", "list", "--output", "json")
	require.Len(t, organizations, 1)
	c.org = organizations[0].ID
	c.supabase("projects", "create", "shop", "--org-id", c.org, "--db-password", "correct horse; battery 'staple'", "--region", "eu-central-1", "--yes")
	var projects []struct{ ID string }
	c.decode(&projects, "projects", "list", "--output", "json")
	require.Len(t, projects, 1)
	c.ref = projects[0].ID
	c.become(c.ref, "ACTIVE_HEALTHY")
	// The provisioner measures a project some seconds after it runs.
	c.eventually(func() bool {
		return c.send(http.MethodGet, "/api/v1/projects/"+c.ref+"/config/disk/util", nil, "").status == http.StatusOK
	})
	return c
}

// check holds what came of a case against it.
func (one clientCase) check(worked bool, said string) result {
	r := result{name: one.name}
	switch {
	case worked != (one.because == ""):
		r.complaint = fmt.Sprintf("it worked: %t, and said: %s", worked, said)
	case !strings.Contains(said, one.prints):
		r.complaint = fmt.Sprintf("%q is not in what it said: %s", one.prints, said)
	}
	if r.complaint != "" {
		fmt.Printf("  ✗ %s: %s\n", one.name, r.complaint)
	}
	return r
}

var updateClients = flag.Bool("update", false, "write docs/clients.md anew")

// TestTheClientsTableIsCurrent holds docs/clients.md against the cases that TestClients runs.
func TestTheClientsTableIsCurrent(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "..", "docs", "clients.md")
	want := clientsTable()
	if *updateClients {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "run: go test ./compose/local/platform -run TestTheClientsTableIsCurrent -update")
}

func clientsTable() string {
	var text strings.Builder
	text.WriteString(clientsHead)
	tables := []struct {
		title string
		cases []clientCase
	}{
		{"The management client", managementCases},
		{"What goes wrong is said in words", slices.Concat(managementErrors, managementPaused)},
	}
	for _, table := range tables {
		fmt.Fprintf(&text, "\n## %s\n\n| What | Works | Remarks |\n|---|---|---|\n", table.title)
		for _, one := range table.cases {
			works, remark := "yes", one.note
			if one.because != "" {
				works, remark = "no", strings.TrimSpace(one.because+" "+one.note)
			}
			fmt.Fprintf(&text, "| `%s` | %s | %s |\n", one.name, works, strings.ReplaceAll(remark, "|", "\\|"))
		}
	}
	return text.String()
}

const clientsHead = `# The official tools

Made from the cases of compose/local/platform's TestClients, which drives the management client as npm has it over the gateway of
` + "`make run`" + `; by hand it changes nothing. ` + "`make proof-clients`" + ` runs them.

supabase-management-js 2.0.2, with ` + "`baseUrl: <public>/api`" + ` and an access token.
`

// tokens are whose holders make mistakes.
type tokens struct{ wrong, weak string }

func (c *clients) runErrors() []result {
	weak := c.object(http.MethodPost, "/api/platform/profile/scoped-access-tokens", map[string]any{
		"name": "weak", "permissions": []string{"projects_read"},
	}, http.StatusCreated)
	results := c.runManagementErrors(tokens{wrong: "sbp_" + strings.Repeat("0", 40), weak: weak["token"].(string)})
	c.become(c.ref, "ACTIVE_HEALTHY")
	c.expect(http.MethodPost, "/api/v1/projects/"+c.ref+"/pause", nil, http.StatusOK)
	c.become(c.ref, "INACTIVE")
	return append(results, c.askManagement(c.platform.AccessToken(), managementPaused)...)
}
