//go:build unix

package platform_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/compose/local/machine"
	"github.com/plurabase/plurabase/compose/local/platform"
)

// TestStory goes the whole way on real parts: from somebody who signs in to a database of their own, and back to
// nothing. It closes with one line: `story: ok, N steps in N s`.
func TestStory(t *testing.T) {
	s := startStory(t)
	var slug, shop, blog string

	s.step("the first sign-in makes the profile", func() {
		profile := s.object(http.MethodGet, "/api/platform/profile", nil, http.StatusOK)
		require.Equal(t, "ada@example.com", profile["primary_email"])
	})
	s.step("an organization is created", func() {
		made := s.object(http.MethodPost, "/api/platform/organizations", map[string]any{"name": "Acme", "tier": "tier_free"}, http.StatusCreated)
		slug = made["slug"].(string)
	})
	s.step("a project comes up: COMING_UP, then ACTIVE_HEALTHY", func() {
		shop = s.createProject(slug, "shop")
		require.Equal(t, "COMING_UP", s.status(shop))
		s.become(shop, "ACTIVE_HEALTHY")
		s.printed(shop + " create 100%  succeeded")
	})
	s.step("a table is made and read back through postgres-meta", func() {
		s.query(shop, "create table greetings (text text)")
		s.query(shop, "insert into greetings values ('hello')")
		require.JSONEq(t, `[{"text":"hello"}]`, s.query(shop, "select text from greetings"))
	})
	s.step("it is the project's own Postgres that answers", func() {
		require.JSONEq(t, `[{"current_user":"postgres"}]`, s.query(shop, "select current_user"))
		require.Equal(t, s.query(shop, "select system_identifier::text from pg_control_system()"),
			s.inContainer(shop, "select json_agg(c) from (select system_identifier::text from pg_control_system()) c"))
	})
	s.step("a second project has its own data", func() {
		blog = s.createProject(slug, "blog")
		s.become(blog, "ACTIVE_HEALTHY")
		require.JSONEq(t, `[{"to_regclass":null}]`, s.query(blog, "select to_regclass('public.greetings')"))
	})
	s.step("a connection opens its own project alone, and none opens nothing", func() {
		for _, token := range []string{s.connection(shop), "", "postgresql://postgres@127.0.0.1/postgres"} {
			answer := s.send(http.MethodPost, "/api/platform/pg-meta/"+blog+"/query", map[string]any{"query": "select 1"}, token)
			require.Equal(t, http.StatusForbidden, answer.status, string(answer.body))
		}
	})
	s.step("a killed plugin comes back", func() {
		s.kill(platform.PgMetaCrypto)
		s.kill(platform.PlatformAPI)
		s.eventually(func() bool { return s.status(shop) == "ACTIVE_HEALTHY" && s.canQuery(shop) })
	})
	s.step("a killed postgres-meta comes back", func() {
		s.kill(platform.PostgresMeta)
		s.eventually(func() bool { return s.canQuery(shop) })
	})
	s.step("a killed provisioner goes on where it was", func() {
		third := s.createProject(slug, "third")
		s.eventually(func() bool { return len(s.left(third)) > 0 })
		s.kill(platform.Provisioner)
		s.become(third, "ACTIVE_HEALTHY")
		s.remove(third)
		s.kill(platform.Provisioner)
		s.gone(third)
	})
	s.step("pause stops the project and keeps its data, restore brings it back", func() {
		s.expect(http.MethodPost, "/api/platform/projects/"+shop+"/pause", nil, http.StatusCreated)
		s.become(shop, "INACTIVE")
		answer := s.send(http.MethodGet, "/api/platform/projects/"+shop, nil, "")
		require.Contains(t, string(answer.body), `"connectionString":null`)
		s.expect(http.MethodPost, "/api/platform/projects/"+shop+"/restore", map[string]any{}, http.StatusOK)
		s.become(shop, "ACTIVE_HEALTHY")
		require.JSONEq(t, `[{"text":"hello"}]`, s.query(shop, "select text from greetings"))
	})
	s.step("the official CLI does the same", s.cli)
	s.step("deleted projects are gone, and leave nothing", func() {
		for _, ref := range []string{shop, blog} {
			s.remove(ref)
		}
		for _, ref := range []string{shop, blog} {
			s.gone(ref)
		}
		require.Empty(t, s.left(""))
	})
	fmt.Printf("story: ok, %d steps in %.0f s\n", s.steps, time.Since(s.began).Seconds())
}

// patience is how long anything may take: a slow machine pulls no image here, but starts Postgres from nothing.
const patience = 3 * time.Minute

// story is a platform, and somebody who uses it.
type story struct {
	t        *testing.T
	platform *platform.Platform
	docker   *client.Client
	target   string
	session  string
	console  *bufio.Scanner // what `make run` would print of operations
	steps    int
	began    time.Time
}

// printed waits until a line of the console ends so.
func (s *story) printed(end string) {
	s.t.Helper()
	for s.console.Scan() {
		if strings.HasSuffix(s.console.Text(), end) {
			return
		}
	}
	s.t.Fatalf("nothing was printed that ends with %q", end)
}

func startStory(t *testing.T) *story { return startStoryOn(t, "") }

// startStoryOn has one Postgres port for every project, too.
func startStoryOn(t *testing.T, postgres string) *story {
	t.Helper()
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	image := os.Getenv("PLURABASE_POSTGRES_IMAGE")
	if image == "" {
		image = machine.DebianImage
	}
	m, err := machine.Prepare(t.Context(), machine.Options{
		Root: root, Dir: filepath.Join(root, ".run"), PostgresImage: image, Progress: machine.NewProgress(os.Stdout),
	})
	require.NoError(t, err)
	t.Cleanup(m.Close)
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	t.Cleanup(func() { _ = docker.Close() })

	s := &story{t: t, docker: docker, target: "story-" + strings.ToLower(uuid.NewString()[:8]), began: time.Now()}
	folder := s.folder()
	log, err := os.Create(filepath.Join(folder, "gateway.log"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	s.platform, err = platform.Start(t.Context(), platform.Options{
		Machine: m, Root: root, Dir: folder, Listen: "127.0.0.1:0", Postgres: postgres, Target: s.target,
		Provisioner: map[string]string{
			"PLURABASE_RESYNC": "1s", "PLURABASE_LEASE": "4s",
			// Apart from other platforms on this machine, and from what a killed Docker Engine may have left.
			"PLURABASE_SUBNET_POOL": fmt.Sprintf("10.%d.%d.0/22", 214+rand.N(20), 4*rand.N(64)), // three tools make projects at once
		},
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.platform.Close())
		s.sweep()
	})
	reader, console := io.Pipe()
	s.console = bufio.NewScanner(reader)
	followed := make(chan error, 1)
	go func() { followed <- s.platform.Follow(t.Context(), console) }()
	t.Cleanup(func() {
		_ = reader.Close()
		require.NoError(t, <-followed)
	})
	s.session, err = jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": uuid.NewString(), "email": "ada@example.com", "aud": "authenticated", "role": "authenticated",
		"exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString([]byte(s.platform.JWTSecret()))
	require.NoError(t, err)
	return s
}

// folder is a run folder with a short path: a socket's is at most 107 bytes long.
func (s *story) folder() string {
	folder, err := os.MkdirTemp("", "story")
	require.NoError(s.t, err)
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("the programs' logs are in %s", folder)
			return
		}
		require.NoError(s.t, os.RemoveAll(folder))
	})
	return folder
}

func (s *story) step(name string, do func()) {
	began := time.Now()
	fmt.Printf("  … %s\n", name)
	do()
	s.steps++
	fmt.Printf("  ✓ %s (%.1f s)\n", name, time.Since(began).Seconds())
}

type answer struct {
	status int
	body   []byte
}

func (s *story) send(method, path string, body any, connection string) answer {
	s.t.Helper()
	encoded, err := json.Marshal(body)
	require.NoError(s.t, err)
	if body == nil {
		encoded = nil
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.platform.URL()+path, strings.NewReader(string(encoded)))
	require.NoError(s.t, err)
	request.Header.Set("Authorization", "Bearer "+s.session)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Request-Id", uuid.NewString())
	if connection != "" {
		request.Header.Set("X-Connection-Encrypted", connection)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{0, []byte(err.Error())}
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{0, []byte(err.Error())}
	}
	return answer{response.StatusCode, read}
}

func (s *story) expect(method, path string, body any, status int) answer {
	s.t.Helper()
	got := s.send(method, path, body, "")
	require.Equal(s.t, status, got.status, "%s %s: %s", method, path, got.body)
	return got
}

func (s *story) object(method, path string, body any, status int) map[string]any {
	s.t.Helper()
	decoded := map[string]any{}
	require.NoError(s.t, json.Unmarshal(s.expect(method, path, body, status).body, &decoded))
	return decoded
}

func (s *story) createProject(slug, name string) string {
	s.t.Helper()
	made := s.object(http.MethodPost, "/api/platform/projects", map[string]any{
		"organization_slug": slug, "name": name, "db_pass": "correct horse; battery 'staple'", "cloud_provider": "AWS",
		"db_region": "Southeast Asia (Singapore)",
	}, http.StatusCreated)
	return made["ref"].(string)
}

func (s *story) status(ref string) string {
	s.t.Helper()
	var decoded struct{ Status string }
	_ = json.Unmarshal(s.send(http.MethodGet, "/api/platform/projects/"+ref+"/status", nil, "").body, &decoded)
	return decoded.Status
}

func (s *story) become(ref, status string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.status(ref) == status }, patience, 200*time.Millisecond,
		"%s is %s and does not become %s", ref, s.status(ref), status)
}

func (s *story) eventually(holds func() bool) {
	s.t.Helper()
	require.Eventually(s.t, holds, patience, 100*time.Millisecond)
}

// connection is the token that Studio would hold for a project.
func (s *story) connection(ref string) string {
	s.t.Helper()
	token, _ := s.object(http.MethodGet, "/api/platform/projects/"+ref, nil, http.StatusOK)["connectionString"].(string)
	require.NotEmpty(s.t, token)
	return token
}

func (s *story) query(ref, sql string) string {
	s.t.Helper()
	got := s.send(http.MethodPost, "/api/platform/pg-meta/"+ref+"/query", map[string]any{"query": sql}, s.connection(ref))
	require.Equal(s.t, http.StatusOK, got.status, string(got.body))
	return string(got.body)
}

func (s *story) canQuery(ref string) bool {
	detail := s.send(http.MethodGet, "/api/platform/projects/"+ref, nil, "")
	var decoded struct{ ConnectionString string }
	_ = json.Unmarshal(detail.body, &decoded)
	got := s.send(http.MethodPost, "/api/platform/pg-meta/"+ref+"/query", map[string]any{"query": "select 1"}, decoded.ConnectionString)
	return got.status == http.StatusOK
}

// inContainer asks the project's container itself, past everything that is under test.
func (s *story) inContainer(ref, sql string) string {
	s.t.Helper()
	output, err := exec.CommandContext(s.t.Context(), "docker", "exec", "-e", "PGPASSWORD=correct horse; battery 'staple'",
		"plurabase-"+ref+"-db", "psql", "-h", "127.0.0.1", "-U", "postgres", "-d", "postgres", "-At", "-c", sql).Output()
	require.NoError(s.t, err)
	return strings.TrimSpace(string(output))
}

func (s *story) kill(program string) {
	s.t.Helper()
	var pid int
	s.eventually(func() (running bool) {
		pid, running = s.platform.PID(program)
		return running
	})
	require.NoError(s.t, syscall.Kill(pid, syscall.SIGKILL))
}

func (s *story) remove(ref string) {
	s.t.Helper()
	s.expect(http.MethodDelete, "/api/platform/projects/"+ref, nil, http.StatusOK)
}

func (s *story) gone(ref string) {
	s.t.Helper()
	s.eventually(func() bool {
		return s.send(http.MethodGet, "/api/platform/projects/"+ref, nil, "").status == http.StatusNotFound
	})
	require.Empty(s.t, s.left(ref))
}

// left lists what Docker has of a project of this story, or of all of them.
func (s *story) left(ref string) []string {
	s.t.Helper()
	mine := filters.NewArgs(filters.Arg("label", "io.plurabase.target="+s.target))
	if ref != "" {
		mine.Add("label", "io.plurabase.project="+ref)
	}
	var names []string
	containers, err := s.docker.ContainerList(s.t.Context(), container.ListOptions{All: true, Filters: mine})
	require.NoError(s.t, err)
	for _, one := range containers {
		names = append(names, "container "+one.ID)
	}
	networks, err := s.docker.NetworkList(s.t.Context(), network.ListOptions{Filters: mine})
	require.NoError(s.t, err)
	for _, one := range networks {
		names = append(names, "network "+one.ID)
	}
	volumes, err := s.docker.VolumeList(s.t.Context(), volume.ListOptions{Filters: mine})
	require.NoError(s.t, err)
	for _, one := range volumes.Volumes {
		names = append(names, "volume "+one.Name)
	}
	return names
}
