package store_test

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestNetworkRestrictionsRememberWhatWasBefore(t *testing.T) {
	t.Parallel()
	s, _, profile, project := keyed(t)
	none, err := s.NetworkRestrictions(t.Context(), project.ID)
	require.NoError(t, err)
	require.Zero(t, none)
	office, home := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")
	add := func(one netip.Prefix) func([]netip.Prefix) []netip.Prefix {
		return func(before []netip.Prefix) []netip.Prefix { return append(before, one) }
	}
	_, err = s.RestrictNetwork(t.Context(), actor(profile, "1"), project.Ref, add(office))
	require.NoError(t, err)
	_, err = s.RestrictNetwork(t.Context(), actor(profile, "2"), project.Ref, add(home))
	require.NoError(t, err)

	found, err := s.NetworkRestrictions(t.Context(), project.ID)
	require.NoError(t, err)
	require.Equal(t, []netip.Prefix{office, home}, found.Allowed)
	require.Equal(t, []netip.Prefix{office}, found.Before)
	served, err := s.GatewayProjects(t.Context(), project.ID)
	require.NoError(t, err)
	require.Equal(t, found.Allowed, served[0].Allowed)
}

func TestBannedAddressesAreTurnedAwayUntilTheyAreLetIn(t *testing.T) {
	t.Parallel()
	s, _, profile, project := keyed(t)
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	ban := func(address netip.Addr) bool {
		made, err := s.BanFromProject(t.Context(), project.ID, address, storetest.Clock().Add(time.Hour))
		require.NoError(t, err)
		return made
	}
	require.True(t, ban(one))
	require.True(t, ban(two))
	require.False(t, ban(one), "twice is once")
	// Somebody with an IPv6 address has all of its network, and another one of it the next time.
	require.NoError(t, s.Unban(t.Context(), actor(profile, "1"), project.Ref, []netip.Addr{netip.MustParseAddr("2001:db8::2")}))

	bans, err := s.NetworkBans(t.Context(), project.ID)
	require.NoError(t, err)
	require.Len(t, bans, 1)
	require.Equal(t, one, bans[0].Address)
	served, err := s.GatewayProjects(t.Context(), project.ID)
	require.NoError(t, err)
	require.Len(t, served[0].Banned, 1)
	require.Equal(t, netip.MustParsePrefix("192.0.2.1/32"), served[0].Banned[0].Network)
	require.WithinDuration(t, *bans[0].Until, served[0].Banned[0].Until, 0)
}

func TestABanLapsesAndMakesRoomForTheNext(t *testing.T) {
	t.Parallel()
	clock := time.Now()
	s, _ := storetest.NewWithURL(t, store.WithClock(func() time.Time { return clock }))
	profile, organization := member(t, s, ada, "ada@example.com")
	project, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	address := netip.MustParseAddr("192.0.2.1")
	ban := func() {
		made, err := s.BanFromProject(t.Context(), project.ID, address, clock.Add(time.Minute))
		require.NoError(t, err)
		require.True(t, made)
	}
	banned := func() int {
		bans, err := s.NetworkBans(t.Context(), project.ID)
		require.NoError(t, err)
		served, err := s.GatewayProjects(t.Context(), project.ID)
		require.NoError(t, err)
		require.Len(t, served[0].Banned, len(bans))
		return len(bans)
	}
	ban()
	require.Equal(t, 1, banned())
	clock = clock.Add(time.Minute)
	require.Zero(t, banned())
	ban()
	require.Equal(t, 1, banned(), "the one that lapsed is not in the way")

	made, err := s.BanFromProject(t.Context(), project.ID+1, address, clock.Add(time.Minute))
	require.NoError(t, err)
	require.False(t, made, "there is no such project")
}

func TestAHostnameServesWhenItIsVerifiedAndIsOneProjectsAlone(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	one, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	other, err := s.CreateProject(t.Context(), actor(profile, "2"), newProject(organization))
	require.NoError(t, err)
	_, err = s.CustomHostname(t.Context(), one.ID)
	require.ErrorIs(t, err, store.ErrNotFound)

	const name = "shop.example.com"
	begun, err := s.InitializeCustomHostname(t.Context(), actor(profile, "3"), one.Ref, name)
	require.NoError(t, err)
	require.Len(t, begun.Challenge, 32)
	_, err = s.ActivateCustomHostname(t.Context(), actor(profile, "4"), one.Ref)
	require.ErrorIs(t, err, store.ErrNotFound, "it is not verified")
	_, err = s.VerifyCustomHostname(t.Context(), actor(profile, "5"), one.Ref, "another.example.com")
	require.ErrorIs(t, err, store.ErrNotFound, "another name was looked at")
	_, err = s.VerifyCustomHostname(t.Context(), actor(profile, "6"), one.Ref, name)
	require.NoError(t, err)
	active, err := s.ActivateCustomHostname(t.Context(), actor(profile, "7"), one.Ref)
	require.NoError(t, err)
	require.True(t, active.Active)

	_, err = s.InitializeCustomHostname(t.Context(), actor(profile, "8"), other.Ref, name)
	require.NoError(t, err, "anybody may try")
	_, err = s.VerifyCustomHostname(t.Context(), actor(profile, "9"), other.Ref, name)
	require.NoError(t, err)
	_, err = s.ActivateCustomHostname(t.Context(), actor(profile, "10"), other.Ref)
	var conflict *store.ConflictError
	require.ErrorAs(t, err, &conflict)
	served, err := s.GatewayProjects(t.Context(), one.ID)
	require.NoError(t, err)
	require.Equal(t, name, served[0].Hostname)
	_, err = s.DeleteCustomHostname(t.Context(), actor(profile, "11"), one.Ref)
	require.NoError(t, err)
	_, err = s.CustomHostname(t.Context(), one.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestASubdomainIsOneProjectsAlone(t *testing.T) {
	t.Parallel()
	s, _, profile, project := keyed(t)
	_, err := s.VanitySubdomain(t.Context(), project.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
	require.NoError(t, s.SetVanitySubdomain(t.Context(), actor(profile, "1"), project.Ref, "shop"))
	name, err := s.VanitySubdomain(t.Context(), project.ID)
	require.NoError(t, err)
	require.Equal(t, "shop", name)
	taken, err := s.VanitySubdomainTaken(t.Context(), "shop")
	require.NoError(t, err)
	require.True(t, taken)
	require.NoError(t, s.SetVanitySubdomain(t.Context(), actor(profile, "2"), project.Ref, ""))
	taken, err = s.VanitySubdomainTaken(t.Context(), "shop")
	require.NoError(t, err)
	require.False(t, taken)
}

func TestTrafficAddsUpByTheHour(t *testing.T) {
	t.Parallel()
	s, _, _, project := keyed(t)
	hour := storetest.Now
	count := func(at time.Time, requests int64) {
		require.NoError(t, s.AddTraffic(t.Context(), at, []store.Traffic{
			{ProjectID: project.ID, Service: "rest", Requests: requests, Egress: 10}, {ProjectID: 1 << 40, Service: "rest", Requests: 1},
		}), "a project that is gone is passed over")
	}
	count(hour.Add(time.Minute), 1)
	count(hour.Add(59*time.Minute), 2)
	count(hour.Add(time.Hour), 4)
	found, err := s.ProjectTraffic(t.Context(), project.ID, hour, hour.Add(2*time.Hour))
	require.NoError(t, err)
	for i := range found {
		found[i].Hour = found[i].Hour.UTC()
	}
	require.Equal(t, []store.TrafficHour{
		{Hour: hour, Service: "rest", Requests: 3, Egress: 20}, {Hour: hour.Add(time.Hour), Service: "rest", Requests: 4, Egress: 10},
	}, found)
}

func TestTokensOfSomebodyElseAreTakenUntilTheyAreNot(t *testing.T) {
	t.Parallel()
	s, url, profile, project := keyed(t)
	run(t, url, `update platform.projects set status = 'ACTIVE_HEALTHY'`)
	issuer := "https://login.example.com"
	made, err := s.CreateThirdPartyAuth(t.Context(), actor(profile, "1"), project.Ref, store.ThirdPartyAuth{
		Type: "custom", OIDCIssuerURL: &issuer, ResolvedJWKS: json.RawMessage(`{"keys": []}`),
	})
	require.NoError(t, err)
	found, err := s.ThirdPartyAuths(t.Context(), project.ID)
	require.NoError(t, err)
	require.Equal(t, []store.ThirdPartyAuth{made}, found)
	require.Equal(t, "create configure", run(t, url, `select string_agg(kind, ' ' order by id) from platform.operations`))

	_, err = s.DeleteThirdPartyAuth(t.Context(), actor(profile, "2"), project.Ref, made.ID)
	require.NoError(t, err)
	_, err = s.DeleteThirdPartyAuth(t.Context(), actor(profile, "3"), project.Ref, made.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestTheKeysOfSomebodyElseAreRenewedByOneAtATime(t *testing.T) {
	t.Parallel()
	s, url, profile, project := keyed(t)
	run(t, url, `update platform.projects set status = 'ACTIVE_HEALTHY'`)
	issuer, keys := "https://login.example.com", json.RawMessage(`{"keys": []}`)
	made, err := s.CreateThirdPartyAuth(t.Context(), actor(profile, "1"), project.Ref, store.ThirdPartyAuth{Type: "oidc", OIDCIssuerURL: &issuer, ResolvedJWKS: keys})
	require.NoError(t, err)
	_, err = s.CreateThirdPartyAuth(t.Context(), actor(profile, "2"), project.Ref, store.ThirdPartyAuth{Type: "custom", CustomJWKS: keys, ResolvedJWKS: keys})
	require.NoError(t, err)
	_, err = s.TakeDueThirdPartyAuth(t.Context(), storetest.Now)
	require.ErrorIs(t, err, store.ErrNotFound, "they were just got")
	later := storetest.Now.Add(time.Second)
	due, err := s.TakeDueThirdPartyAuth(t.Context(), later)
	require.NoError(t, err)
	require.Equal(t, made, due)
	run(t, url, `update platform.third_party_auth set asked_at = $1`, later)
	_, err = s.TakeDueThirdPartyAuth(t.Context(), later)
	require.ErrorIs(t, err, store.ErrNotFound, "somebody has asked, and what was given by hand has no address")

	operations := run(t, url, `select string_agg(kind, ' ' order by id) from platform.operations`)
	require.NoError(t, s.RenewThirdPartyAuth(t.Context(), made.ID, keys))
	require.Equal(t, operations, run(t, url, `select string_agg(kind, ' ' order by id) from platform.operations`), "nothing is new")
	run(t, url, `update platform.projects set status = 'ACTIVE_HEALTHY'`)
	require.NoError(t, s.RenewThirdPartyAuth(t.Context(), made.ID, json.RawMessage(`{"keys": [{"kid": "2"}]}`)))
	require.Equal(t, operations+" configure", run(t, url, `select string_agg(kind, ' ' order by id) from platform.operations`))
	found, err := s.ThirdPartyAuths(t.Context(), project.ID)
	require.NoError(t, err)
	require.JSONEq(t, `{"keys": [{"kid": "2"}]}`, string(found[0].ResolvedJWKS))
}

func TestAProjectMovesWithoutTheRolesThatWereGivenInIt(t *testing.T) {
	t.Parallel()
	s, url, profile, project := keyed(t)
	_, elsewhere := member(t, s, grace, "grace@example.com")
	run(t, url, `insert into platform.project_members (project_id, profile_id, organization_id, role)
		select id, $2, organization_id, 3 from platform.projects where id = $1`, project.ID, profile.ID)
	var conflict *store.ConflictError
	require.ErrorAs(t, s.TransferProject(t.Context(), actor(profile, "1"), project.Ref, project.OrganizationID), &conflict)
	require.NoError(t, s.TransferProject(t.Context(), actor(profile, "2"), project.Ref, elsewhere.ID))

	_, err := s.ProjectByRef(t.Context(), profile.ID, project.Ref)
	require.ErrorIs(t, err, store.ErrNotFound, "who has no role in the other organization sees it no more")
	require.Equal(t, "2", run(t, url, `select count(*)::text from platform.audit_log where action = 'projects.transfer'`), "both organizations are told")
}
