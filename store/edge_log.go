package store

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
)

// EdgeRequest is a request to a project, as its gateway saw it.
type EdgeRequest struct {
	ProjectID int64
	At        time.Time // when it was over
	RequestID string    // the gateway's
	Client    netip.Addr
	Host      string
	Method    string
	Path      string // within the project
	Search    string // with its question mark; what opens something is masked
	UserAgent string
	Received  int64 // bytes
	Status    int
	Sent      int64         // bytes
	Took      time.Duration // from its first byte to the answer's last
	Origin    time.Duration // what the project's own service took of that; 0: it was not asked
}

const edgeLogColumns = `project_id, at, request_id, client, host, method, path, search, user_agent, received, status, sent, took, origin`

// edgeLogParts is how many parts the log has: one for each hour of a day, the one that is written to, and the one that was emptied.
const edgeLogParts = 26

func edgeLogPart(at time.Time) int16 {
	const hour = int64(time.Hour / time.Second)
	return int16((at.Unix() / hour) % edgeLogParts)
}

// AddEdgeLog writes requests into their projects' logs.
func (s *Store) AddEdgeLog(ctx context.Context, requests []EdgeRequest) error {
	if len(requests) == 0 {
		return nil
	}
	part := edgeLogPart(s.now())
	source := pgx.CopyFromSlice(len(requests), func(i int) ([]any, error) {
		r := requests[i]
		var client *netip.Addr
		if r.Client.IsValid() {
			client = &r.Client
		}
		return []any{
			part, r.ProjectID, r.At, r.RequestID, client, r.Host, r.Method, r.Path, r.Search, r.UserAgent, r.Received, r.Status, r.Sent,
			r.Took, r.Origin,
		}, nil
	})
	_, err := s.pool.CopyFrom(ctx, pgx.Identifier{"platform", "edge_log"}, edgeLogNames, source)
	return wrap("write the log of requests", err)
}

var edgeLogNames = []string{
	"part", "project_id", "at", "request_id", "client", "host", "method", "path", "search", "user_agent", "received", "status", "sent", "took", "origin",
}

// EdgeLog returns a project's requests from one time to another whose paths begin with a text, the newest first, and no more than most.
func (s *Store) EdgeLog(ctx context.Context, projectID int64, path string, from, to time.Time, most int) ([]EdgeRequest, error) {
	rows, _ := s.pool.Query(ctx, `select `+edgeLogColumns+` from platform.edge_log
		where project_id = $1 and starts_with(path, $2) and at >= $3 and at <= $4 order by at desc limit $5`, projectID, path, from, to, most)
	requests, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r EdgeRequest, err error) {
		var client *netip.Addr
		err = row.Scan(&r.ProjectID, &r.At, &r.RequestID, &client, &r.Host, &r.Method, &r.Path, &r.Search, &r.UserAgent, &r.Received,
			&r.Status, &r.Sent, &r.Took, &r.Origin)
		if client != nil {
			r.Client = *client
		}
		return r, err
	})
	return requests, wrap("read the log of requests", err)
}

// ForgetEdgeLog empties the part of the log that is written to next, whose requests are older than a day.
func (s *Store) ForgetEdgeLog(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Who reads the log is not held up by one that waits for its turn.
		if _, err := tx.Exec(ctx, `set local lock_timeout = '2s'`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, fmt.Sprintf(`truncate platform.edge_log_%d`, edgeLogPart(s.now().Add(time.Hour))))
		return err
	})
	return wrap("forget old requests", err)
}
