package adopted

import (
	"log/slog"
	"net"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.WithServer(m).Run()) }

func TestAnInstallationsHealthFollowsItsServices(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	w := Watcher{State: s, Owner: "test", Version: "1", Log: slog.New(slog.DiscardHandler)}
	require.NoError(t, w.look(t.Context()))
	targets, err := s.Targets(t.Context())
	require.NoError(t, err)
	require.Empty(t, targets, "there is nothing to look after")

	profile, err := s.EnsureProfile(t.Context(), uuid.NewString(), "ada@plurabase.test")
	require.NoError(t, err)
	actor := store.Actor{ProfileID: profile.ID, RequestID: uuid.NewString()}
	organization, err := s.CreateOrganization(t.Context(), actor, "Main")
	require.NoError(t, err)
	service, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	at := service.Addr().(*net.TCPAddr)
	actor.RequestID = uuid.NewString()
	_, err = s.Adopt(t.Context(), actor, store.Installation{
		Name: "Ours", OrganizationID: organization.ID, DatabaseHost: "127.0.0.1", DatabasePort: uint16(at.Port),
		Services: []store.ServiceState{{Service: store.ServiceDatabase, Host: "127.0.0.1", Port: int32(at.Port)}},
	}, false)
	require.NoError(t, err)

	looked := func() store.AdoptedProject {
		require.NoError(t, w.look(t.Context()))
		list, err := s.AdoptedProjects(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0]
	}
	well := looked()
	require.Equal(t, store.StatusActiveHealthy, well.Status)
	require.True(t, well.Services[0].Healthy)
	require.NoError(t, service.Close())
	unwell := looked()
	require.Equal(t, store.StatusActiveUnhealthy, unwell.Status)
	require.Contains(t, *unwell.Message, "The service db does not answer at 127.0.0.1:")
	require.False(t, unwell.Services[0].Healthy)
	targets, err = s.Targets(t.Context())
	require.NoError(t, err)
	require.Len(t, targets, 1)
	require.Equal(t, store.TargetAdopted, targets[0].Name)
}
