package pgproxy

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
)

// start brings a client to the database of the project that it names, or tells it why it does not.
func (p *Proxy) start(ctx context.Context, c *client, start *pgproto3.StartupMessage, begun func()) {
	if p.settings.RequireTLS && !c.secure { // before anything is said of what is here
		refuse(c, plainText)
		return
	}
	named := dataplane.Naming{Host: c.host, Refs: takeRefs(start.Parameters)}
	database, refused := p.projects.Database(named, c.address)
	if refused != nil {
		refuse(c, refusalOf(refused))
		return
	}
	if database.SSLEnforced && !c.secure {
		refuse(c, plainText)
		return
	}
	leave, full := p.limits.take(database.Ref)
	if full != nil {
		refuse(c, *full)
		return
	}
	defer leave()
	begun()
	db, err := p.dial(ctx, database.Address, start)
	if err != nil {
		p.log.Warn("a project's database could not be reached", "project", database.Ref, "error", err.Error())
		refuse(c, unreachable)
		return
	}
	defer func() { _ = db.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = db.Close() })
	defer stop()
	count("passed")
	deadline := time.Now().Add(loginTimeout)
	_, _ = c.SetDeadline(deadline), db.SetDeadline(deadline)
	s := session{client: c, db: db, database: database, cancels: &p.cancels}
	s.relay()
}

// message is one that the frontend sends.
type message interface{ Encode([]byte) ([]byte, error) }

// dial connects to a database, and sends it the first message.
func (p *Proxy) dial(ctx context.Context, address netip.AddrPort, first message) (net.Conn, error) {
	encoded, err := first.Encode(nil)
	if err != nil {
		return nil, err
	}
	conn, err := p.dialer.DialContext(ctx, "tcp", address.String())
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(dialTimeout))
	if _, err := conn.Write(encoded); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// session is a client's connection together with the database's.
type session struct {
	client   *client
	db       net.Conn
	database dataplane.Database
	cancels  *cancels
	forget   func() // the key by which its queries are cancelled; nil until it is known
}

// relay passes bytes both ways, until both sides have said all, or one of them is gone.
func (s *session) relay() {
	var both sync.WaitGroup
	both.Go(func() {
		if err := pump(s.db, s.client, nil); err != nil {
			s.cut()
			return
		}
		closeWrite(s.db) // it ends when it has answered
	})
	both.Go(func() {
		if err := s.fromDatabase(); err != nil {
			s.cut()
			return
		}
		closeWrite(s.client.Conn)
		_ = s.client.SetReadDeadline(time.Now().Add(lingerTimeout))
	})
	both.Wait()
	if s.forget != nil {
		s.forget()
	}
}

func (s *session) cut() { _, _ = s.client.Close(), s.db.Close() }

func (s *session) fromDatabase() error {
	from := bufio.NewReaderSize(s.db, smallBuffer)
	if err := s.login(from); err != nil {
		if isEnd(err) { // it refused, and said why
			return nil
		}
		return err
	}
	var never time.Time
	_, _ = s.client.SetDeadline(never), s.db.SetDeadline(never)
	return pump(s.client, from, s.database.Sent)
}

// What the database says of itself (53.7, "Message Formats", of Postgres' manual).
const (
	backendKeyData = 'K'
	readyForQuery  = 'Z'
	messageHead    = 5 // a letter, and the length of what follows with that of itself
	maxKey         = 4 + 256
)

// login passes on what the database says until the client is in, and keeps the key of its queries before the client has it.
func (s *session) login(from *bufio.Reader) error {
	to := bufio.NewWriterSize(s.client, smallBuffer)
	for {
		if from.Buffered() < messageHead { // somebody waits for what was written
			if err := to.Flush(); err != nil {
				return err
			}
		}
		head, err := from.Peek(messageHead)
		if err != nil {
			return err
		}
		kind, size := head[0], binary.BigEndian.Uint32(head[1:])
		if size < codeSize {
			return errNoPostgres
		}
		if kind == backendKeyData && size <= codeSize+maxKey {
			whole, err := from.Peek(int(size) + 1)
			if err != nil {
				return err
			}
			s.forget = s.cancels.keep(string(whole[messageHead:]), s.database.Address)
		}
		if _, err := io.CopyN(to, from, int64(size)+1); err != nil {
			return err
		}
		s.database.Sent(int(size) + 1)
		if kind == readyForQuery {
			return to.Flush()
		}
	}
}

const (
	// smallBuffer is what a connection has in each direction: most are idle, or answer little.
	smallBuffer = 4 << 10
	// largeBuffer is for one that has filled the small one.
	largeBuffer = 32 << 10
)

// pump passes on what is read until there is no more, and says to sent how much.
func pump(to io.Writer, from io.Reader, sent func(bytes int)) error {
	buffer := make([]byte, smallBuffer)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
			if sent != nil {
				sent(n)
			}
		}
		switch {
		case err == nil:
		case isEnd(err):
			return nil
		default:
			return err
		}
		if n == smallBuffer && len(buffer) == smallBuffer {
			buffer = make([]byte, largeBuffer)
		}
	}
}
