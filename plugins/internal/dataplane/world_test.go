package dataplane_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

const (
	shop = store.Ref("aaaaaaaaaaaaaaaaaaaa")
	blog = store.Ref("bbbbbbbbbbbbbbbbbbbb")

	publishable = "sb_publishable_0123456789abcdefghijkl_ABCDEFGH"
	secretKey   = "sb_secret_0123456789abcdefghijkl_ABCDEFGH"
	workerKey   = "sb_secret_worker0123456789abcdef_ABCDEFGH"

	browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
)

// requestsKept is how many of a project's requests its log has room for, each time.
const requestsKept = 3

// secretOf is a project's JWT secret.
func secretOf(ref store.Ref) []byte { return []byte("the-secret-of-" + string(ref)) }

// projects is a store whose projects a test changes.
type projects struct {
	mutex   sync.Mutex
	all     map[int64]store.GatewayProject
	failing bool
	refused int // bans
	traffic []store.Traffic
	used    map[uuid.UUID]time.Time
	legacy  []store.LegacyKeyUse
	edgeLog []store.EdgeRequest
	inVain  []store.EdgeRequest // what was to be added to it last, while it failed

	listening chan struct{}
	changed   chan int64
	cut       chan error
}

func newProjects(all ...store.GatewayProject) *projects {
	s := &projects{
		all: map[int64]store.GatewayProject{}, used: map[uuid.UUID]time.Time{},
		listening: make(chan struct{}, 10), changed: make(chan int64), cut: make(chan error),
	}
	for _, p := range all {
		s.all[p.ID] = p
	}
	return s
}

func (s *projects) GatewayProjects(_ context.Context, ids ...int64) ([]store.GatewayProject, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.failing {
		return nil, store.ErrUnavailable
	}
	var found []store.GatewayProject
	for _, p := range s.all {
		if len(ids) == 0 {
			found = append(found, p)
		}
	}
	for _, id := range ids {
		if p, ok := s.all[id]; ok {
			found = append(found, p)
		}
	}
	return found, nil
}

func (s *projects) GatewaySecret(p store.GatewayProject) ([]byte, error) { return secretOf(p.Ref), nil }

func (s *projects) GatewayDatabasePassword(p store.GatewayProject) ([]byte, error) {
	return []byte("password/of@" + string(p.Ref)), nil
}

func (s *projects) ListenForGateway(ctx context.Context, listening func(), changed func(int64)) error {
	listening()
	s.listening <- struct{}{}
	for {
		select {
		case id := <-s.changed:
			changed(id)
		case err := <-s.cut:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *projects) AddTraffic(_ context.Context, _ time.Time, traffic []store.Traffic) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.failing {
		return store.ErrUnavailable
	}
	s.traffic = append(s.traffic, traffic...)
	return nil
}

func (s *projects) AddEdgeLog(_ context.Context, requests []store.EdgeRequest) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.failing {
		s.inVain = requests
		return store.ErrUnavailable
	}
	s.edgeLog = append(s.edgeLog, requests...)
	return nil
}

func (s *projects) NoteAPIKeysUsed(_ context.Context, used map[uuid.UUID]time.Time) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for id, at := range used {
		s.used[id] = at
	}
	return nil
}

func (s *projects) NoteLegacyKeysUsed(_ context.Context, used []store.LegacyKeyUse) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.legacy = append(s.legacy, used...)
	return nil
}

func (s *projects) BanFromProject(_ context.Context, projectID int64, address netip.Addr, until time.Time) (bool, error) {
	s.mutex.Lock()
	p, ok := s.all[projectID]
	if s.failing || !ok {
		s.refused++
		s.mutex.Unlock()
		return false, store.ErrUnavailable
	}
	p.Banned = append(slices.Clone(p.Banned), store.GatewayBan{Network: store.NetworkOf(address), Until: until})
	s.mutex.Unlock()
	s.set(p)
	return true, nil
}

// set changes a project, and announces it.
func (s *projects) set(p store.GatewayProject) {
	s.mutex.Lock()
	s.all[p.ID] = p
	s.mutex.Unlock()
	s.changed <- p.ID
}

func (s *projects) remove(id int64) {
	s.mutex.Lock()
	delete(s.all, id)
	s.mutex.Unlock()
	s.changed <- id
}

// keyOf is an opaque key as the gateway finds it.
func keyOf(number byte, key string, claims map[string]any) store.GatewayKey {
	kind := store.SecretKey
	if key == publishable {
		kind = store.PublishableKey
	}
	return store.GatewayKey{ID: uuid.UUID{number}, Type: kind, Digest: sha256.Sum256([]byte(key)), Claims: claims}
}

// running is a project that runs with all services, and with the keys above.
func running(id int64, ref store.Ref) store.GatewayProject {
	targets := map[string]netip.AddrPort{}
	for i, name := range store.DefaultServices {
		targets[name] = netip.MustParseAddrPort(fmt.Sprintf("10.9.%d.%d:%d", id, i+2, 3000+i))
	}
	return store.GatewayProject{
		ID: id, Ref: ref, Status: store.StatusActiveHealthy, Services: store.DefaultServices, Targets: targets, LegacyKeys: true,
	}
}

func shopProject() store.GatewayProject {
	p := running(1, shop)
	p.Keys = []store.GatewayKey{
		keyOf(1, publishable, nil), keyOf(2, secretKey, map[string]any{"role": "service_role"}), keyOf(3, workerKey, map[string]any{"role": "worker"}),
	}
	return p
}

// open returns a gateway that knows the projects.
func open(t testing.TB, s *projects) (*dataplane.Gateway, *dataplane.Table) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	table := dataplane.NewTable(s, requestsKept, log)
	gateway := dataplane.New(table, dataplane.Settings{Domain: "localhost:8000"}, func() time.Time { return now }, log)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		table.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	<-s.listening
	require.Eventually(t, func() bool {
		_, refusal := gateway.Route(dataplane.Request{Target: "/", Host: "nobody"})
		return refusal.Status != 503
	}, 30*time.Second, time.Millisecond)
	return gateway, table
}

// legacy signs a JWT with a project's secret.
func legacy(t testing.TB, ref store.Ref, role string, change ...jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": "supabase", "ref": string(ref), "role": role, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	for _, changes := range change {
		for name, value := range changes {
			claims[name] = value
		}
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secretOf(ref))
	require.NoError(t, err)
	return signed
}

// claimsOf checks that a header is a JWT of the project's, and returns what it says.
func claimsOf(t testing.TB, ref store.Ref, authorization string) jwt.MapClaims {
	t.Helper()
	require.Greater(t, len(authorization), len("Bearer "), authorization)
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(authorization[len("Bearer "):], claims, func(*jwt.Token) (any, error) { return secretOf(ref), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithExpirationRequired())
	require.NoError(t, err)
	return claims
}

const shopHost = string(shop) + ".localhost:8000"
