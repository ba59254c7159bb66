//go:build unix

package platform_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"
)

// cli makes and deletes a project with the official CLI, as the machine's administrator.
func (s *story) cli() {
	s.supabase("orgs", "create", "Tools", "--yes")
	var organizations []struct{ ID, Name string }
	s.decode(&organizations, "orgs", "list", "--output", "json")
	require.Len(s.t, organizations, 1)
	require.Equal(s.t, "Tools", organizations[0].Name)

	s.supabase("projects", "create", "made-by-cli", "--org-id", organizations[0].ID, "--db-password", "correct horse",
		"--region", "eu-central-1", "--yes")
	var projects []struct{ Ref, Name, Status string }
	s.eventually(func() bool {
		s.decode(&projects, "projects", "list", "--output", "json")
		require.Len(s.t, projects, 1)
		return projects[0].Status == "ACTIVE_HEALTHY"
	})
	require.Equal(s.t, "made-by-cli", projects[0].Name)
	stranger := s.send(http.MethodGet, "/api/platform/projects/"+projects[0].Ref, nil, "")
	require.Equal(s.t, http.StatusNotFound, stranger.status, "it is another person's")

	s.supabase("projects", "delete", projects[0].Ref, "--yes")
	s.eventually(func() bool {
		s.decode(&projects, "projects", "list", "--output", "json")
		return len(projects) == 0
	})
}

// supabase runs the CLI and returns what it printed.
func (s *story) supabase(arguments ...string) string {
	s.t.Helper()
	home := s.t.TempDir()
	command := exec.CommandContext(s.t.Context(), s.platform.CLI(), append([]string{"--profile", s.platform.ProfileFile()}, arguments...)...)
	command.Env = append(os.Environ(), "SUPABASE_ACCESS_TOKEN="+s.platform.AccessToken(), "HOME="+home, "DO_NOT_TRACK=1",
		"SUPABASE_TELEMETRY_DISABLED=1")
	command.Dir = home
	var problems strings.Builder
	command.Stderr = &problems
	output, err := command.Output()
	require.NoError(s.t, err, "supabase %s\n%s%s", strings.Join(arguments, " "), output, problems.String())
	return string(output)
}

func (s *story) decode(into any, arguments ...string) {
	s.t.Helper()
	output := s.supabase(arguments...)
	require.NoError(s.t, json.Unmarshal([]byte(output), into), output)
}

// sweep removes what a story that failed has left in Docker.
func (s *story) sweep() {
	// The test's own context has ended by now.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	mine := filters.NewArgs(filters.Arg("label", "io.plurabase.target="+s.target))
	containers, err := s.docker.ContainerList(ctx, container.ListOptions{All: true, Filters: mine})
	require.NoError(s.t, err)
	for _, one := range containers {
		require.NoError(s.t, s.docker.ContainerRemove(ctx, one.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	}
	networks, err := s.docker.NetworkList(ctx, network.ListOptions{Filters: mine})
	require.NoError(s.t, err)
	for _, one := range networks {
		require.NoError(s.t, s.docker.NetworkRemove(ctx, one.ID))
	}
	volumes, err := s.docker.VolumeList(ctx, volume.ListOptions{Filters: mine})
	require.NoError(s.t, err)
	for _, one := range volumes.Volumes {
		require.NoError(s.t, s.docker.VolumeRemove(ctx, one.Name, true))
	}
}
