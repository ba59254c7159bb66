package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// openTable is a finding of the advisors about a table.
func openTable(name string) store.Finding {
	return store.Finding{
		Key: "rls_disabled_in_public_public_" + name, Lint: "rls_disabled_in_public", Category: "SECURITY",
		Title: "Table without row level security", Detail: name + " is open.", Metadata: map[string]any{"schema": "public", "name": name},
	}
}

func TestMembersHearOnceWhatTheAdvisorsFoundAndUntilItIsMended(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	project, err := l.store.ProjectByRef(t.Context(), l.profile.ID, ref)
	require.NoError(t, err)
	note := func(found ...store.Finding) []string {
		t.Helper()
		require.NoError(t, l.store.NoteFindings(t.Context(), project.Project, found))
		return l.told(store.NotificationFilter{})
	}
	const orders, users = "Warning: shop: Table without row level security (orders is open.)", "Warning: shop: Table without row level security (users is open.)"
	require.Empty(t, note())
	require.Equal(t, []string{orders}, note(openTable("orders")))
	require.Equal(t, []string{orders}, note(openTable("orders")), "once")
	require.ElementsMatch(t, []string{orders, users}, note(openTable("orders"), openTable("users")))

	// What somebody has put away stays away as long as the finding is there.
	require.NoError(t, l.store.ArchiveNotifications(t.Context(), store.Viewer{ProfileID: l.profile.ID}))
	note(openTable("orders"), openTable("users"))
	require.Empty(t, l.told(store.NotificationFilter{Statuses: []store.NotificationStatus{store.NotificationNew}}))

	require.Equal(t, []string{users}, note(openTable("users")), "what is mended is taken back")
	require.ElementsMatch(t, []string{orders, users}, note(openTable("orders"), openTable("users")), "and told again when it comes back")

	_, err = l.store.CreateAdvisorExceptions(t.Context(), actor(l.profile, "live with it"), project.Project, []store.AdvisorException{{
		Metadata: map[string]any{"name": "users"}, Disabled: true,
	}})
	require.NoError(t, err)
	require.Equal(t, []string{orders}, note(openTable("orders"), openTable("users")), "what somebody lives with is no news")
	require.Empty(t, note())

	var many []store.Finding
	for i := range 30 {
		many = append(many, openTable(fmt.Sprintf("t%d", i)))
	}
	require.Len(t, note(many...), 20, "the advisors list the others")
	require.Contains(t, note(many[1:]...), "Warning: shop: Table without row level security (t20 is open.)", "with one mended, another is told")

	l.execute(`delete from platform.notifications`) // of old age
	require.Empty(t, note(many[1:21]...), "and is not told again")
	l.execute(`delete from platform.projects`)
	require.NoError(t, l.store.NoteFindings(t.Context(), project.Project, many), "deleted in the meantime")
}
