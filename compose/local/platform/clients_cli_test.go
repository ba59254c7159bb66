//go:build unix

package platform_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// cli is one generation of the supabase CLI, with a folder to work in.
type cli struct {
	version int
	program string
	folder  string
	token   string
	kept    string // the ref of a project that it made
	hosts   string // the file that it has in the place of /etc/hosts; empty: none
}

func (c *clients) cli3() *cli { return c.newCLI(3, c.platform.CLI()) }

func (c *clients) cli2() *cli { return c.newCLI(2, filepath.Join(c.modules, ".bin", "supabase")) }

// configTOML differs from what a project has until somebody changes it in all that `config push` knows to change.
const configTOML = `project_id = "shop"
[functions.hello%d]
verify_jwt = false
[api]
max_rows = 77
[db.settings]
work_mem = "8MB"
[db.network_restrictions]
enabled = true
allowed_cidrs = ["192.0.2.0/24"]
allowed_cidrs_v6 = []
[auth]
site_url = "https://shop.example"
[storage]
file_size_limit = "5MiB"
`

// newCLI makes a folder with a migration and two functions.
func (c *clients) newCLI(version int, program string) *cli {
	c.t.Helper()
	one := &cli{version: version, program: program, folder: c.t.TempDir(), token: c.platform.AccessToken()}
	for path, content := range map[string]string{
		"supabase/config.toml": fmt.Sprintf(configTOML, version),
		fmt.Sprintf("supabase/functions/hello%d/index.ts", version):           "import { greet } from '../_shared/greet.ts'\nDeno.serve(() => new Response(greet()))\n",
		"supabase/functions/_shared/greet.ts":                                 "export const greet = () => 'hello'\n",
		fmt.Sprintf("supabase/functions/bye%d/index.ts", version):             "Deno.serve(() => new Response('bye'))\n",
		fmt.Sprintf("supabase/migrations/2026030112000%d_books.sql", version): fmt.Sprintf("create table books%d (title text);\n", version),
		"supabase/.env": "FROM_FILE=yes\n",
	} {
		file := filepath.Join(one.folder, path)
		require.NoError(c.t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(c.t, os.WriteFile(file, []byte(content), 0o600))
	}
	if c.linked {
		known, err := os.ReadFile("/etc/hosts")
		require.NoError(c.t, err)
		one.hosts = filepath.Join(one.folder, "hosts")
		require.NoError(c.t, os.WriteFile(one.hosts, fmt.Appendf(known, "\n127.0.0.1 db.%s.localhost\n", c.ref), 0o600))
	}
	return one
}

// run runs the CLI, and returns what it printed.
func (c *clients) run(one *cli, arguments ...string) (worked bool, said string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), toolTimeout)
	defer cancel()
	line := append([]string{one.program, "--profile", c.platform.ProfileFile()}, arguments...)
	if one.hosts != "" {
		line = append([]string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, one.hosts}, line...)
	}
	command := exec.CommandContext(ctx, line[0], line[1:]...)
	command.Dir = one.folder
	command.Env = append(os.Environ(), "SUPABASE_ACCESS_TOKEN="+one.token, "HOME="+one.folder, "DO_NOT_TRACK=1",
		"SUPABASE_TELEMETRY_DISABLED=1", "DOCKER_HOST=unix:///nowhere.sock", "NO_COLOR=1")
	output, err := command.CombinedOutput()
	return err == nil, string(output)
}

// fill puts what this run made into a case's arguments, in this CLI's own words.
func (c *clients) fill(one *cli, arguments []string) []string {
	remote, byURL := []string{"--project-ref", c.ref}, "--db-url"
	linked := []string{"--linked", "--project-ref", c.ref}
	if one.version == 3 {
		remote, byURL, linked = []string{"--remote=" + c.ref}, "--remote", []string{"--remote=" + c.ref}
	}
	var filled []string
	for _, argument := range arguments {
		switch argument {
		case "{remote}":
			filled = append(filled, remote...)
		case "{database}":
			filled = append(filled, byURL+"=postgresql://postgres:correct%20horse%3B%20battery%20%27staple%27@127.0.0.1:"+c.databasePort()+
				"/postgres?sslmode=disable")
		case "{linked}":
			filled = append(filled, linked...)
		case "{types}":
			if one.version == 3 {
				filled = append(filled, "--remote="+c.ref)
			} else {
				filled = append(filled, "--project-id", c.ref)
			}
		default:
			filled = append(filled, c.words(one).Replace(argument))
		}
	}
	return append(filled, "--yes")
}

func (c *clients) runCLI3() []result { return c.runCLIInProject(c.cli3()) }

func (c *clients) runCLI2() []result { return c.runCLIInProject(c.cli2()) }

// runCLIInProject asks a CLI everything, of a project with a snippet.
func (c *clients) runCLIInProject(one *cli) []result {
	snippet := c.words(one).Replace(aSnippet)
	c.expect(http.MethodPut, "/api/platform/projects/"+c.ref+"/content", map[string]any{
		"id": snippet, "type": "sql", "name": "All books", "visibility": "user", "owner_id": 1, "description": "",
		"content": map[string]any{"content_id": snippet, "schema_version": "1.0", "sql": "select title from books", "favorite": false},
	}, http.StatusOK)
	return append([]result{c.loginByBrowser(one)}, c.runCLI(one, cliCases)...)
}

// loginCases are what takes somebody in a browser.
var loginCases = []clientCase{{
	name: "supabase login", prints: "You are now logged in",
	note: "The link that it prints leads to Supabase's own dashboard: put your Studio's address in the place of `https://supabase.com`.",
}}

var loginLink = regexp.MustCompile(`cli/login\?session_id=([0-9a-f-]+)&token_name=([^&]+)&public_key=([0-9a-f]+)`)

// loginByBrowser is somebody at a terminal, who opens the link in Studio and types the code that it shows.
func (c *clients) loginByBrowser(one *cli) result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), toolTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, one.program, "--profile", c.platform.ProfileFile(), "login", "--no-browser", "--name", "laptop")
	command.Dir = one.folder
	command.Env = append(os.Environ(), "SUPABASE_ACCESS_TOKEN=", "HOME="+c.t.TempDir(), "DO_NOT_TRACK=1", "SUPABASE_TELEMETRY_DISABLED=1", "NO_COLOR=1")
	terminal, err := pty.StartWithSize(command, &pty.Winsize{Rows: 24, Cols: 500}) // without one, a line has no room for a word
	require.NoError(c.t, err)
	defer func() { _ = terminal.Close() }()
	var said strings.Builder
	typed := false
	for buffer := make([]byte, 4<<10); ; {
		n, err := terminal.Read(buffer)
		said.Write(buffer[:n])
		if err != nil { // the terminal is gone with the CLI
			break
		}
		link := loginLink.FindStringSubmatch(said.String())
		if link == nil || typed || !strings.Contains(said.String(), "verification code") { // what is typed before it asks may be lost
			continue
		}
		typed = true
		made := c.object(http.MethodPost, "/api/platform/cli/login", map[string]any{
			"session_id": link[1], "token_name": link[2], "public_key": link[3],
		}, http.StatusCreated)
		_, err = terminal.WriteString(made["nonce"].(string)[:8] + "\r") // what Studio shows
		require.NoError(c.t, err)
	}
	worked := command.Wait() == nil
	return loginCases[0].check("cli", fmt.Sprintf("%s (CLI %d)", loginCases[0].name, one.version), worked, said.String())
}

func (c *clients) runCLI(one *cli, cases []clientCase) []result {
	var results []result
	for _, each := range cases {
		if each.only != 0 && each.only != one.version || slices.Contains(each.arguments, "{linked}") && each.because == "" && !c.linked {
			continue
		}
		worked, said := c.run(one, c.fill(one, each.arguments)...)
		if each.keep != "" {
			one.kept = c.newRef(said)
		}
		expected := each
		expected.prints = c.words(one).Replace(each.prints)
		results = append(results, expected.check("cli", fmt.Sprintf("%s (CLI %d)", each.name, one.version), worked, said))
	}
	return results
}

// words are what stands in cases for what is known only now.
func (c *clients) words(one *cli) *strings.Replacer {
	return strings.NewReplacer("{ref}", c.ref, "{org}", c.org, "{version}", strconv.Itoa(one.version), "{token}", one.token, "{folder}", one.folder,
		"{made}", one.kept)
}

var aRef = regexp.MustCompile(`\b[a-z]{20}\b`)

// newRef finds the ref of a project that was just made in what was said of it.
func (c *clients) newRef(said string) string {
	for _, ref := range aRef.FindAllString(said, -1) {
		if ref != c.org && ref != c.ref {
			return ref
		}
	}
	return ""
}

// databasePort is where the project's own Postgres listens on this machine.
func (c *clients) databasePort() string {
	output, err := exec.CommandContext(c.t.Context(), "docker", "port", "plurabase-"+c.ref+"-db", "5432/tcp").Output()
	require.NoError(c.t, err)
	address := strings.TrimSpace(strings.Split(string(output), "\n")[0])
	return address[strings.LastIndexByte(address, ':')+1:]
}

// cliCases are asked of both generations, in this order.
var cliCases = []clientCase{
	{name: "supabase login --token", arguments: []string{"login", "--token", "{token}"}, prints: "You are now logged in"},
	{name: "supabase whoami", arguments: []string{"whoami"}, prints: "admin@localhost"},
	{name: "supabase orgs create", arguments: []string{"orgs", "create", "By CLI {version}"}, prints: "Created organization"},
	{name: "supabase orgs list", arguments: []string{"orgs", "list"}, prints: "By CLI {version}"},
	{
		name: "supabase projects create", prints: "by-cli-{version}", keep: "made",
		arguments: []string{"projects", "create", "by-cli-{version}", "--org-id", "{org}", "--db-password", "correct horse", "--region", "eu-central-1"},
		note:      "The link that it prints is one of Supabase's own dashboard.",
	},
	{name: "supabase projects list", arguments: []string{"projects", "list"}, prints: "{made}"},
	{name: "supabase projects delete", arguments: []string{"projects", "delete", "{made}"}, prints: "Deleted project"},
	{name: "supabase projects api-keys", arguments: []string{"projects", "api-keys", "{remote}"}, prints: "service_role"},
	{name: "supabase link", arguments: []string{"link", "--project-ref", "{ref}"}, prints: "Finished supabase link"},
	{name: "supabase db query", arguments: []string{"db", "query", "select 41 + 1 as answer", "{remote}"}, prints: "42", only: 3},
	{name: "supabase db query <by URL>", arguments: []string{"db", "query", "select 41 + 1 as answer", "{database}"}, prints: "42"},
	{name: "supabase db push <by URL>", arguments: []string{"db", "push", "{database}"}, prints: "books.sql"},
	{name: "supabase migration list <by URL>", arguments: []string{"migration", "list", "{database}"}, prints: "2026030112000{version}"},
	{name: "supabase migration fetch <by URL>", arguments: []string{"migration", "fetch", "{database}"}, prints: ""},
	{
		name: "supabase migration repair <by URL>, reverted", prints: "2026030112000{version}",
		arguments: []string{"migration", "repair", "--status", "reverted", "2026030112000{version}", "{database}"},
	},
	{
		name: "supabase migration repair <by URL>, applied", prints: "2026030112000{version}",
		arguments: []string{"migration", "repair", "--status", "applied", "2026030112000{version}", "{database}"},
	},
	{name: "supabase migration up <by URL>", arguments: []string{"migration", "up", "{database}"}, prints: "database is up to date"},
	{name: "supabase db reset <by URL>", arguments: []string{"db", "reset", "{database}"}, prints: "Applying migration 2026030112000{version}_books.sql"},
	{name: "supabase migration list --linked", arguments: []string{"migration", "list", "{linked}"}, prints: "2026030112000{version}"},
	{name: "supabase db push --linked", arguments: []string{"db", "push", "{linked}"}, prints: "database is up to date"},
	{name: "supabase migration up --linked", arguments: []string{"migration", "up", "{linked}"}, prints: "database is up to date"},
	{name: "supabase db reset --linked", arguments: []string{"db", "reset", "{linked}"}, prints: "Applying migration 2026030112000{version}_books.sql"},
	{name: "supabase db advisors <by URL>", arguments: []string{"db", "advisors", "{database}"}, prints: "public_books{version}"},
	{
		name: "supabase db dump <by URL>", arguments: []string{"db", "dump", "{database}"}, prints: "failed to inspect docker image",
		because: needsDocker,
	},
	{
		name: "supabase db pull <by URL>", arguments: []string{"db", "pull", "{database}"}, prints: "failed to inspect docker image",
		because: needsDocker,
	},
	{
		name: "supabase db diff <by URL>", arguments: []string{"db", "diff", "{database}"}, prints: "failed to inspect docker image",
		because: needsDocker,
	},
	{name: "supabase gen types typescript", arguments: []string{"gen", "types", "typescript", "{types}"}, prints: "books{version}"},
	{name: "supabase inspect report <by URL>", arguments: []string{"inspect", "report", "{database}"}, prints: "No inactive replication slots"},
	{name: "supabase inspect db db-stats <by URL>", arguments: []string{"inspect", "db", "db-stats", "{database}"}, prints: "Database Size"},
	{name: "supabase inspect db table-stats <by URL>", arguments: []string{"inspect", "db", "table-stats", "{database}"}, prints: "books{version}"},
	{name: "supabase secrets set", arguments: []string{"secrets", "set", "STRIPE_KEY_{version}=sk_1", "{remote}"}, prints: "Finished supabase secrets set"},
	{name: "supabase secrets list", arguments: []string{"secrets", "list", "{remote}"}, prints: "STRIPE_KEY_{version}"},
	{name: "supabase secrets unset", arguments: []string{"secrets", "unset", "STRIPE_KEY_{version}", "{remote}"}, prints: "Finished supabase secrets unset"},
	{
		name: "supabase functions deploy --use-api", prints: "Deployed Functions",
		arguments: []string{"functions", "deploy", "hello{version}", "--use-api", "{remote}"},
	},
	{
		name: "supabase functions deploy --use-api, several at once", prints: "hello{version}, bye{version}",
		arguments: []string{"functions", "deploy", "hello{version}", "bye{version}", "--use-api", "{remote}"},
	},
	{name: "supabase functions list", arguments: []string{"functions", "list", "{remote}"}, prints: "bye{version}"},
	{
		name: "supabase functions download --use-api", prints: "{folder}/supabase/functions/_shared/greet.ts",
		arguments: []string{"functions", "download", "hello{version}", "--use-api", "{remote}"},
	},
	{name: "supabase functions delete", arguments: []string{"functions", "delete", "bye{version}", "{remote}"}, prints: "Deleted Function bye{version}"},
	{name: "supabase snippets list", arguments: []string{"snippets", "list", "{remote}"}, prints: "All books"},
	{name: "supabase snippets download", arguments: []string{"snippets", "download", aSnippet, "{remote}"}, prints: "select title from books"},
	{
		name: "supabase logs --service postgres", arguments: []string{"logs", "--service", "postgres", "{remote}", "--output-format", "text"}, only: 3,
		prints: "LOG:", note: "From what the containers printed.",
	},
	{name: "supabase config diff", arguments: []string{"config", "diff", "{remote}"}, prints: "api.max_rows [update]"},
	{name: "supabase config push", arguments: []string{"config", "push", "{remote}"}, prints: "api.max_rows [update]"},
	{
		name: "supabase config pull", arguments: []string{"config", "pull", "{remote}"}, prints: "changes written",
		note: "What it could not write before the push is the same on both sides by then.",
	},
	{name: "supabase network-restrictions get", arguments: []string{"network-restrictions", "get", "--experimental", "{remote}"}, prints: "&[192.0.2.0/24]"},
	{
		name: "supabase network-restrictions update", prints: "&[198.51.100.0/24]",
		arguments: []string{"network-restrictions", "update", "--db-allow-cidr", "198.51.100.0/24", "--experimental", "{remote}"},
	},
	{name: "supabase network-bans get", arguments: []string{"network-bans", "get", "--experimental", "{remote}"}, prints: "DB banned IPs:"},
	{
		name: "supabase network-bans remove", prints: "Successfully removed network bans",
		arguments: []string{"network-bans", "remove", "--db-unban-ip", "192.0.2.1", "--experimental", "{remote}"},
	},
	{name: "supabase ssl-enforcement get", arguments: []string{"ssl-enforcement", "get", "--experimental", "{remote}"}, prints: "SSL is *NOT* being enforced"},
	{
		name: "supabase ssl-enforcement update", arguments: []string{"ssl-enforcement", "update", "--enable-db-ssl-enforcement", "--experimental", "{remote}"},
		prints: "SSL is being enforced",
	},
	{
		name: "supabase ssl-enforcement update --disable-db-ssl-enforcement", prints: "SSL is *NOT* being enforced",
		arguments: []string{"ssl-enforcement", "update", "--disable-db-ssl-enforcement", "--experimental", "{remote}"},
	},
	{
		name: "supabase vanity-subdomains check-availability", prints: "Subdomain shop{version} available: true",
		arguments: []string{"vanity-subdomains", "check-availability", "--desired-subdomain", "shop{version}", "--experimental", "{remote}"},
	},
	{
		name: "supabase vanity-subdomains activate", prints: "shop{version}.localhost",
		arguments: []string{"vanity-subdomains", "activate", "--desired-subdomain", "shop{version}", "--experimental", "{remote}"},
	},
	{name: "supabase vanity-subdomains get", arguments: []string{"vanity-subdomains", "get", "--experimental", "{remote}"}, prints: "Status: active"},
	{name: "supabase vanity-subdomains delete", arguments: []string{"vanity-subdomains", "delete", "--experimental", "{remote}"}, prints: "Deleted vanity subdomain"},
	{
		name: "supabase domains get", arguments: []string{"domains", "get", "{remote}"}, prints: "The project has no custom hostname configuration",
		because: "Until one was set: the platform says so.",
	},
	{
		name: "supabase domains create", arguments: []string{"domains", "create", "--custom-hostname", "api.shop.example", "{remote}"},
		prints:  "to have a CNAME record pointing to your project at '{ref}.localhost.'",
		because: "The CLI asks a public DNS server for the CNAME first, which a name of this machine cannot have. It works for a name of the public DNS.",
	},
	{name: "supabase branches create", arguments: []string{"branches", "create", "feature{version}", "{remote}"}, prints: "feature"},
	{name: "supabase branches list", arguments: []string{"branches", "list", "{remote}"}, prints: "feature"},
	{name: "supabase branches get", arguments: []string{"branches", "get", "feature{version}", "{remote}"}, prints: "JWT SECRET"},
	{name: "supabase branches update", arguments: []string{"branches", "update", "feature{version}", "--name", "renamed{version}", "{remote}"}, prints: "renamed"},
	{
		name: "supabase branches disable", arguments: []string{"branches", "disable", "{remote}"}, prints: "delete them first",
		because: "It works once no branch is left.",
	},
	{name: "supabase branches delete", arguments: []string{"branches", "delete", "renamed{version}", "{remote}"}, prints: "Deleted"},
	{name: "supabase backups list", arguments: []string{"backups", "list", "{remote}"}, prints: "EARLIEST TIMESTAMP", note: "The CLI shows recovery to a point in time, which is not offered; Studio and the API list the backups."},
	{
		name: "supabase backups restore", arguments: []string{"backups", "restore", "--timestamp", "1700000000", "{remote}"},
		prints: "no backup that was made before this one", because: "The last backup before the time is taken; there is none here.",
	},
	{
		name: "supabase sso list", arguments: []string{"sso", "list", "{remote}"}, prints: "This project runs without Auth",
		because: "The projects of `make run` are databases alone. With Auth its providers are listed.",
	},
	{
		name: "supabase encryption get-root-key", arguments: []string{"encryption", "get-root-key", "--experimental", "{remote}"},
		prints: "stays inside the project's database", because: "The root key of pgsodium stays inside the project's database.",
	},
	{
		name: "supabase storage ls", arguments: []string{"storage", "ls", "--experimental", "{linked}"}, prints: "https://{ref}.localhost/storage/v1/bucket",
		because: "The CLI dials `https://<ref>.<project host>` at port 443, which `make run` has not. It works where the projects are served there.",
	},
	{
		name: "supabase postgres-config update", prints: "33s",
		arguments: []string{"postgres-config", "update", "--config", "statement_timeout=33s", "--experimental", "{remote}"},
	},
	{name: "supabase postgres-config get", arguments: []string{"postgres-config", "get", "--experimental", "{remote}"}, prints: "33s"},
	{
		name: "supabase postgres-config delete", prints: "End of Custom Postgres Config",
		arguments: []string{"postgres-config", "delete", "--config", "statement_timeout", "--experimental", "{remote}"},
	},
}

const needsDocker = "The CLI runs pg_dump and Postgres in containers of its own: it works where the CLI has Docker, and can pull its images."

const (
	aRefOfNobody = "aaaaaaaaaaaaaaaaaaaa"
	aSnippet     = "5b8f1f0e-6f5d-4a0e-9a55-0d9b1c7b6a0{version}"
)

var cliErrors = []clientCase{
	{
		name: "supabase projects list, with a wrong token", arguments: []string{"projects", "list"},
		prints: "Invalid or expired token", because: "The CLI prints what the API says: Invalid or expired token. Sign in again.",
	},
	{
		name: "supabase functions list, with a token that may not", arguments: []string{"functions", "list", "{ref}"},
		prints: "does not have the permission edge_functions_read", because: "The CLI prints what the API says.",
	},
	{
		name: "supabase functions list, of a project that is not there", arguments: []string{"functions", "list", "{nobody}"},
		prints: "Project not found", because: "The CLI prints what the API says: Project not found.",
	},
}

func (c *clients) runCLIErrors(given tokens) []result {
	var results []result
	for _, one := range []*cli{c.cli3(), c.cli2()} {
		flag := "--project-ref="
		if one.version == 3 {
			flag = "--remote="
		}
		for i, each := range cliErrors {
			tried := *one
			switch i {
			case 0:
				tried.token = given.wrong
			case 1:
				tried.token = given.weak
			}
			arguments := slices.Clone(each.arguments)
			for j := range arguments {
				arguments[j] = strings.NewReplacer("{nobody}", flag+aRefOfNobody, "{ref}", flag+c.ref).Replace(arguments[j])
			}
			worked, said := c.run(&tried, arguments...)
			results = append(results, each.check("cli", fmt.Sprintf("%s (CLI %d)", each.name, one.version), worked, said))
		}
	}
	return results
}

// pausedCases are asked of the project when it is paused.
var pausedCases = []clientCase{
	{
		name: "supabase gen types typescript, of a project that is paused", arguments: []string{"gen", "types", "typescript", "{types}"},
		prints: "the project is INACTIVE", because: "The CLI prints what the API says.",
	},
}

func (c *clients) runPaused() []result {
	return append(c.runCLI(c.cli3(), pausedCases), c.runCLI(c.cli2(), pausedCases)...)
}
