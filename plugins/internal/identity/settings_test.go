package identity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/identity"
)

func TestWrongSettingsAreAllNamedAndNotRepeated(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		settings identity.Settings
		named    []string
	}{
		"the secret":              {identity.Settings{JWTSecret: secret}, nil},
		"GoTrue":                  {identity.Settings{GoTrueURL: "http://auth:9999"}, nil},
		"both, GoTrue on a path":  {identity.Settings{JWTSecret: secret, GoTrueURL: "https://example.com/auth/v1/"}, nil},
		"nothing":                 {identity.Settings{}, []string{"PLURABASE_JWT_SECRET", "PLURABASE_GOTRUE_URL"}},
		"two wrong ones":          {identity.Settings{JWTSecret: "hunter2", GoTrueURL: "auth:9999"}, []string{"PLURABASE_JWT_SECRET", "PLURABASE_GOTRUE_URL"}},
		"an address with a login": {identity.Settings{GoTrueURL: "http://admin:hunter2@auth:9999"}, []string{"PLURABASE_GOTRUE_URL"}},
		"no host":                 {identity.Settings{GoTrueURL: "http:///auth"}, []string{"PLURABASE_GOTRUE_URL"}},
		"another scheme":          {identity.Settings{GoTrueURL: "postgres://auth"}, []string{"PLURABASE_GOTRUE_URL"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.settings.Check()
			if test.named == nil {
				require.NoError(t, err)
				return
			}
			for _, name := range test.named {
				require.ErrorContains(t, err, name)
			}
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}
