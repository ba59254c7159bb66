package stack_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	password         = `s3cret'"\`
	readOnlyPassword = "s3cret-read-only"
	jwtSecret        = "s3cret-jwt"
)

func wanted() stack.Wanted {
	return stack.Wanted{
		Project: store.Project{
			Ref: "abcdefghijklmnopqrst", Target: "local", ComputeSize: "ci_small", Services: []string{"db"},
			Desired: store.DesiredActive, Generation: 7,
		},
		RestartedAt: map[string]int64{"": 5, "db": 4},
		Secrets: store.Secrets{
			store.SecretDatabasePassword: password, store.SecretReadOnlyPassword: readOnlyPassword, store.SecretJWT: jwtSecret,
		},
		Allotment: stack.Allotment{Subnet: netip.MustParsePrefix("10.213.0.32/27"), DatabasePort: 25001},
	}
}

func settings() stack.Settings {
	return stack.Settings{
		PostgresImage: "supabase/postgres:17.6.1.132", Address: stack.AddressNetwork,
		Bind: netip.MustParseAddr("127.0.0.1"), Shared: []string{"kong", "postgres-meta"},
	}
}

func TestTheStackOfAProject(t *testing.T) {
	t.Parallel()
	inactive, removed := wanted(), wanted()
	inactive.Project.Desired = store.DesiredInactive
	removed.Project.Desired = store.DesiredRemoved
	for name, one := range map[string]stack.Wanted{"active": wanted(), "inactive": inactive, "removed": removed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			built, err := stack.Build(one, settings())
			require.NoError(t, err)
			got, err := json.MarshalIndent(built, "", "  ")
			require.NoError(t, err)
			path := filepath.Join("testdata", name+".json")
			if *update {
				require.NoError(t, os.WriteFile(path, append(got, '\n'), 0o600))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got)+"\n")
		})
	}
}

func TestSecretsAreOnlyWhereTheyAreNeeded(t *testing.T) {
	t.Parallel()
	built, err := stack.Build(wanted(), settings())
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", built, built, built), "s3cret", "nothing prints a secret")

	database := built.Service(stack.DatabaseService)
	require.Equal(t, stack.Env{"POSTGRES_HOST": "/var/run/postgresql", "POSTGRES_PASSWORD": password}, database.Env)
	for _, command := range []stack.Command{built.Database.Inspect, built.Database.Setup} {
		require.NotContains(t, strings.Join(command.Args, " "), "s3cret", "a process list shows the arguments")
		require.Equal(t, password, command.Env["PGPASSWORD"])
	}
}

func TestTheConfigHashChangesWithTheConfiguration(t *testing.T) {
	t.Parallel()
	hash := func(change func(*stack.Wanted, *stack.Settings)) string {
		one, with := wanted(), settings()
		change(&one, &with)
		built, err := stack.Build(one, with)
		require.NoError(t, err)
		return built.Service(stack.DatabaseService).Labels[stack.LabelConfigHash]
	}
	same := hash(func(*stack.Wanted, *stack.Settings) {})
	require.Equal(t, same, hash(func(w *stack.Wanted, _ *stack.Settings) { w.Project.Generation++ }), "nobody restarts for nothing")
	for name, change := range map[string]func(*stack.Wanted, *stack.Settings){
		"image":    func(_ *stack.Wanted, s *stack.Settings) { s.PostgresImage = "supabase/postgres:18" },
		"port":     func(w *stack.Wanted, _ *stack.Settings) { w.Allotment.DatabasePort++ },
		"size":     func(w *stack.Wanted, _ *stack.Settings) { w.Project.ComputeSize = "large" },
		"password": func(w *stack.Wanted, _ *stack.Settings) { w.Secrets[store.SecretDatabasePassword] = "other" },
		"key":      func(w *stack.Wanted, _ *stack.Settings) { w.Secrets[store.SecretJWT] = "other" },
	} {
		require.NotEqual(t, same, hash(change), name)
	}
}

func TestTheMarkChangesWithThePasswords(t *testing.T) {
	t.Parallel()
	mark := func(name, value string) string {
		one := wanted()
		one.Secrets[name] = value
		built, err := stack.Build(one, settings())
		require.NoError(t, err)
		return built.Database.Mark
	}
	same := mark(store.SecretDatabasePassword, password)
	require.NotEqual(t, same, mark(store.SecretDatabasePassword, "other"))
	require.NotEqual(t, same, mark(store.SecretReadOnlyPassword, "other"))
}

func TestAnUnknownComputeSizeIsRefused(t *testing.T) {
	t.Parallel()
	one := wanted()
	one.Project.ComputeSize = "gigantic"
	_, err := stack.Build(one, settings())
	require.EqualError(t, err, `there is no compute size "gigantic"`)
}

func TestTheDatabasesAddress(t *testing.T) {
	t.Parallel()
	with := settings()
	host, port := with.DatabaseAddress("abcdefghijklmnopqrst", wanted().Allotment)
	require.Equal(t, "plurabase-abcdefghijklmnopqrst-db:5432", fmt.Sprintf("%s:%d", host, port))
	require.Equal(t, []string{"kong", "postgres-meta"}, with.Others())

	with.Address = stack.AddressHost
	host, port = with.DatabaseAddress("abcdefghijklmnopqrst", wanted().Allotment)
	require.Equal(t, "127.0.0.1:25001", fmt.Sprintf("%s:%d", host, port))
	require.Empty(t, with.Others(), "nobody has to join a network to reach the host")
}
