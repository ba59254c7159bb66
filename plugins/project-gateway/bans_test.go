package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/stretchr/testify/require"
)

func TestWhoIsNeverBannedIsReadAsKongReadsWhomItTrusts(t *testing.T) {
	t.Parallel()
	read, err := env.ParseAsWithOptions[banSettings](env.Options{Environment: map[string]string{
		"PLURABASE_BAN_EXEMPT": "192.0.2.0/24, 2001:db8::1", "KONG_TRUSTED_IPS": "198.51.100.1,unix:",
	}})
	require.NoError(t, err)
	require.NoError(t, read.check())
	rules := read.rules()
	require.Equal(t, 10, rules.After)
	require.Equal(t, 30*time.Minute, rules.Duration)
	require.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128"), netip.MustParsePrefix("198.51.100.1/32"),
	}, rules.Exempt)
}

func TestWrongRulesOfBansAreNamed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"PLURABASE_BAN_AFTER": "101", "PLURABASE_BAN_WINDOW": "0s", "PLURABASE_BAN_DURATION": "-1m", "PLURABASE_BAN_EXEMPT": "localhost",
	} {
		read, err := env.ParseAsWithOptions[banSettings](env.Options{Environment: map[string]string{name: value}})
		if err == nil {
			err = read.check()
			require.ErrorContains(t, err, name)
		}
		require.Error(t, err, name)
	}
	off, err := env.ParseAsWithOptions[banSettings](env.Options{Environment: map[string]string{"PLURABASE_BAN_AFTER": "0", "PLURABASE_BAN_WINDOW": "0s"}})
	require.NoError(t, err)
	require.NoError(t, off.check())
}
