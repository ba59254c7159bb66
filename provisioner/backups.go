package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/backup"
	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/store"
)

// backupSettings are those of backups: see docs/backups.md.
type backupSettings struct {
	Directory  string          `env:"PLURABASE_BACKUP_DIR"`
	Schedule   backup.Schedule `env:"PLURABASE_BACKUP_SCHEDULE" envDefault:"@daily"`
	Jitter     time.Duration   `env:"PLURABASE_BACKUP_JITTER" envDefault:"30m"`
	Keep       int             `env:"PLURABASE_BACKUP_KEEP" envDefault:"7"`
	KeepDays   int             `env:"PLURABASE_BACKUP_KEEP_DAYS" envDefault:"0"`
	FinalDays  int             `env:"PLURABASE_FINAL_BACKUP_DAYS" envDefault:"0"`
	Final      bool            `env:"PLURABASE_FINAL_BACKUP" envDefault:"false"`
	Concurrent int             `env:"PLURABASE_BACKUP_CONCURRENT" envDefault:"2"`
	Deadline   time.Duration   `env:"PLURABASE_BACKUP_DEADLINE" envDefault:"6h"`
	Listen     string          `env:"PLURABASE_BACKUP_LISTEN"`
	URL        string          `env:"PLURABASE_BACKUP_URL"`
}

const backupUsage = `  PLURABASE_BACKUP_DIR          where backups are kept, on this host; without it none are made
  PLURABASE_BACKUP_SCHEDULE     when: a cron expression in UTC, an interval as 24h, or off (@daily)
  PLURABASE_BACKUP_JITTER       how far the projects' backups are spread (30m)
  PLURABASE_BACKUP_KEEP         how many are kept of each project and kind; 0: all (7)
  PLURABASE_BACKUP_KEEP_DAYS    after which they are removed; 0: never. The last verified one always stays (0)
  PLURABASE_BACKUP_CONCURRENT   how many scheduled backups are made at once (2)
  PLURABASE_BACKUP_DEADLINE     after which a backup, or a restore, has failed (6h)
  PLURABASE_BACKUP_LISTEN       the address on which downloads are served, as :8090; empty: none are
  PLURABASE_BACKUP_URL          where browsers reach that address, through the gateway, as https://api.example.com/backups
  PLURABASE_FINAL_BACKUP        true: a project that is deleted is backed up first (false)
  PLURABASE_FINAL_BACKUP_DAYS   after which final backups are removed; 0: never (0)
`

func (s backupSettings) check(fail func(wrong bool, problem string)) {
	fail(s.Directory != "" && !filepath.IsAbs(s.Directory), "PLURABASE_BACKUP_DIR must be an absolute path")
	fail(s.Directory == "" && s.Final, "PLURABASE_FINAL_BACKUP needs PLURABASE_BACKUP_DIR")
	fail(s.Keep < 0 || s.KeepDays < 0 || s.FinalDays < 0, "what PLURABASE_BACKUP_KEEP and its like keep must not be negative")
	fail(s.Concurrent < 1, "PLURABASE_BACKUP_CONCURRENT must be at least 1")
	fail(s.Deadline < time.Second, "PLURABASE_BACKUP_DEADLINE must be at least 1s")
	fail(s.URL != "" && s.Listen == "", "PLURABASE_BACKUP_URL needs PLURABASE_BACKUP_LISTEN")
	fail(s.URL != "" && !strings.HasPrefix(s.URL, "http://") && !strings.HasPrefix(s.URL, "https://"),
		"PLURABASE_BACKUP_URL must be an http or https URL")
}

func (s *settings) keeper(state *store.Store, runtime engine.Engine, log *slog.Logger) *backup.Keeper {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &backup.Keeper{Store: state, Engine: runtime, Log: log, Settings: backup.Settings{
		Target: s.Target, Host: host, Directory: s.Backups.Directory, Schedule: s.Backups.Schedule, Jitter: s.Backups.Jitter,
		Retention:  store.Retention{Count: s.Backups.Keep, Days: s.Backups.KeepDays, FinalDays: s.Backups.FinalDays},
		Concurrent: s.Backups.Concurrent, Final: s.Backups.Final, Deadline: s.Backups.Deadline,
		PublicURL: strings.TrimRight(s.Backups.URL, "/"), Poll: pollInterval, RetryMin: retryMin,
	}}
}

// serveBackups serves downloads until ctx ends, where the operator wants it.
func serveBackups(ctx context.Context, address string, keeper *backup.Keeper) error {
	if address == "" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: keeper.Handler(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			keeper.Log.Error("downloads are no longer served", "error", err)
		}
	}()
	return nil
}
