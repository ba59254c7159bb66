package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

func TestADatabaseThatIsReadOnlyIsWrittenToAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.realDatabase()
	p, owner := w.place(), w.as(store.RoleOwner)
	readOnly := func() any {
		t.Helper()
		_, answer := w.send(w.as(store.RoleReadOnly), http.MethodGet, "/v1/projects/"+p.ref+"/readonly", "")
		return answer["enabled"]
	}
	sql := func(text string) int {
		t.Helper()
		return w.raw(owner, http.MethodPost, "/v1/projects/"+p.ref+"/database/query", `{"query":"`+text+`"}`).Code
	}
	require.Equal(t, false, readOnly())
	require.Equal(t, http.StatusCreated, sql("alter database postgres set default_transaction_read_only = on"))
	require.Equal(t, true, readOnly())
	require.Equal(t, http.StatusBadRequest, sql("create table t ()"))

	w.succeed(owner, http.MethodPost, "/v1/projects/"+p.ref+"/readonly/temporary-disable", "")
	require.Equal(t, false, readOnly())
	require.Equal(t, http.StatusCreated, sql("create table t ()"))

	require.Equal(t, http.StatusCreated, sql("alter role supabase_admin set default_transaction_read_only = on")) // what no setting of the database's undoes
	status, answer := w.send(owner, http.MethodPost, "/v1/projects/"+p.ref+"/readonly/temporary-disable", "")
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, answer["message"], "own configuration")
}
