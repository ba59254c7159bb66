package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Nobody collects the logs of the projects' containers: the engine keeps the last of each. Whoever wants to read some asks the
// target's provisioner through Postgres, and waits.

// LogLine is one line of a container's log.
type LogLine struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// LogRequest is what a provisioner is asked of a service's log.
type LogRequest struct {
	ID      int64
	Ref     Ref
	Service string
	Since   time.Time
	Until   time.Time
}

const (
	logChannel = "plurabase_logs" // the payload is a target
	// logPatience is how long whoever asks waits: well within the API's own deadline.
	logPatience = 10 * time.Second
	// logPoll is how often it looks meanwhile. A connection that listens for each request would cost more.
	logPoll = 100 * time.Millisecond
	// logsAtOnce is how many requests of a project may be open: a page of Studio's makes some at once.
	logsAtOnce = 8
)

// Why there are no lines.
var (
	ErrTooManyLogs = errors.New("too many requests for logs at once")
	ErrNoLogs      = errors.New("the logs cannot be had")
)

// Logs asks for the last lines of a service's log from one time to another, oldest first. ErrTooManyLogs: ask later.
// ErrNoLogs: no provisioner answered, or it could not read them.
func (s *Store) Logs(ctx context.Context, project Project, service string, since, until time.Time) ([]LogLine, error) {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	var id int64
	err := s.pool.QueryRow(ctx, `
		with asked as (
			insert into platform.log_requests (project_id, target, service, since, until)
			select $1, $2, $3, $4, $5 where (
				select count(*) < $6 from platform.log_requests
				where project_id = $1 and created_at > clock_timestamp() - $7::interval)
			returning id
		)
		select id from asked, pg_notify($8, $2)`,
		project.ID, project.Target, service, since, until, logsAtOnce, logPatience, logChannel).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrTooManyLogs
	}
	if err != nil {
		return nil, wrap("ask for logs", err)
	}
	defer func() {
		forgetting, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = s.pool.Exec(forgetting, `delete from platform.log_requests where id = $1`, id) // else TakeLogRequest does
	}()
	return s.awaitLogs(ctx, id)
}

func (s *Store) awaitLogs(ctx context.Context, id int64) ([]LogLine, error) {
	poll := time.NewTicker(logPoll)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: nobody answered", ErrNoLogs)
		}
		var answer []byte
		var failure *string
		err := s.pool.QueryRow(ctx, `select answer, failure from platform.log_requests where id = $1`, id).Scan(&answer, &failure)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w: nobody answered", ErrNoLogs)
		case err != nil:
			return nil, wrap("read the logs", err)
		case failure != nil:
			return nil, fmt.Errorf("%w: %s", ErrNoLogs, *failure)
		case answer != nil:
			var lines []LogLine
			err = json.Unmarshal(answer, &lines)
			return lines, wrap("read the logs", err)
		}
	}
}

// ListenForLogRequests calls wake once it hears, and whenever logs of the target are asked for, until ctx ends or the
// connection breaks.
func (s *Store) ListenForLogRequests(ctx context.Context, target string, wake func()) error {
	return s.listen(ctx, logChannel, target, wake)
}

// TakeLogRequest takes one of a target's requests that nobody has taken. ErrNotFound: there is none. Those that whoever asked
// has given up are dropped.
func (s *Store) TakeLogRequest(ctx context.Context, target string) (LogRequest, error) {
	rows, _ := s.pool.Query(ctx, `
		with given_up as (
			delete from platform.log_requests where created_at < clock_timestamp() - 2 * $2::interval
		)
		update platform.log_requests r set taken_at = clock_timestamp() from platform.projects p
		where p.id = r.project_id and p.target = r.target and r.id = (
			select id from platform.log_requests
			where target = $1 and taken_at is null and created_at > clock_timestamp() - $2::interval
			order by id limit 1 for update skip locked)
		returning r.id, p.ref, r.service, r.since, r.until`, target, logPatience)
	request, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[LogRequest])
	return request, wrap("take a request for logs", err)
}

// AnswerLogRequest gives whoever asked the lines, or says in plain words why there are none.
func (s *Store) AnswerLogRequest(ctx context.Context, id int64, lines []LogLine, failure string) error {
	var answer []byte
	if failure == "" {
		var err error
		if answer, err = json.Marshal(append([]LogLine{}, lines...)); err != nil {
			return fmt.Errorf("encode the logs: %w", err)
		}
	}
	_, err := s.pool.Exec(ctx, `update platform.log_requests set answer = $2, failure = nullif($3, '') where id = $1`, id, answer, failure)
	return wrap("answer a request for logs", err)
}
