package stack_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/images"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	password         = `s3cret'"\`
	readOnlyPassword = "s3cret-read-only"
	jwtSecret        = "s3cret-jwt"
	seed             = "s3cret-seed"
)

func wanted() stack.Wanted {
	return stack.Wanted{
		Project: store.Project{
			ProjectSummary: store.ProjectSummary{Ref: "abcdefghijklmnopqrst", Target: "local", ComputeSize: "ci_small"},
			Services:       []string{"db"}, Desired: store.DesiredActive, Generation: 7,
		},
		RestartedAt: map[string]int64{"": 5, "db": 4},
		Secrets: store.Secrets{
			store.SecretDatabasePassword: password, store.SecretReadOnlyPassword: readOnlyPassword, store.SecretJWT: jwtSecret,
			store.SecretAnonKey: "s3cret-anon", store.SecretServiceKey: "s3cret-service", store.SecretSeed: seed,
		},
		Allotment: stack.Allotment{Subnet: netip.MustParsePrefix("10.213.0.32/27"), DatabasePort: 25001},
	}
}

// whole is a project with every service.
func whole() stack.Wanted {
	one := wanted()
	one.Project.Services = store.AllServices
	return one
}

func build(t *testing.T, one stack.Wanted) stack.Stack {
	t.Helper()
	built, err := stack.Build(one, settings())
	require.NoError(t, err)
	return built
}

func settings() stack.Settings {
	return stack.Settings{
		Images: images.Of(nil), Address: stack.AddressNetwork, PublicURL: "https://studio.example.com", ProjectDomain: "example.com",
		Bind: netip.MustParseAddr("127.0.0.1"), Shared: []string{"kong", "postgres-meta"},
	}
}

func TestTheStackOfAProject(t *testing.T) {
	t.Parallel()
	inactive, removed, signing := wanted(), wanted(), whole()
	signing.Secrets[store.SecretJWTKeys], signing.Secrets[store.SecretJWKS] = `[{"kty":"EC"}]`, `{"keys":[{"kty":"EC"}]}`
	inactive.Project.Desired = store.DesiredInactive
	removed.Project.Desired = store.DesiredRemoved
	for name, one := range map[string]stack.Wanted{
		"active": wanted(), "inactive": inactive, "removed": removed, "whole": whole(), "signing-keys": signing,
	} {
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
	built := build(t, whole())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", built, built, built), "s3cret", "nothing prints a secret")

	database := built.Service(stack.DatabaseService)
	require.Equal(t, stack.Env{"POSTGRES_HOST": "/var/run/postgresql", "POSTGRES_PASSWORD": password}, database.Env)
	for _, command := range []stack.Command{built.Database.Inspect, built.Database.Setup} {
		require.NotContains(t, strings.Join(command.Args, " "), "s3cret", "a process list shows the arguments")
		require.Equal(t, password, command.Env["PGPASSWORD"])
	}
	for _, service := range built.Services {
		arguments := strings.Join(slices.Concat(service.Entrypoint, service.Command, service.Health.Command), " ")
		require.NotContains(t, arguments, "s3cret", "%s: a process list shows the arguments", service.Name)
	}
	require.NotContains(t, fmt.Sprint(built.Service(store.ServiceImgproxy).Env.List()), "s3cret", "it needs none")
}

func TestEachServiceHasAnAddressOfItsOwn(t *testing.T) {
	t.Parallel()
	built := build(t, whole())
	require.Len(t, built.Services, len(store.AllServices))
	seen := map[netip.Addr]bool{built.Network.Gateway: true}
	for _, service := range built.Services {
		require.True(t, built.Network.Subnet.Contains(service.Address))
		require.False(t, built.Network.Dynamic.Contains(service.Address), "%s: whoever joins could take it", service.Name)
		require.False(t, seen[service.Address])
		seen[service.Address] = true
		require.Equal(t, service.Address, stack.ServiceAddress(built.Network.Subnet, service.Name))
		require.NotZero(t, service.Port)
	}
	require.Equal(t, "10.213.0.48/28", built.Network.Dynamic.String())
	few := wanted()
	few.Project.Services = []string{"db", "storage"}
	require.Equal(t, built.Service("storage").Address, build(t, few).Service("storage").Address, "whatever else the project has")
	require.Empty(t, stack.ServiceAddress(built.Network.Subnet, "mail"))
}

func TestServicesThatAreLeftOutAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	few := wanted()
	few.Project.Services = []string{"db", "rest", "functions"}
	built := build(t, few)
	require.Len(t, built.Services, 3)
	for _, service := range built.Services {
		for _, need := range service.DependsOn {
			require.NotEmpty(t, built.Service(need).Name)
		}
	}
	require.NotContains(t, built.Database.Setup.Input, "_supabase", "nobody needs it")
	require.Contains(t, build(t, whole()).Database.Setup.Input, "create database _supabase")
}

// TestOnlyWhatAChangeConcernsIsReplaced says which containers each change replaces.
func TestOnlyWhatAChangeConcernsIsReplaced(t *testing.T) {
	t.Parallel()
	hashes := func(change func(*stack.Wanted, *stack.Settings)) map[string]string {
		one, with := whole(), settings()
		change(&one, &with)
		built, err := stack.Build(one, with)
		require.NoError(t, err)
		all := map[string]string{"network": built.Network.Labels[stack.LabelConfigHash]}
		for _, service := range built.Services {
			all[service.Name] = service.Labels[stack.LabelConfigHash]
		}
		return all
	}
	before := hashes(func(*stack.Wanted, *stack.Settings) {})
	for name, test := range map[string]struct {
		change   func(*stack.Wanted, *stack.Settings)
		replaced []string
	}{
		"generation": {change: func(w *stack.Wanted, _ *stack.Settings) { w.Project.Generation++ }},
		"image": {
			change:   func(_ *stack.Wanted, s *stack.Settings) { s.Images["auth"] = "supabase/gotrue:v3" },
			replaced: []string{"auth"},
		},
		"image of this project": {
			change: func(w *stack.Wanted, _ *stack.Settings) {
				w.Images = map[string]string{"rest": "postgrest/postgrest:v13"}
			},
			replaced: []string{"rest"},
		},
		"port": {change: func(w *stack.Wanted, _ *stack.Settings) { w.Allotment.DatabasePort++ }, replaced: []string{"db"}},
		"password": {
			change:   func(w *stack.Wanted, _ *stack.Settings) { w.Secrets[store.SecretDatabasePassword] = "other" },
			replaced: []string{"analytics", "auth", "functions", "pooler", "realtime", "rest", "storage"},
		},
		"JWT secret": {
			change:   func(w *stack.Wanted, _ *stack.Settings) { w.Secrets[store.SecretJWT] = "other" },
			replaced: []string{"auth", "functions", "pooler", "realtime", "rest", "storage"},
		},
		"signing keys": {
			change:   func(w *stack.Wanted, _ *stack.Settings) { w.Secrets[store.SecretJWTKeys] = "[]" },
			replaced: []string{"auth"},
		},
		"keys to verify with": {
			change:   func(w *stack.Wanted, _ *stack.Settings) { w.Secrets[store.SecretJWKS] = "{}" },
			replaced: []string{"functions", "realtime", "rest", "storage"},
		},
	} {
		var replaced []string
		for service, hash := range hashes(test.change) {
			if hash != before[service] {
				replaced = append(replaced, service)
			}
		}
		slices.Sort(replaced)
		require.Equal(t, test.replaced, replaced, name)
	}
}

func TestDerivedSecretsAreOfOneProjectAlone(t *testing.T) {
	t.Parallel()
	key := func(change func(store.Secrets)) string {
		one := whole()
		change(one.Secrets)
		return build(t, one).Service("pooler").Env["VAULT_ENC_KEY"]
	}
	same := key(func(store.Secrets) {})
	require.Len(t, same, 32)
	require.NotContains(t, same, seed)
	require.Equal(t, same, key(func(s store.Secrets) { s[store.SecretJWT], s[store.SecretDatabasePassword] = "other", "other" }),
		"what was encrypted with it stays readable")
	require.NotEqual(t, same, key(func(s store.Secrets) { s[store.SecretSeed] = "other" }))
	env := build(t, whole()).Service("realtime").Env
	require.Len(t, env["DB_ENC_KEY"], 16)
	require.Len(t, env["SECRET_KEY_BASE"], 64)
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
	host, port := with.DatabaseAddress(wanted().Allotment)
	require.Equal(t, "10.213.0.34:5432", fmt.Sprintf("%s:%d", host, port))
	require.Equal(t, []string{"kong", "postgres-meta"}, with.Others())

	with.Address = stack.AddressHost
	host, port = with.DatabaseAddress(wanted().Allotment)
	require.Equal(t, "127.0.0.1:25001", fmt.Sprintf("%s:%d", host, port))
	require.Empty(t, with.Others(), "nobody has to join a network to reach the host")
}
