package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPeopleChangeTheirNamesAndNotTheirAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	byAda, byGrace := session(t, ada, "ada@example.com"), session(t, grace, "grace@example.com")
	status, changed := b.send(byAda, http.MethodPatch, "/platform/profile", `{"first_name":"Ada","last_name":"King","username":"countess"}`)
	require.Equal(t, http.StatusOK, status)
	_, seen := b.send(byAda, http.MethodGet, "/platform/profile", "")
	require.Equal(t, changed, seen)
	require.Equal(t, []any{"Ada", "King", "countess"}, []any{seen["first_name"], seen["last_name"], seen["username"]})

	status, refusal := b.send(byGrace, http.MethodPatch, "/platform/profile", `{"username":"countess"}`)
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "This username is taken.", refusal["message"])
	// Invitations go by address: whoever could choose theirs could accept other people's.
	status, _ = b.send(byGrace, http.MethodPatch, "/platform/profile", `{"primary_email":"ada@example.com"}`)
	require.Equal(t, http.StatusBadRequest, status)
	status, _ = b.send(byGrace, http.MethodPatch, "/platform/profile", `{"primary_email":"grace@example.com"}`)
	require.Equal(t, http.StatusOK, status)
}

func TestStudioLeavesOutWhatTheOperatorDoesNotOffer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, profile := b.send(session(t, ada, "ada@example.com"), http.MethodGet, "/platform/profile", "")
	require.Equal(t, []any{}, profile["disabled_features"])
	b.settings.Instance.DisabledFeatures = []string{"billing:all"}
	_, profile = b.send(session(t, ada, "ada@example.com"), http.MethodGet, "/platform/profile", "")
	require.Equal(t, []any{"billing:all"}, profile["disabled_features"])
}
