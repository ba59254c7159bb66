package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// changesChannel is where Postgres announces what the memory has to forget (migration 0013).
const changesChannel = "plurabase_changes"

const (
	// trustFor is for how long the memory is believed after Postgres was last known to be heard: the longest that a right
	// can outlive its end when the connection breaks.
	trustFor = 900 * time.Millisecond
	// askEvery is how often Postgres is asked whether it is still heard. A connection that was cut, rather than closed, is
	// silent as one on which nothing happens.
	askEvery = 300 * time.Millisecond
	// listenAgainAfter is the pause after a connection that could not be made.
	listenAgainAfter = 250 * time.Millisecond
	// idleAfter is when the connection is given up that nobody has asked for since.
	idleAfter = time.Minute
)

// listener hears of changes, from the first time that somebody asks whether it does.
type listener struct {
	pool   *pgxpool.Pool
	memory *memory
	start  time.Time
	// heardUntil is when the memory stops being believed, since start.
	heardUntil atomic.Int64
	// asked is when somebody last wanted to know, since start.
	asked atomic.Int64
	wake  chan struct{}
	stop  context.CancelFunc
	ended chan struct{}
}

func startListener(pool *pgxpool.Pool, m *memory) *listener {
	ctx, stop := context.WithCancel(context.Background()) // it ends with close
	l := &listener{pool: pool, memory: m, start: time.Now(), wake: make(chan struct{}, 1), stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		l.run(ctx)
	}()
	return l
}

func (l *listener) close() {
	l.stop()
	<-l.ended
}

// hears tells whether everything that was committed until a moment ago has been heard.
func (l *listener) hears() bool {
	now := int64(time.Since(l.start))
	if last := l.asked.Load(); now-last > int64(askEvery) {
		l.asked.Store(now)
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return now < l.heardUntil.Load()
}

func (l *listener) run(ctx context.Context) {
	for {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
		if err := l.listen(ctx); err != nil {
			select {
			case <-time.After(listenAgainAfter):
			case <-ctx.Done():
				return
			}
		}
	}
}

// listen hears changes until the connection breaks or nobody asks any more.
func (l *listener) listen(ctx context.Context) error {
	defer l.heardUntil.Store(0)
	config := l.pool.Config().ConnConfig.Copy()
	conn, err := pgx.ConnectConfig(ctx, config) // not one of the pool's, which may be all in use
	if err != nil {
		return wrap("connect to hear of changes", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "listen "+changesChannel); err != nil {
		return wrap("listen to changes", err)
	}
	l.memory.forgetAll() // nobody heard what was announced until now
	for {
		if err := l.ask(ctx, conn); err != nil {
			return err
		}
		if err := l.hear(ctx, conn, askEvery); err != nil {
			return err
		}
		if idle := int64(time.Since(l.start)) - l.asked.Load(); idle > int64(idleAfter) {
			return nil
		}
	}
}

// ask makes sure that the connection works. Postgres sends what was announced before it answers.
func (l *listener) ask(ctx context.Context, conn *pgx.Conn) error {
	began := time.Since(l.start)
	ctx, cancel := context.WithTimeout(ctx, trustFor)
	defer cancel()
	if err := conn.Ping(ctx); err != nil {
		return wrap("ask whether changes are heard", err)
	}
	if err := l.hear(ctx, conn, 0); err != nil {
		return err
	}
	l.heardUntil.Store(int64(began + trustFor))
	return nil
}

// hear takes what is announced in a while; with none, what has arrived.
func (l *listener) hear(ctx context.Context, conn *pgx.Conn, while time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, while)
	defer cancel()
	for {
		announced, err := conn.WaitForNotification(ctx)
		switch {
		case pgconn.Timeout(err) && !conn.IsClosed():
			return nil
		case err != nil:
			return wrap("hear of changes", err)
		}
		l.memory.forget(announced.Payload)
	}
}
