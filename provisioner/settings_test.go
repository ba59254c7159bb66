package main

import (
	"bytes"
	"context"
	"reflect"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/images"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func required() map[string]string {
	return map[string]string{"DATABASE_URL": "postgres://localhost/platform", "PLURABASE_MASTER_KEY": storetest.MasterKeyText}
}

func TestTheRequiredSettingsAreEnough(t *testing.T) {
	t.Parallel()
	read, err := readSettings(required())
	require.NoError(t, err)
	require.Equal(t, images.Of(nil), read.Images)
	require.Equal(t, store.DefaultServices, read.Services)
	require.Equal(t, "local", read.Target)
	require.Equal(t, portRange{First: 25000, Last: 29999}, read.PortRange)
	require.Less(t, read.PortRange.Last, uint16(32768), "Linux takes the ports of outgoing connections from there")
}

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := readSettings(map[string]string{
		"PLURABASE_MASTER_KEY": "too-short-a-secret", "PLURABASE_DB_ADDRESS": "somewhere", "PLURABASE_PORT_RANGE": "30000-25000",
		"PLURABASE_SUBNET_BITS": "8", "PLURABASE_WORKERS": "0", "PLURABASE_LEASE": "soon", "PLURABASE_LOG_FORMAT": "xml",
		"PLURABASE_FAIL": "create-network", "PLURABASE_CRASH": "create-network", "PLURABASE_SERVICES": "db,mail",
	})
	require.Error(t, err)
	for _, part := range []string{
		`DATABASE_URL`, `openssl rand -base64 32`, `PLURABASE_DB_ADDRESS must be host or network`, `must be first-last`,
		`PLURABASE_SUBNET_BITS must lie`, `PLURABASE_WORKERS must be at least 1`, `"soon"`, `PLURABASE_LOG_FORMAT must be json or text`,
		`"create-network" is not step:times`, `must be operation/step`, `PLURABASE_SERVICES: There is no service "mail".`,
	} {
		require.ErrorContains(t, err, part)
	}
	require.NotContains(t, err.Error(), "too-short-a-secret")
}

func TestTheUsageNamesEverySetting(t *testing.T) {
	t.Parallel()
	var out, errors bytes.Buffer
	require.NoError(t, run(context.Background(), []string{"-h"}, nil, &out, &errors))
	parameters, err := env.GetFieldParams(&settings{})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(parameters), reflect.TypeFor[settings]().NumField())
	for _, parameter := range parameters {
		require.Contains(t, out.String(), "  "+parameter.Key+" ")
	}
}

func TestTheVersionIsPrinted(t *testing.T) {
	t.Parallel()
	var out, errors bytes.Buffer
	require.NoError(t, run(context.Background(), []string{"-version"}, nil, &out, &errors))
	require.NotEmpty(t, out.String())
}
