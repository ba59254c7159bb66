package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func (l *leases) told(filter store.NotificationFilter) []string {
	l.Helper()
	found, err := l.store.Notifications(l.Context(), store.Viewer{ProfileID: l.profile.ID}, filter)
	require.NoError(l, err)
	texts := []string{}
	for _, one := range found {
		texts = append(texts, fmt.Sprintf("%s: %s (%s)", one.Priority, one.Title, one.Message))
	}
	return texts
}

func TestMembersHearHowAnOperationEnded(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	l.create()
	require.Empty(t, l.told(store.NotificationFilter{}), "nothing has ended yet")
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusInitFailed, Failure: errors.New("no image")}))
	require.Equal(t, []string{"Critical: shop could not be created (no image)"}, l.told(store.NotificationFilter{}))

	ref := l.create()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	require.Equal(t, []string{"Info: shop is ready ()"}, l.told(store.NotificationFilter{Projects: []store.Ref{ref}}))
	l.change(ref, store.OperationRestart)
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	require.Len(t, l.told(store.NotificationFilter{}), 2, "a restart that went well is no news")
}

func TestABranchWithoutItsMigrationsIsNotSaidToBeMissing(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	l.create()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy, Failure: errors.New("migration 1 failed")}))
	require.Equal(t, []string{"Critical: shop could not take migrations over (migration 1 failed)"}, l.told(store.NotificationFilter{}))
}

func TestEveryKindOfOperationIsToldInWordsOfItsOwn(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	for kind, want := range map[store.OperationKind]string{
		store.OperationPause: "shop could not be paused", store.OperationRestore: "shop could not be started",
		store.OperationRestart: "shop could not be restarted", store.OperationConfigure: "shop could not take up its changed settings",
		store.OperationResize: "shop could not be given its new size", store.OperationUpgrade: "shop could not be upgraded",
		store.OperationDelete: "shop could not be deleted",
	} {
		l.execute(`insert into platform.operations (project_id, project_ref, kind, generation, request_id, created_at)
			select id, ref, $2, generation + 1, '', now() from platform.projects where ref = $1`, ref, kind)
		l.execute(`update platform.projects set generation = generation + 1, status = 'ACTIVE_HEALTHY' where ref = $1`, ref)
		require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveUnhealthy, Failure: errors.New("no disk")}))
		require.Contains(t, l.told(store.NotificationFilter{}), "Critical: "+want+" (no disk)")
	}
}

func TestADeleteThatIsTriedForEverIsToldOnceAndAtItsEnd(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	l.change(ref, store.OperationDelete)
	for range 3 {
		require.NoError(t, l.claim().Retry(t.Context(), store.StatusGoingDown, errors.New("a volume is in use"), 0))
	}
	require.NoError(t, l.claim().Remove(t.Context()))
	require.ElementsMatch(t, []string{
		"Info: shop is ready ()", "Critical: shop could not be deleted (a volume is in use)", "Info: shop is deleted ()",
	}, l.told(store.NotificationFilter{}))
	require.Empty(t, l.told(store.NotificationFilter{Projects: []store.Ref{ref}}), "the project is gone, and its name with it")
}

func TestAProjectThatFallsIllIsToldOnceAnHour(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	for range 3 {
		require.NoError(t, l.claim(ref).Retry(t.Context(), store.StatusActiveUnhealthy, errors.New("the container is gone"), 0))
		require.NoError(t, l.claim(ref).Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	}
	require.ElementsMatch(t, []string{
		"Info: shop is ready ()", "Warning: shop is not healthy (the container is gone)", "Info: shop is healthy again ()",
	}, l.told(store.NotificationFilter{}))
}

func TestALongMessageIsCutAndOldOnesAreForgotten(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	l.create()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusInitFailed, Failure: errors.New(strings.Repeat("ä", 5000))}))
	require.Len(t, []rune(l.told(store.NotificationFilter{})[0]), len([]rune("Critical: shop could not be created ()"))+501)
	require.NoError(t, l.store.ForgetNotifications(t.Context(), time.Hour))
	require.Len(t, l.told(store.NotificationFilter{}), 1)
	require.NoError(t, l.store.ForgetNotifications(t.Context(), -time.Second)) // the clock stands still
	require.Empty(t, l.told(store.NotificationFilter{}))
}

func TestEachMemberReadsForThemselves(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	l.create()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusInitFailed, Failure: errors.New("no image")}))
	me := store.Viewer{ProfileID: l.profile.ID}
	stranger, _ := member(t, l.store, grace, "grace@example.com")
	found, err := l.store.Notifications(t.Context(), me, store.NotificationFilter{})
	require.NoError(t, err)
	ids := []uuid.UUID{found[0].ID}

	others, err := l.store.Notifications(t.Context(), store.Viewer{ProfileID: stranger.ID}, store.NotificationFilter{})
	require.NoError(t, err)
	require.Empty(t, others)
	require.NoError(t, l.store.MarkNotifications(t.Context(), store.Viewer{ProfileID: stranger.ID}, ids, store.NotificationArchived))
	summary, err := l.store.SummarizeNotifications(t.Context(), me)
	require.NoError(t, err)
	require.Equal(t, store.NotificationSummary{Unread: 1, HasCritical: true}, summary)

	require.NoError(t, l.store.MarkNotifications(t.Context(), me, ids, store.NotificationSeen))
	summary, err = l.store.SummarizeNotifications(t.Context(), me)
	require.NoError(t, err)
	require.Equal(t, store.NotificationSummary{}, summary)
	require.Len(t, l.told(store.NotificationFilter{Statuses: []store.NotificationStatus{store.NotificationSeen}}), 1)
	require.NoError(t, l.store.ArchiveNotifications(t.Context(), me))
	require.Empty(t, l.told(store.NotificationFilter{Statuses: []store.NotificationStatus{store.NotificationNew, store.NotificationSeen}}))
}

func TestAMemberIsWelcomedOnceAndAlone(t *testing.T) {
	t.Parallel()
	welcoming, _ := storetest.NewWithURL(t, store.WithWelcome("Ask in **#databases**."))
	first, err := welcoming.EnsureProfile(t.Context(), "12121212-1212-4212-8212-121212121212", "ada@example.com")
	require.NoError(t, err)
	told := func(profile store.Profile) (texts []string) {
		found, err := welcoming.Notifications(t.Context(), store.Viewer{ProfileID: profile.ID}, store.NotificationFilter{})
		require.NoError(t, err)
		for _, one := range found {
			require.Nil(t, one.ProjectRef)
			texts = append(texts, one.Title+": "+one.Message)
		}
		return texts
	}
	acme, err := welcoming.CreateOrganization(t.Context(), actor(first, "first"), "Acme")
	require.NoError(t, err)
	require.Equal(t, []string{"Welcome: Ask in **#databases**."}, told(first))
	_, err = welcoming.CreateOrganization(t.Context(), actor(first, "second"), "Other")
	require.NoError(t, err)
	require.Len(t, told(first), 1, "once")

	// Somebody who is invited is told by themselves; the other members are not told again.
	bob, err := welcoming.EnsureProfile(t.Context(), "23232323-2323-4323-8323-232323232323", "bob@example.com")
	require.NoError(t, err)
	invited, err := welcoming.Invite(t.Context(), store.InvitationChange{
		Actor: actor(first, "invite"), OrganizationID: acme.ID, Permit: func(_, _ []store.Role) error { return nil },
	}, "bob@example.com", store.RoleDeveloper, nil)
	require.NoError(t, err)
	require.NoError(t, welcoming.AcceptInvitation(t.Context(), actor(bob, "accept"), acme.Slug, invited.Token))
	require.Equal(t, []string{"Welcome: Ask in **#databases**."}, told(bob))
	require.Len(t, told(first), 1)
}
