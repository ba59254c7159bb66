//go:build unix

package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/plurabase/plurabase/store/pgserver/child"
)

const (
	// pollEvery is short: a cluster that was shut down answers after some 50 ms.
	pollEvery = 20 * time.Millisecond
	// portTries is how often a free port may be lost to somebody else before it is an error.
	portTries = 5
)

// errPortTaken says that somebody took the port between our looking and Postgres' binding it.
var errPortTaken = errors.New("the port is taken")

// run starts the server, fills in address.Host and returns when the server answers there.
func (c *cluster) run(ctx context.Context, address *url.URL) (*child.Process, error) {
	for try := 1; ; try++ {
		port := c.port
		if port == 0 {
			var err error
			if port, err = freePort(ctx); err != nil {
				return nil, fmt.Errorf("find a free port: %w", err)
			}
		}
		address.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		process, err := c.runOn(ctx, port, address.String())
		if errors.Is(err, errPortTaken) && c.port == 0 && try < portTries {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("start Postgres on %s: %w", address.Host, err)
		}
		return process, nil
	}
}

func (c *cluster) runOn(ctx context.Context, port int, address string) (*child.Process, error) {
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open its log: %w", err)
	}
	defer func() { _ = log.Close() }()

	cmd := c.command(context.WithoutCancel(ctx), "postgres") // ctx is for the start alone
	data, giveBack, err := c.lend(cmd, c.data())
	if err != nil {
		return nil, fmt.Errorf("open its cluster: %w", err)
	}
	defer giveBack()
	cmd.Args = append(cmd.Args, "-D", data)
	for _, setting := range c.settings(port) {
		cmd.Args = append(cmd.Args, "-c", setting)
	}
	cmd.Stdout, cmd.Stderr = log, log
	process, err := child.Start(cmd, syscall.SIGINT)
	if err != nil {
		return nil, err
	}
	if err := c.waitUntilReady(ctx, process, address); err != nil {
		process.Stop(syscall.SIGINT, stopTimeout)
		return nil, err
	}
	return process, nil
}

func (c *cluster) settings(port int) []string {
	settings := []string{
		"listen_addresses=127.0.0.1",
		"port=" + strconv.Itoa(port),
		"unix_socket_directories=",
		"password_encryption=scram-sha-256",
		"max_connections=200",
		// A failed statement can hold a secret, and the log is an ordinary file.
		"log_min_error_statement=panic",
	}
	if c.throwaway {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
	}
	return settings
}

func (c *cluster) waitUntilReady(ctx context.Context, process *child.Process, address string) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := answers(ctx, address)
		if err == nil || refusesPassword(err) {
			return err
		}
		select {
		case <-process.Done():
			return c.explain(process.Err())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

func answers(ctx context.Context, address string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// refusesPassword tells a server that will never let us in from one that is still starting (SQLSTATE class 28).
func refusesPassword(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && strings.HasPrefix(refused.Code, "28")
}

// explain says why the server ended, in the words of its own log.
func (c *cluster) explain(exit error) error {
	log, err := os.ReadFile(c.logFile())
	if err != nil {
		return fmt.Errorf("it ended (%w), and left no log: %w", exit, err)
	}
	if bytes.Contains(log, []byte("Address already in use")) {
		return errPortTaken
	}
	return fmt.Errorf("it ended: %w: %s", exit, lastLines(log))
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
