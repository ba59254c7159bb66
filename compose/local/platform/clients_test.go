//go:build unix

package platform_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/compose/local/machine"
	"github.com/plurabase/plurabase/compose/local/platform"
)

// TestClients has the official tools do what they can with one project: two generations of the supabase CLI, the MCP
// server, and the management client, each as npm has it. What they are asked, and what comes of it, is docs/clients.md.
// It closes with one line: `clients: cli N/N, mcp N/N, management N/N`.
func TestClients(t *testing.T) {
	c := startClients(t)
	c.step("the tools are asked", func() {
		t.Run("tools", func(t *testing.T) {
			for _, tool := range []struct {
				name string
				ask  func(*clients) []result
			}{
				{"management", (*clients).runManagement},
				{"generated", (*clients).runGenerated},
				{"mcp", (*clients).runMCP},
				{"cli3", (*clients).runCLI3},
				{"cli2", (*clients).runCLI2},
			} {
				t.Run(tool.name, func(t *testing.T) {
					t.Parallel()
					c.take(tool.ask(c.of(t, tool.name)))
				})
			}
		})
	})
	c.step("what goes wrong is said in words", func() { c.take(c.runErrors()) })
	c.withoutBranches()
	c.remove(c.ref)
	c.gone(c.ref)
	fmt.Printf("clients: %s\n", strings.Join(c.count(), ", "))
}

// of is the same story, whose failures are a subtest's, with a project of its own: each tool has its own history of migrations, and
// changes settings for which databases are restarted.
func (c *clients) of(t *testing.T, name string) *clients {
	of, story := *c, *c.story
	story.t, of.story = t, &story
	of.ref = of.createProject(c.org, name)
	of.become(of.ref, "ACTIVE_HEALTHY")
	return &of
}

// count says how many cases of each tool were as they should be, and fails the test where one was not.
func (c *clients) count() []string {
	c.taken.Lock()
	defer c.taken.Unlock()
	var counts []string
	for _, client := range []string{"cli", "mcp", "management"} {
		right, all := 0, 0
		for _, one := range c.taken.results {
			if one.client != client {
				continue
			}
			all++
			if one.complaint == "" {
				right++
				continue
			}
			c.t.Errorf("%s: %s: %s", client, one.name, one.complaint)
		}
		counts = append(counts, fmt.Sprintf("%s %d/%d", client, right, all))
	}
	return counts
}

// taken is what came of all cases.
type taken struct {
	sync.Mutex
	results []result
}

func (c *clients) take(results []result) {
	c.taken.Lock()
	defer c.taken.Unlock()
	c.taken.results = append(c.taken.results, results...)
}

// clientCase is one thing that a tool is asked, as a row of docs/clients.md.
type clientCase struct {
	name string // the command or the tool, as people write it
	// arguments of a command: {ref}, {org}, {remote} (how this CLI names the project), {database} (its database by URL).
	arguments []string
	// input of a tool, or the arguments of a method.
	input any
	// prints is in what comes of it: in the output of what works, in the message of what does not.
	prints string
	// because says why it does not work; empty where it does.
	because string
	// note is what else people should know.
	note string
	// only is the one generation of the CLI that is asked; 0: both.
	only int
	// keep names what the cases after it call the id in the answer of a method.
	keep string
	// patient cases are asked again for as long as what they are about is not ready.
	patient bool
}

// notYet is in what the platform says of a branch that comes up, or is changed by something else.
var notYet = regexp.MustCompile(`is not running|wait until it has`)

// result is what came of a case.
type result struct {
	client    string
	name      string
	complaint string // empty where it was as it should be
}

// clients is a story with the tools, and the project that they share.
type clients struct {
	*story
	modules string // npm's folder with the tools
	plugin  string // platform-api, which prints its document
	linked  bool   // whether there is one Postgres port for every project
	org     string
	ref     string
	taken   *taken
}

func startClients(t *testing.T) *clients {
	t.Helper()
	postgres := cliPort(t)
	s := startStoryOn(t, postgres)
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	modules, err := machine.InstallClients(t.Context(), filepath.Join(root, ".run"))
	require.NoError(t, err)
	s.session = s.platform.AccessToken() // everything here is the administrator's
	c := &clients{story: s, modules: modules, plugin: filepath.Join(root, ".run", "bin", platform.PlatformAPI), linked: postgres != "", taken: &taken{}}
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
	return c
}

// cliPort is the one Postgres port that the CLI knows. It is empty where somebody else has it on this machine, or where the CLI cannot be
// given a name for it: it looks up db.<ref>.localhost, which not every machine knows.
func cliPort(t *testing.T) string {
	t.Helper()
	const address = "127.0.0.1:5432"
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err == nil {
		require.NoError(t, listener.Close())
		err = exec.CommandContext(t.Context(), "unshare", "--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts").Run()
	}
	if err != nil {
		fmt.Printf("  - what the CLI does with --linked is not tried, for want of %s or of root's right to mount: %v\n", address, err)
		return ""
	}
	return address
}

// check holds what came of a case against it.
func (one clientCase) check(client, name string, worked bool, said string) result {
	r := result{client: client, name: name}
	switch {
	case worked != (one.because == ""):
		r.complaint = fmt.Sprintf("it worked: %t, and said: %s", worked, said)
	case !strings.Contains(said, one.prints):
		r.complaint = fmt.Sprintf("%q is not in what it said: %s", one.prints, said)
	}
	if r.complaint != "" {
		fmt.Printf("  ✗ %s %s: %s\n", client, name, r.complaint)
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
		{"The supabase CLI", slices.Concat(loginCases, cliCases)},
		{"The MCP server", slices.Concat(mcpCases, mcpPausing, readOnlyCases)},
		{"The management client", managementCases},
		{"A client made from the platform's own document", generatedCases},
		{"What goes wrong is said in words", errorCases()},
	}
	for _, table := range tables {
		fmt.Fprintf(&text, "\n## %s\n\n| What | Works | Remarks |\n|---|---|---|\n", table.title)
		for _, one := range table.cases {
			works, remark, of := "yes", one.note, ""
			if one.only != 0 {
				of = fmt.Sprintf(", CLI %d", one.only)
			}
			if one.because != "" {
				works, remark = "no", strings.TrimSpace(one.because+" "+one.note)
			}
			fmt.Fprintf(&text, "| `%s`%s | %s | %s |\n", one.name, of, works, strings.ReplaceAll(remark, "|", "\\|"))
		}
	}
	return text.String()
}

const clientsHead = `# The official tools

Made from the cases of compose/local/platform's TestClients, which drives the tools as npm has them over the gateway of
` + "`make run`" + `; by hand it changes nothing. ` + "`make proof-clients`" + ` runs them.

- **supabase CLI**, 2.122.1 and 3.1.0, with ` + "`--profile`" + ` and the profile that ` + "`make run`" + ` writes to .run/plurabase.yaml. The third
  generation wants ` + "`--yes`" + ` before it changes anything of a project. Commands that open the database themselves reach it by
  ` + "`--linked`" + ` where the gateway has its Postgres port at 5432, as ` + "`make run`" + ` and ` + "`make up`" + ` have it; else name the database by ` + "`--db-url`" + `
  (CLI 2) or ` + "`--remote=<url>`" + ` (CLI 3). CLI 3 says ` + "`--remote=<ref>`" + ` where CLI 2 says ` + "`--linked`" + `.
- **MCP server**, @supabase/mcp-server-supabase 0.13.0, with ` + "`--api-url <public>/api`" + ` and an access token.
- **Management client**, supabase-management-js 2.0.2, with ` + "`baseUrl: <public>/api`" + `.
- **Clients made from a document**: ` + "`platform-api -openapi`" + ` prints OpenAPI 3.1 of every route, whose server is <public>/api. The test
  checks it against OpenAPI's own schema, and has openapi-client-axios make a client of it.
`

// errorCases are what goes wrong with every tool: a wrong token, one that may not, a project that is not there, and one that is paused.
func errorCases() []clientCase {
	return slices.Concat(cliErrors, mcpErrors, managementErrors, pausedCases, mcpPaused, managementPaused)
}

// tokens are whose tools make mistakes.
type tokens struct{ wrong, weak string }

func (c *clients) runErrors() []result {
	weak := c.object(http.MethodPost, "/api/platform/profile/scoped-access-tokens", map[string]any{
		"name": "weak", "permissions": []string{"projects_read"},
	}, http.StatusCreated)
	given := tokens{wrong: "sbp_" + strings.Repeat("0", 40), weak: weak["token"].(string)}
	results := slices.Concat(c.runCLIErrors(given), c.runMCPErrors(given), c.runManagementErrors(given))
	server := c.startMCP(c.platform.AccessToken())
	results = append(results, c.askMCP(server, mcpPausing[:1])...)
	c.become(c.ref, "INACTIVE")
	results = slices.Concat(results, c.runPaused(), c.askMCP(server, mcpPaused), c.askManagement(c.platform.AccessToken(), managementPaused))
	return append(results, c.askMCP(server, mcpPausing[1:])...)
}

// withoutBranches deletes what branches the project still has.
func (c *clients) withoutBranches() {
	c.t.Helper()
	c.eventually(func() bool {
		var left []struct {
			ID        string `json:"id"`
			IsDefault bool   `json:"is_default"`
		}
		answer := c.expect(http.MethodGet, "/api/v1/projects/"+c.ref+"/branches", nil, http.StatusOK)
		require.NoError(c.t, json.Unmarshal(answer.body, &left))
		for _, one := range left {
			if !one.IsDefault { // one that is gone meanwhile is not there to be deleted
				c.send(http.MethodDelete, "/api/v1/branches/"+one.ID, nil, "")
			}
		}
		return len(left) <= 1
	})
}

// toolTimeout is ample for every tool.
const toolTimeout = 3 * time.Minute
