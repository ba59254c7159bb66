package stack_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// TestTheMainServiceUnderNode runs what answers in a project's functions container: not in Deno, which no registry has for us here,
// but in Node, with Deno's functions and the file system as stand-ins. Its cryptography is the real one.
func TestTheMainServiceUnderNode(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("needs node")
	}
	output, err := exec.CommandContext(t.Context(), "node", "functions_test.mjs", "functions.ts").CombinedOutput()
	require.NoError(t, err, string(output))
	var answers map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(output, &answers), string(output))
	const (
		worked  = `200 from the worker`
		invalid = `401 {"code":"UNAUTHORIZED_INVALID_JWT","message":"Invalid JWT"}`
		missing = `401 {"code":"UNAUTHORIZED_NO_AUTH_HEADER","message":"Missing authorization header"}`
		unknown = `404 {"code":"NOT_FOUND","message":"Requested function was not found"}`
	)
	for name, want := range map[string]string{
		"nothing deployed": unknown, "health": `200 {"message":"ok"}`, "deployed": worked, "of no such name": unknown,
		"the list is there by half": worked, "deleted": unknown,
		"folders":                     "/home/deno/functions/b-1 /home/deno/functions/deployed /home/deno/functions/deployed/functions.json",
		"what is being written stays": "true",

		"without a token": missing, "asked beforehand": worked, "signed with the secret": worked, "signed with another": invalid,
		"not signed": invalid, "of a name that every object has": invalid, "expired": invalid, "not yet": invalid, "no token": invalid,
		"another scheme": missing,
		"by an EC key":   worked, "by an RSA key": worked, "by the secret, beside keys": worked, "an EC key taken for a secret": invalid,
		"keys that functions see": "EC RSA",
	} {
		var got string
		require.NoError(t, json.Unmarshal(answers[name], &got), name)
		require.Equal(t, want, got, name)
	}
	for failure, want := range map[string]string{
		"InvalidWorkerCreation": "503 ", "InvalidWorkerResponse": "500 ", "WorkerRequestCancelled": "546 ",
	} {
		require.Contains(t, string(answers[failure]), want)
	}
	var started struct {
		ServicePath, MaybeEntrypoint string
		Context                      struct{ ImportMapPath string }
		EnvVars                      [][2]string
	}
	require.NoError(t, json.Unmarshal(answers["started"], &started))
	require.Equal(t, "/home/deno/functions/a-1/a b", started.ServicePath)
	require.Equal(t, "file:///home/deno/functions/a-1/a%20b/index.ts", started.MaybeEntrypoint)
	require.Equal(t, "/home/deno/functions/a-1/supabase/functions/deno.json", started.Context.ImportMapPath)
	require.ElementsMatch(t, [][2]string{
		{"JWT_SECRET", "of the owner"}, {"PATH", "likewise"}, {"SUPABASE_URL", "http://gateway"}, {"SUPABASE_JWKS", `{"keys":[]}`},
	}, started.EnvVars, "no more than is theirs")
}

func TestTheOwnersSecretsCannotTakeTheContainersPlace(t *testing.T) {
	t.Parallel()
	one := whole()
	one.Config = map[store.ConfigSection]store.SectionConfig{store.ConfigFunctionSecrets: {
		"JWT_SECRET": "of the owner", "PLURABASE_MAIN_SERVICE": "of the owner", "PATH": "of the owner", "STRIPE_KEY": "sk",
	}}
	env := build(t, one).Service(store.ServiceFunctions).Env
	for name, value := range env {
		if !strings.HasPrefix(name, "PLURABASE_SECRET_") {
			require.NotEqual(t, "of the owner", value, name)
		}
	}
	require.Equal(t, "sk", env["PLURABASE_SECRET_STRIPE_KEY"])
	require.NotContains(t, env, "PATH")
}

func TestTheListOfFunctionsSaysHowEachIsStarted(t *testing.T) {
	t.Parallel()
	imports := "deno.json"
	list := stack.ListFunctions([]store.Function{
		{ID: "1", Slug: "b", Version: 3, EntrypointPath: "b/index.ts", VerifyJWT: true},
		{ID: "2", Slug: "a", Version: 1, EntrypointPath: "index.ts", ImportMapPath: &imports},
	})
	encoded, err := list.Encode()
	require.NoError(t, err)
	require.JSONEq(t, `{
		"a": {"folder": "2-1", "entrypoint": "index.ts", "import_map": "deno.json", "verify_jwt": false},
		"b": {"folder": "1-3", "entrypoint": "b/index.ts", "verify_jwt": true}
	}`, string(encoded))
	require.Equal(t, map[string]bool{"1-3": true, "2-1": true}, list.Folders())
}
