package store

import (
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// keptFor is for how long anything is believed without being read again, whatever was announced of it.
	keptFor = time.Minute
	// keptEntries bounds each kind of memory: of so many at most, those used last, something is kept.
	keptEntries = 10_000
)

// memory holds what nearly every request asks: who somebody is, what they are in their organizations, the projects, and
// their secrets, as they are kept in Postgres, sealed. Postgres announces every change of it (migrations 0013, 0022), and what is announced is forgotten at once (changes.go). While
// announcements cannot be heard, nothing is believed, so that nobody's right outlives its end by more than trustFor. What is
// kept is shared: nobody changes it.
type memory struct {
	listener *listener

	// mutex keeps apart the arrival of an announcement and the keeping of what was read before it.
	mutex sync.Mutex
	// announced counts what arrived. What was read while something did may be older than it, and is not kept.
	announced uint64

	profiles    *cache[string, Profile]              // by GoTrue's id
	owners      *cache[[sha256.Size]byte, keptOwner] // by the access token's digest
	memberships *cache[int64, []Membership]          // by the profile's id
	projects    *cache[Ref, Project]
	secrets     *cache[int64, sealedSecrets] // by the project's id
}

// cache is one kind of what is kept, and counts how often it was asked for something that it had, and that it had not.
type cache[K comparable, V any] struct {
	*lru.Cache[K, kept[V]]
	hits, misses atomic.Uint64
}

// kept is something with the end of its time. That is of the process' own clock, which a test's does not replace.
type kept[V any] struct {
	value V
	until time.Time
}

// keptOwner is an access token's owner, until it expires.
type keptOwner struct {
	TokenOwner
	ExpiresAt *time.Time
}

// WithMemory lets a Store answer from memory what nearly every request asks. It takes a connection of its own to hear of
// changes, from the first question on, until Close.
func WithMemory() Option { return func(s *Store) { s.memory = &memory{} } }

func (s *Store) openMemory() {
	if s.memory == nil {
		return
	}
	m := s.memory
	m.profiles, m.owners = newKept[string, Profile](), newKept[[sha256.Size]byte, keptOwner]()
	m.memberships, m.projects = newKept[int64, []Membership](), newKept[Ref, Project]()
	m.secrets = newKept[int64, sealedSecrets]()
	m.listener = startListener(s.pool, m)
}

func newKept[K comparable, V any]() *cache[K, V] {
	made, err := lru.New[K, kept[V]](keptEntries)
	if err != nil { // only for a size that is not positive
		panic(err)
	}
	return &cache[K, V]{Cache: made}
}

// remember returns what is kept under a key, or what load reads, and keeps it. What load fails with is not kept.
func remember[K comparable, V any](m *memory, cache *cache[K, V], key K, load func() (V, error)) (V, error) {
	if m.listener.hears() {
		if found, ok := cache.Get(key); ok && time.Now().Before(found.until) {
			cache.hits.Add(1)
			return found.value, nil
		}
	}
	cache.misses.Add(1)
	m.mutex.Lock()
	before := m.announced
	m.mutex.Unlock()
	value, err := load()
	if err != nil {
		return value, err
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.announced == before {
		cache.Add(key, kept[V]{value, time.Now().Add(keptFor)})
	}
	return value, nil
}

// forget drops what an announcement names.
func (m *memory) forget(name string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.announced++
	kind, of, _ := strings.Cut(name, ":")
	id, _ := strconv.ParseInt(of, 10, 64) // a ref is no number, and is not asked for one
	switch kind {
	case "profile":
		m.memberships.Remove(id)
		removeWhere(m.profiles, func(p Profile) bool { return p.ID == id })
		removeWhere(m.owners, func(o keptOwner) bool { return o.ID == id })
	case "organization":
		m.forgetMemberships(func(one Membership) bool { return one.ID == id })
	case "project":
		m.projects.Remove(Ref(of))
		// Roles in the project name it.
		m.forgetMemberships(func(one Membership) bool { return Roles{ProjectRoles: one.ProjectRoles}.Sees(Ref(of)) })
	case "secrets":
		m.secrets.Remove(id)
	default:
		m.secrets.Purge()
		m.profiles.Purge()
		m.owners.Purge()
		m.memberships.Purge()
		m.projects.Purge()
	}
}

func (m *memory) forgetMemberships(matches func(Membership) bool) {
	removeWhere(m.memberships, func(list []Membership) bool { return slices.ContainsFunc(list, matches) })
}

func (m *memory) forgetAll() { m.forget("*") }

// forgetWritten drops what this process has just changed, so that whoever changed it sees it: the announcement may take
// a moment.
func (m *memory) forgetWritten(actor Actor, entry AuditEntry) {
	if m == nil {
		return
	}
	m.forget("profile:" + strconv.FormatInt(actor.ProfileID, 10))
	if entry.OrganizationID != 0 {
		m.forget("organization:" + strconv.FormatInt(entry.OrganizationID, 10))
	}
	if entry.ProjectRef != "" {
		m.forget("project:" + string(entry.ProjectRef))
		m.secrets.Purge() // kept by another name; changes are few
	}
}

func removeWhere[K comparable, V any](cache *cache[K, V], matches func(V) bool) {
	for _, key := range cache.Keys() {
		if found, ok := cache.Peek(key); ok && matches(found.value) {
			cache.Remove(key)
		}
	}
}

// keptProfile is ensureProfile with a memory. The e-mail address of a session token that is not the profile's is looked into.
func (s *Store) keptProfile(ctx context.Context, gotrueID, email string) (Profile, error) {
	profile, err := remember(s.memory, s.memory.profiles, gotrueID, func() (Profile, error) {
		return s.ensureProfile(ctx, gotrueID, email)
	})
	if err == nil && email != "" && profile.PrimaryEmail != email {
		return s.ensureProfile(ctx, gotrueID, email)
	}
	return profile, err
}

// keptTokenOwner is tokenOwner with a memory. A token's last use is noted whenever it is read: about once in keptFor.
func (s *Store) keptTokenOwner(ctx context.Context, token string) (TokenOwner, error) {
	owner, err := remember(s.memory, s.memory.owners, sha256.Sum256([]byte(token)), func() (keptOwner, error) {
		return s.tokenOwner(ctx, token)
	})
	if err == nil && owner.ExpiresAt != nil && !owner.ExpiresAt.After(s.now()) {
		return TokenOwner{}, wrap("look the access token up", ErrNotFound)
	}
	return owner.TokenOwner, err
}

func (s *Store) keptMemberships(ctx context.Context, profileID int64) ([]Membership, error) {
	return remember(s.memory, s.memory.memberships, profileID, func() ([]Membership, error) {
		return s.readMemberships(ctx, profileID)
	})
}

// keptMembership finds the one membership of a profile that matches. ErrNotFound: there is none.
func (s *Store) keptMembership(ctx context.Context, profileID int64, doing string, matches func(Membership) bool) (Membership, error) {
	memberships, err := s.keptMemberships(ctx, profileID)
	if err != nil {
		return Membership{}, err
	}
	if i := slices.IndexFunc(memberships, matches); i >= 0 {
		return memberships[i], nil
	}
	return Membership{}, wrap(doing, ErrNotFound)
}

// keptProject is projectByRef with a memory: the project is one thing to keep, what somebody is in it another.
func (s *Store) keptProject(ctx context.Context, profileID int64, ref Ref) (ProjectAccess, error) {
	const doing = "look the project up"
	project, err := remember(s.memory, s.memory.projects, ref, func() (Project, error) { return s.readProject(ctx, ref) })
	if err != nil {
		return ProjectAccess{}, err
	}
	membership, err := s.keptMembership(ctx, profileID, doing, func(m Membership) bool { return m.ID == project.OrganizationID })
	if err != nil {
		return ProjectAccess{}, err
	}
	access := ProjectAccess{
		Project: project, OrganizationRole: membership.Role, ProjectRole: membership.in(project.ID), MFARequired: membership.MFARequired,
	}
	if access.OrganizationRole == 0 && access.ProjectRole == 0 {
		return ProjectAccess{}, wrap(doing, ErrNotFound)
	}
	return access, nil
}
