package dataplane_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/store"
)

var shopDatabase = netip.MustParseAddrPort("10.9.1.2:5432")

func withDatabase(p store.GatewayProject, address netip.AddrPort) store.GatewayProject {
	p.Database = address
	return p
}

func TestADatabaseIsFoundByWhateverNamesItsProject(t *testing.T) {
	t.Parallel()
	p := withDatabase(shopProject(), shopDatabase)
	p.Subdomain, p.Hostname = "toys", "db.example.com"
	gateway, _ := open(t, newProjects(p, withDatabase(running(2, blog), netip.MustParseAddrPort("10.9.2.2:5432"))))
	for name, one := range map[string]struct {
		named dataplane.Naming
		code  string
	}{
		"host":                 {dataplane.Naming{Host: "db." + string(shop) + ".localhost"}, ""},
		"host in capitals":     {dataplane.Naming{Host: "DB." + string(shop) + ".LOCALHOST."}, ""},
		"host without db":      {dataplane.Naming{Host: string(shop) + ".localhost"}, ""},
		"vanity":               {dataplane.Naming{Host: "db.toys.localhost"}, ""},
		"custom":               {dataplane.Naming{Host: "db.example.com"}, ""},
		"ref":                  {dataplane.Naming{Refs: []store.Ref{shop}}, ""},
		"all agree":            {dataplane.Naming{Host: "db." + string(shop) + ".localhost", Refs: []store.Ref{shop, shop}}, ""},
		"the gateway's name":   {dataplane.Naming{Host: "pooler.localhost", Refs: []store.Ref{shop}}, ""},
		"another's name":       {dataplane.Naming{Host: "postgres.example.com", Refs: []store.Ref{shop}}, ""},
		"nothing":              {dataplane.Naming{}, "project_not_named"},
		"the gateway's alone":  {dataplane.Naming{Host: "pooler.localhost"}, "project_not_named"},
		"no host":              {dataplane.Naming{Host: "no host\x00"}, "project_not_named"},
		"unknown host":         {dataplane.Naming{Host: "db.cccccccccccccccccccc.localhost"}, "project_not_found"},
		"unknown ref":          {dataplane.Naming{Refs: []store.Ref{"cccccccccccccccccccc"}}, "project_not_found"},
		"host and ref differ":  {dataplane.Naming{Host: "db." + string(shop) + ".localhost", Refs: []store.Ref{blog}}, "project_ambiguous"},
		"refs differ":          {dataplane.Naming{Refs: []store.Ref{blog, shop}}, "project_ambiguous"},
		"host unknown, ref is": {dataplane.Naming{Host: "db.nobody.localhost", Refs: []store.Ref{shop}}, "project_not_found"},
	} {
		found, refusal := gateway.Database(one.named, netip.Addr{})
		if one.code != "" {
			require.NotNil(t, refusal, name)
			require.Equal(t, one.code, refusal.Code, name)
			require.Equal(t, dataplane.Database{}, found, name)
			continue
		}
		require.Nil(t, refusal, name)
		require.Equal(t, shop, found.Ref, name)
		require.Equal(t, shopDatabase, found.Address, name)
	}
}

func TestADatabaseIsGuardedAsItsProjectIs(t *testing.T) {
	t.Parallel()
	named := dataplane.Naming{Refs: []store.Ref{shop}}
	client := netip.MustParseAddr("192.0.2.1")
	for name, one := range map[string]struct {
		change  func(*store.GatewayProject)
		code    string
		message string
	}{
		"open":       {func(*store.GatewayProject) {}, "", ""},
		"unhealthy":  {func(p *store.GatewayProject) { p.Status = store.StatusActiveUnhealthy }, "", ""},
		"restricted": {func(p *store.GatewayProject) { p.Allowed = []netip.Prefix{} }, "network_restricted", "The project's network restrictions do not let your address in."},
		"banned":     {func(p *store.GatewayProject) { p.Banned = []store.GatewayBan{{Network: store.NetworkOf(client)}} }, "network_banned", "The project has banned your address."},
		"a ban of old": {func(p *store.GatewayProject) {
			p.Banned = []store.GatewayBan{{Network: store.NetworkOf(client), Until: now}}
		}, "", ""},
		"paused":         {func(p *store.GatewayProject) { p.Status = store.StatusInactive }, "unavailable", "The project is paused."},
		"coming up":      {func(p *store.GatewayProject) { p.Status = store.StatusComingUp }, "unavailable", "The project is coming up."},
		"being deleted":  {func(p *store.GatewayProject) { p.Status = store.StatusGoingDown }, "project_not_found", "There is no project at this address."},
		"somewhere else": {func(p *store.GatewayProject) { p.Database = netip.AddrPort{} }, "database_not_found", "This project's database is not reached through the gateway."},
	} {
		p := withDatabase(shopProject(), shopDatabase)
		one.change(&p)
		gateway, _ := open(t, newProjects(p))
		_, refusal := gateway.Database(named, client)
		if one.code == "" {
			require.Nil(t, refusal, name)
			continue
		}
		require.NotNil(t, refusal, name)
		require.Equal(t, one.code, refusal.Code, name)
		require.Equal(t, one.message, refusal.Message, name)
	}
}

func TestADatabaseSaysWhetherItsProjectEnforcesTLS(t *testing.T) {
	t.Parallel()
	for _, enforced := range []bool{false, true} {
		p := withDatabase(shopProject(), shopDatabase)
		p.SSLEnforced = enforced
		gateway, _ := open(t, newProjects(p))
		found, refusal := gateway.Database(dataplane.Naming{Refs: []store.Ref{shop}}, netip.Addr{})
		require.Nil(t, refusal)
		require.Equal(t, enforced, found.SSLEnforced)
	}
}

func TestWhatADatabaseSendsIsCountedAsTheProjects(t *testing.T) {
	t.Parallel()
	projects := newProjects(withDatabase(shopProject(), shopDatabase))
	gateway, table := open(t, projects)
	found, refusal := gateway.Database(dataplane.Naming{Refs: []store.Ref{shop}}, netip.Addr{})
	require.Nil(t, refusal)
	found.Sent(40)
	changed := withDatabase(shopProject(), shopDatabase)
	changed.Status = store.StatusPausing // a connection that is open is counted on, whatever becomes of the project
	projects.set(changed)
	require.Eventually(t, func() bool {
		_, refusal := gateway.Database(dataplane.Naming{Refs: []store.Ref{shop}}, netip.Addr{})
		return refusal != nil
	}, 30*time.Second, time.Millisecond)
	found.Sent(2)
	table.Flush(t.Context(), now)
	require.Equal(t, []store.Traffic{{ProjectID: 1, Service: store.ServiceDatabase, Egress: 42}}, projects.traffic)
}
