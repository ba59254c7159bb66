package pgproxy_test

import (
	"crypto/tls"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/plugins/internal/pgproxy"
	"github.com/plurabase/plurabase/store"
)

func TestAProjectIsFoundByTheUser(t *testing.T) {
	t.Parallel()
	w := setup(t)
	conn := w.connect(w.config(asShop))
	require.Equal(t, "postgres", asked(t, conn, "select current_user::text"))
	require.Equal(t, strings.TrimPrefix(w.direct.Path, "/"), asked(t, conn, "select current_database()::text"))
}

func TestAProjectIsFoundByTheOptionsWhichKeepTheirRest(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, options := range []string{
		"reference=" + string(shop), "-c statement_timeout=7777 -c reference=" + string(shop), "--reference=" + string(shop) + " --statement_timeout=7777",
		"reference=" + string(shop) + " -cstatement_timeout=7777", "-creference=" + string(shop),
	} {
		config := w.config("postgres")
		config.RuntimeParams["options"] = options
		got := asked(t, w.connect(config), "select current_setting('statement_timeout')")
		require.Equal(t, strings.Contains(options, "7777"), got == "7777ms", options)
	}
}

func secured(config *pgx.ConnConfig, host string) *pgx.ConnConfig {
	config.TLSConfig = &tls.Config{InsecureSkipVerify: true, ServerName: host}
	return config
}

func TestAProjectIsFoundByTheHostOfTLS(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, negotiation := range []string{"postgres", "direct"} {
		config := secured(w.config("postgres"), "db."+string(shop)+".localhost")
		if negotiation == "direct" {
			config.SSLNegotiation = negotiation
			config.TLSConfig.NextProtos = []string{"postgresql"}
		}
		require.Equal(t, "postgres", asked(t, w.connect(config), "select current_user::text"), negotiation)
	}
}

func TestTLSIsOfToday(t *testing.T) {
	t.Parallel()
	w := bare(t)
	config := secured(w.config(asShop), "")
	config.TLSConfig.MinVersion, config.TLSConfig.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	_, err := pgx.ConnectConfig(t.Context(), config)
	require.ErrorContains(t, err, "protocol version")
}

// TestTLSAtOnceIsForPostgresAlone: a page that a browser was led to by another name must not be able to speak here.
func TestTLSAtOnceIsForPostgresAlone(t *testing.T) {
	t.Parallel()
	w := bare(t)
	conn, err := tls.Dial("tcp", w.address, &tls.Config{InsecureSkipVerify: true})
	if err == nil {
		defer func() { _ = conn.Close() }()
		_, err = conn.Read(make([]byte, 1))
	}
	require.Error(t, err)
}

func TestPsqlGetsThrough(t *testing.T) {
	t.Parallel()
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	w := setup(t)
	host, port, err := net.SplitHostPort(w.address)
	require.NoError(t, err)
	password, _ := w.direct.User.Password()
	for name, how := range map[string]string{
		"by the user, and no database": "user=" + asShop + " sslmode=prefer",
		"by the host":                  "user=postgres dbname=postgres sslmode=require host=db." + string(shop) + ".localhost hostaddr=" + host,
		"in plain text":                "user=" + asShop + " dbname=postgres sslmode=disable",
		"by the options":               "user=postgres dbname=postgres options=reference=" + string(shop),
	} {
		if !strings.Contains(how, "host=") {
			how += " host=" + host
		}
		command := exec.CommandContext(t.Context(), psql, how+" port="+port, "-XAtc", "select 'as ' || current_user || ' in ' || current_database()")
		command.Env = []string{"PGPASSWORD=" + password}
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s: %s", name, output)
		require.Equal(t, "as postgres in postgres\n", string(output), name)
	}
}

func TestEveryRefusalSaysWhyInPostgresWords(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		refusal       dataplane.Refusal
		code, message string
		hint          bool
	}{
		"nobody":     {dataplane.Refusal{Code: "project_not_found"}, "XX000", "Tenant or user not found", true},
		"not named":  {dataplane.Refusal{Code: "project_not_named"}, "XX000", "Tenant or user not found", true},
		"two":        {dataplane.Refusal{Code: "project_ambiguous", Message: "Two."}, "28000", "Two.", true},
		"restricted": {dataplane.Refusal{Code: "network_restricted", Message: "No."}, "28000", "Address not in tenant allow_list: No.", false},
		"banned":     {dataplane.Refusal{Code: "network_banned", Message: "No."}, "28000", "Address not in tenant allow_list: No.", false},
		"paused":     {dataplane.Refusal{Code: "unavailable", Message: "The project is paused."}, "57P03", "The project is paused.", false},
		"adopted":    {dataplane.Refusal{Code: "database_not_found", Message: "Elsewhere."}, "57P03", "Elsewhere.", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := bare(t)
			w.decide(func(dataplane.Naming, netip.Addr) (dataplane.Database, *dataplane.Refusal) {
				return dataplane.Database{}, &one.refusal
			})
			for _, config := range []*pgx.ConnConfig{w.config(asShop), secured(w.config(asShop), "localhost")} {
				refusal := w.refused(config)
				require.Equal(t, one.code, refusal.Code)
				require.Equal(t, one.message, refusal.Message)
				require.Equal(t, one.hint, refusal.Hint != "", refusal.Hint)
			}
		})
	}
}

func TestWhatNamesAProjectIsPassedOnAsItWasSent(t *testing.T) {
	t.Parallel()
	w := bare(t)
	var named dataplane.Naming
	var address netip.Addr
	w.decide(func(n dataplane.Naming, client netip.Addr) (dataplane.Database, *dataplane.Refusal) {
		named, address = n, client
		return dataplane.Database{}, &dataplane.Refusal{Code: "project_ambiguous"}
	})
	config := secured(w.config(asShop), "db.x.localhost")
	config.RuntimeParams["options"] = "reference=" + string(blog)
	_ = w.refused(config)
	require.Equal(t, dataplane.Naming{Host: "db.x.localhost", Refs: []store.Ref{shop, blog}}, named)
	require.Equal(t, netip.MustParseAddr("127.0.0.1"), address)
}

func TestAWrongPasswordIsTheDatabasesToRefuse(t *testing.T) {
	t.Parallel()
	w := setup(t)
	config := w.config(asShop)
	config.Password = "wrong"
	require.Equal(t, "28P01", w.refused(config).Code)
}

func TestAUserMayHaveADotInTheName(t *testing.T) {
	t.Parallel()
	w := setup(t)
	config := secured(w.config("ada.lovelace"), "db."+string(shop)+".localhost")
	require.Contains(t, w.refused(config).Message, `"ada.lovelace"`)
}

func TestADatabaseThatIsNotThereIsSaid(t *testing.T) {
	t.Parallel()
	w := bare(t)
	refusal := w.refused(w.config(asShop))
	require.Equal(t, "57P03", refusal.Code)
	require.Equal(t, "The project's database cannot be reached.", refusal.Message)
	require.Contains(t, w.log.String(), string(shop))
}

func TestPlainTextIsRefusedWhereTheProjectEnforcesTLS(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.decide(func(dataplane.Naming, netip.Addr) (dataplane.Database, *dataplane.Refusal) {
		enforced := w.shop()
		enforced.SSLEnforced = true
		return enforced, nil
	})
	require.Equal(t, "SSL connection is required", w.refused(w.config(asShop)).Message)
	w.connect(secured(w.config(asShop), ""))
}

func TestPlainTextIsRefusedWhereTLSIsRequired(t *testing.T) {
	t.Parallel()
	w := setup(t, func(s *pgproxy.Settings) { s.RequireTLS = true })
	refusal := w.refused(w.config(asShop))
	require.Equal(t, "28000", refusal.Code)
	require.Equal(t, "SSL connection is required", refusal.Message)
	w.connect(secured(w.config(asShop), ""))
}
