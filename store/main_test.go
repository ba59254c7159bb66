package store_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/store/pgserver/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.WithServer(m)) }
