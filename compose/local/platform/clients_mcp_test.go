//go:build unix

package platform_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// mcp is a running MCP server, spoken to in JSON-RPC over its standard streams.
type mcp struct {
	c      *clients
	in     io.Writer
	out    *bufio.Reader
	nextID int
}

// mcpFeatures are all but `docs`, which asks upstream's own search.
const mcpFeatures = "account,database,debugging,development,functions,branching,storage"

// startMCP starts the server as people's tools do.
func (c *clients) startMCP(token string, flags ...string) *mcp {
	c.t.Helper()
	program := filepath.Join(c.modules, ".bin", "mcp-server-supabase")
	arguments := append([]string{"--access-token", token, "--api-url", c.platform.URL() + "/api", "--features", mcpFeatures}, flags...)
	command := exec.CommandContext(c.t.Context(), program, arguments...) // it ends with the test
	in, err := command.StdinPipe()
	require.NoError(c.t, err)
	out, err := command.StdoutPipe()
	require.NoError(c.t, err)
	require.NoError(c.t, command.Start())
	c.t.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	server := &mcp{c: c, in: in, out: bufio.NewReader(out)}
	server.call("initialize", map[string]any{
		"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "tests", "version": "1"},
	})
	server.send(map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
	return server
}

func (m *mcp) send(message map[string]any) {
	m.c.t.Helper()
	encoded, err := json.Marshal(message)
	require.NoError(m.c.t, err)
	_, err = m.in.Write(append(encoded, '\n'))
	require.NoError(m.c.t, err)
}

// call returns the answer to a request, and passes over what the server says of itself.
func (m *mcp) call(method string, parameters any) json.RawMessage {
	m.c.t.Helper()
	m.nextID++
	m.send(map[string]any{"jsonrpc": "2.0", "id": m.nextID, "method": method, "params": parameters})
	for {
		line, err := m.out.ReadBytes('\n')
		require.NoError(m.c.t, err)
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  json.RawMessage
		}
		require.NoError(m.c.t, json.Unmarshal(line, &answer), string(line))
		if answer.ID != m.nextID {
			continue
		}
		if answer.Error != nil {
			return answer.Error
		}
		return answer.Result
	}
}

// tool calls a tool, and returns what it said.
func (m *mcp) tool(name string, input any) (worked bool, said string) {
	m.c.t.Helper()
	answer := m.call("tools/call", map[string]any{"name": name, "arguments": input})
	var result struct {
		IsError bool
		Content []struct{ Text string }
	}
	require.NoError(m.c.t, json.Unmarshal(answer, &result))
	if len(result.Content) == 0 {
		return false, string(answer)
	}
	var texts []string
	for _, content := range result.Content {
		texts = append(texts, content.Text)
	}
	// What a tool gives is JSON in JSON.
	return !result.IsError, strings.ReplaceAll(strings.ReplaceAll(strings.Join(texts, "\n"), `\\\"`, `"`), `\"`, `"`)
}

// tools are the names of all the server's tools.
func (m *mcp) tools() []string {
	m.c.t.Helper()
	var listed struct{ Tools []struct{ Name string } }
	require.NoError(m.c.t, json.Unmarshal(m.call("tools/list", map[string]any{}), &listed))
	var names []string
	for _, tool := range listed.Tools {
		names = append(names, tool.Name)
	}
	return names
}

// inProject is an input that names the project, and more.
func inProject(more map[string]any) map[string]any {
	input := map[string]any{"project_id": "{ref}"}
	for name, value := range more {
		input[name] = value
	}
	return input
}

var mcpCases = []clientCase{
	{name: "list_organizations", input: map[string]any{}, prints: "Tools"},
	{name: "get_organization", input: map[string]any{"id": "{org}"}, prints: "Tools"},
	{name: "list_projects", input: map[string]any{}, prints: "{ref}"},
	{name: "get_project", input: map[string]any{"id": "{ref}"}, prints: "ACTIVE_HEALTHY"},
	{name: "apply_migration", input: inProject(map[string]any{"name": "notes", "query": "create table notes (text text)"}), prints: "true"},
	{name: "list_migrations", input: inProject(nil), prints: "notes"},
	{name: "list_tables", input: inProject(map[string]any{"schemas": []string{"public"}}), prints: "notes"},
	{name: "list_extensions", input: inProject(nil), prints: "plpgsql"},
	{name: "execute_sql", input: inProject(map[string]any{"query": "select 41 + 1 as answer"}), prints: "42"},
	{
		name: "get_project_url", input: inProject(nil), prints: "https://{ref}.supabase.red",
		note: "The server makes the address itself, and of a platform of one's own it makes `https://<ref>.supabase.red`: use the one that Studio shows.",
	},
	{name: "get_publishable_keys", input: inProject(nil), prints: "anon"},
	{name: "get_advisors", input: inProject(map[string]any{"type": "security"}), prints: "rls_disabled_in_public"},
	{
		name: "query_logs", prints: "database system is ready",
		input: inProject(map[string]any{"sql": "select event_message from logs where source = 'postgres_logs' and event_message like '%ready%' limit 1"}),
		note:  "From what the containers printed.",
	},
	{
		name: "get_cost", input: map[string]any{"type": "project", "organization_id": "{org}"}, prints: `"amount":10`,
		note: "The server has Supabase's own prices by heart: nothing is billed here.",
	},
	{name: "confirm_cost", input: map[string]any{"type": "project", "recurrence": "monthly", "amount": 10}, prints: "confirmation_id", keep: "cost"},
	{
		name: "create_project", prints: "by-mcp",
		input: map[string]any{"name": "by-mcp", "region": "eu-central-1", "organization_id": "{org}", "confirm_cost_id": "{cost}"},
	},
	{
		name: "confirm_cost, of a branch", input: map[string]any{"type": "branch", "recurrence": "hourly", "amount": 0.01344},
		prints: "confirmation_id", keep: "cost",
	},
	{
		name: "create_branch", input: inProject(map[string]any{"name": "by-mcp", "confirm_cost_id": "{cost}"}), prints: "by-mcp", keep: "branch",
		note: "With the project's migrations, and without its data.",
	},
	{name: "list_branches", input: inProject(nil), prints: "by-mcp"},
	{name: "merge_branch", input: map[string]any{"branch_id": "{branch}"}, prints: "success", patient: true},
	{name: "rebase_branch", input: map[string]any{"branch_id": "{branch}"}, prints: "success", patient: true},
	{name: "reset_branch", input: map[string]any{"branch_id": "{branch}"}, prints: "success", patient: true},
	{name: "delete_branch", input: map[string]any{"branch_id": "{branch}"}, prints: "success"},
	{
		name: "list_storage_buckets", input: inProject(nil), prints: "This project runs without Storage",
		because: "The projects of `make run` are databases alone. With Storage its buckets are listed.",
	},
	{name: "get_storage_config", input: inProject(nil), prints: "fileSizeLimit"},
	{
		name: "update_storage_config", prints: "success",
		input: inProject(map[string]any{"config": map[string]any{
			"fileSizeLimit": 2000000, "features": map[string]any{"imageTransformation": map[string]any{"enabled": false}, "s3Protocol": map[string]any{"enabled": false}},
		}}),
	},
	{name: "generate_typescript_types", input: inProject(nil), prints: "notes"},
	{name: "deploy_edge_function", input: inProject(map[string]any{
		"name": "by-mcp", "entrypoint_path": "index.ts", "verify_jwt": true,
		"files": []map[string]any{{"name": "index.ts", "content": "Deno.serve(() => new Response('by mcp'))"}},
	}), prints: "by-mcp"},
	{name: "list_edge_functions", input: inProject(nil), prints: "by-mcp"},
	{name: "get_edge_function", input: inProject(map[string]any{"function_slug": "by-mcp"}), prints: "new Response('by mcp')"},
}

// readOnlyCases are asked of a server with --read-only.
var readOnlyCases = []clientCase{
	{name: "execute_sql --read-only", input: inProject(map[string]any{"query": "select 41 + 1 as answer"}), prints: "42"},
	{
		name: "execute_sql --read-only, to write", input: inProject(map[string]any{"query": "insert into notes values ('no')"}), prints: "read-only",
		because: "It must not: the SQL runs in a database role that can only read.",
	},
	{
		name: "execute_sql --read-only, to get out of the transaction", prints: "cannot insert multiple commands",
		input:   inProject(map[string]any{"query": "commit; set default_transaction_read_only = off; insert into notes values ('no')"}),
		because: "Likewise: it is one statement, of a role that has no right to write.",
	},
}

func (c *clients) runMCP() []result {
	token := c.platform.AccessToken()
	server := c.startMCP(token)
	results := c.askMCP(server, mcpCases)
	for _, tool := range server.tools() {
		if !slices.ContainsFunc(slices.Concat(mcpCases, mcpPausing), func(one clientCase) bool { return one.name == tool }) {
			results = append(results, result{"mcp", tool, "the server has it, and no case asks for it"})
		}
	}
	results = append(results, c.askMCP(c.startMCP(token, "--read-only"), readOnlyCases)...)
	_, said := server.tool("execute_sql", map[string]any{"project_id": c.ref, "query": "select count(*) as written from notes"})
	return append(results, clientCase{prints: `"written":0`}.check("mcp", "nothing was written by the server that only reads", true, said))
}

// answeredID finds the id of what a tool has made.
var answeredID = regexp.MustCompile(`"(?:confirmation_id|id)":\s*"([^"]+)"`)

// mcpPausing are asked last: nothing else can be done with the project then.
var mcpPausing = []clientCase{
	{name: "pause_project", input: inProject(nil), prints: ""},
	{name: "restore_project", input: inProject(nil), prints: ""},
}

func (c *clients) askMCP(server *mcp, cases []clientCase) []result {
	filled := []string{"{ref}", c.ref, "{org}", c.org}
	var results []result
	for _, one := range cases {
		encoded, err := json.Marshal(one.input)
		require.NoError(c.t, err)
		name, _, _ := strings.Cut(strings.ReplaceAll(one.name, ",", " "), " ")
		fill := strings.NewReplacer(filled...)
		input := json.RawMessage(fill.Replace(string(encoded)))
		worked, said := server.tool(name, input)
		for until := time.Now().Add(toolTimeout); one.patient && notYet.MatchString(said) && time.Now().Before(until); time.Sleep(time.Second) {
			worked, said = server.tool(name, input)
		}
		if found := answeredID.FindStringSubmatch(said); one.keep != "" && found != nil {
			filled = append([]string{"{" + one.keep + "}", found[1]}, filled...) // the last one of a name counts
		}
		one.prints = fill.Replace(one.prints)
		results = append(results, one.check("mcp", one.name, worked, said))
	}
	return results
}

var mcpErrors = []clientCase{
	{name: "list_projects, with a wrong token", input: map[string]any{}, prints: "Please provide a valid access token", because: "The server's own words."},
	{
		name: "execute_sql, with a token that may not", input: inProject(map[string]any{"query": "select 1"}), prints: "does not have the permission database_write",
		because: "The server hands on what the API says.",
	},
	{
		name: "list_tables, of a project that is not there", input: map[string]any{"project_id": aRefOfNobody, "schemas": []string{"public"}},
		prints: "Project not found", because: "The server hands on what the API says.",
	},
}

func (c *clients) runMCPErrors(given tokens) []result {
	return slices.Concat(c.askMCP(c.startMCP(given.wrong), mcpErrors[:1]), c.askMCP(c.startMCP(given.weak), mcpErrors[1:2]),
		c.askMCP(c.startMCP(c.platform.AccessToken()), mcpErrors[2:]))
}

var mcpPaused = []clientCase{{
	name: "execute_sql, of a project that is paused", input: inProject(map[string]any{"query": "select 1"}), prints: "the project is INACTIVE",
	because: "The server hands on what the API says.",
}}
