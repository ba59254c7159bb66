package backup

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/plurabase/plurabase/store"
)

// Schedule says when the projects of a target are backed up. The zero value: only when somebody asks.
type Schedule struct {
	text string
	next cron.Schedule
}

// UnmarshalText reads a cron expression of five fields, one of cron's names as @daily, or an interval as 12h.
func (s *Schedule) UnmarshalText(text []byte) error {
	*s = Schedule{text: string(text)}
	if s.text == "" || s.text == "off" {
		s.text = ""
		return nil
	}
	spec := s.text
	if interval, err := time.ParseDuration(spec); err == nil {
		if interval < time.Minute {
			return errors.New("must not be shorter than a minute")
		}
		spec = "@every " + spec
	}
	var err error
	if s.next, err = cron.ParseStandard(spec); err != nil {
		return fmt.Errorf("must be a cron expression, as `0 3 * * *`, or an interval, as 24h: %w", err)
	}
	return nil
}

// String returns the schedule as it was written; empty where there is none.
func (s Schedule) String() string { return s.text }

// retryAfter is how long a project is left alone whose scheduled backup failed.
const retryAfter = time.Hour

// due tells whether a project's backup is due. Each project is late by a share of the jitter of its own, always the same.
func (s Schedule) due(candidate store.BackupCandidate, jitter time.Duration, now time.Time) bool {
	if s.next == nil {
		return false
	}
	last := candidate.CreatedAt
	if candidate.LastGood != nil {
		last = *candidate.LastGood
	}
	if try := candidate.LastTry; try != nil && try.After(last) && now.Before(try.Add(retryAfter)) {
		return false
	}
	return !now.Before(s.next.Next(last.UTC()).Add(share(candidate.Ref, jitter)))
}

func share(ref store.Ref, jitter time.Duration) time.Duration {
	if jitter <= 0 {
		return 0
	}
	digest := fnv.New32a()
	_, _ = digest.Write([]byte(ref)) // a hash never fails
	return time.Duration(digest.Sum32()) % jitter
}

// Tick says where the backups are, asks for those that are due, and removes those that are no longer kept. It is called again
// and again; what it could not do this time it does the next.
// Where no backups are made, that is said once.
func (k *Keeper) Tick(ctx context.Context) error {
	if !k.Makes() {
		if k.forgotten {
			return nil
		}
		err := k.Store.ForgetBackupTarget(ctx, k.Settings.Target)
		k.forgotten = err == nil
		return err
	}
	url, schedule := k.Settings.PublicURL, k.Settings.Schedule.String()
	err := k.Store.NoteBackupTarget(ctx, store.BackupTarget{
		Target: k.Settings.Target, Host: k.Settings.Host, Directory: k.Settings.Directory, PublicURL: &url, Schedule: &schedule,
	})
	return errors.Join(err, k.schedule(ctx, time.Now()), k.clean(ctx))
}

func (k *Keeper) schedule(ctx context.Context, now time.Time) error {
	if k.Settings.Schedule.next == nil {
		return nil
	}
	candidates, making, err := k.Store.BackupCandidates(ctx, k.Settings.Target)
	if err != nil {
		return err
	}
	for _, candidate := range candidates {
		if making >= k.Settings.Concurrent {
			return nil
		}
		if !k.Settings.Schedule.due(candidate, k.Settings.Jitter, now) {
			continue
		}
		asked, err := k.Store.ScheduleBackup(ctx, candidate)
		if err != nil {
			return err
		}
		if asked {
			making++
		}
	}
	return nil
}
