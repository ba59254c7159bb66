package pgproxy

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	// maxStartup is the largest packet that a connection may begin with, in bytes: MAX_STARTUP_PACKET_LENGTH of Postgres
	// (src/include/libpq/pqcomm.h). A password is not in it.
	maxStartup = 10_000
	// codeSize is the size of the number that says what a packet is, and of the one before it, which says how long.
	codeSize = 4
	// maxPackets are those before TLS, before GSSAPI, and the one that begins or cancels.
	maxPackets = 3

	// The codes of src/include/libpq/pqcomm.h. What is none of them is a version.
	codeCancel = 80877102
	codeTLS    = 80877103
	codeGSS    = 80877104
	major      = 3 // of the protocol, in the version's upper half
	// handshake is what a TLS record begins with that opens a connection. As the length of a packet it would be far too large, so that TLS
	// at once (sslnegotiation=direct, from Postgres 17 on) can be told from TLS that is asked for.
	handshake = 0x16
	// alpn is what clients say that begin with TLS at once, so that a connection for another protocol cannot be passed off as one for this.
	alpn = "postgresql"
)

// errNoPostgres says that what came is not of Postgres' protocol: a stranger's, a scanner's, or a browser's.
var errNoPostgres = errors.New("this is not Postgres' protocol")

// client is one end of a connection.
type client struct {
	net.Conn
	address netip.Addr
	secure  bool   // by TLS
	host    string // the server name that it asked TLS for; empty where it asked for none
}

// opening is what a connection begins with; one of the two.
type opening struct {
	start  *pgproto3.StartupMessage
	cancel *pgproto3.CancelRequest
}

// open reads how the connection begins, and brings it into TLS where the client asks for that.
func (c *client) open(ctx context.Context, certificates Certificates) (opening, error) {
	for range maxPackets {
		var head [codeSize]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return opening{}, err
		}
		if head[0] == handshake && !c.secure {
			c.Conn = &unread{Conn: c.Conn, bytes: head[:]}
			if err := c.handshake(ctx, certificates); err != nil {
				return opening{}, err
			}
			if c.Conn.(*tls.Conn).ConnectionState().NegotiatedProtocol != alpn {
				return opening{}, errNoPostgres
			}
			continue
		}
		body, err := readBody(c, head)
		if err != nil {
			return opening{}, err
		}
		message, err := parse(body)
		if err != nil {
			return opening{}, err
		}
		switch m := message.(type) {
		case *pgproto3.StartupMessage:
			return opening{start: m}, nil
		case *pgproto3.CancelRequest:
			return opening{cancel: m}, nil
		case *pgproto3.GSSEncRequest:
			_, err = c.Write([]byte{'N'})
		case *pgproto3.SSLRequest:
			err = c.secureOnRequest(ctx, certificates)
		}
		if err != nil {
			return opening{}, err
		}
	}
	return opening{}, errNoPostgres
}

// readBody reads what follows the length of a packet, and not a byte more: that may be TLS, and what was sent in plain
// text must not be taken for something that was sent by TLS.
func readBody(from io.Reader, head [codeSize]byte) ([]byte, error) {
	size := binary.BigEndian.Uint32(head[:])
	if size < 2*codeSize || size > maxStartup {
		return nil, errNoPostgres
	}
	body := make([]byte, size-codeSize)
	_, err := io.ReadFull(from, body)
	return body, err
}

// parse tells what a packet is, without its length.
func parse(body []byte) (pgproto3.FrontendMessage, error) {
	var message pgproto3.FrontendMessage
	code := binary.BigEndian.Uint32(body)
	switch {
	case code == codeTLS:
		message = &pgproto3.SSLRequest{}
	case code == codeGSS:
		message = &pgproto3.GSSEncRequest{}
	case code == codeCancel:
		message = &pgproto3.CancelRequest{}
	case code>>16 == major:
		return parseStart(body, code)
	default:
		return nil, errNoPostgres
	}
	if err := message.Decode(body); err != nil {
		return nil, errNoPostgres // pgproto3's words may have in them what was sent
	}
	return message, nil
}

// parseStart takes any minor version: whether it can speak that is for the database to say, and all have one form.
func parseStart(body []byte, version uint32) (*pgproto3.StartupMessage, error) {
	known := binary.BigEndian.AppendUint32(make([]byte, 0, len(body)), pgproto3.ProtocolVersion30)
	known = append(known, body[codeSize:]...)
	var message pgproto3.StartupMessage
	if err := message.Decode(known); err != nil {
		return nil, errNoPostgres
	}
	message.ProtocolVersion = version
	return &message, nil
}

func (c *client) secureOnRequest(ctx context.Context, certificates Certificates) error {
	if c.secure {
		return errNoPostgres
	}
	if _, err := c.Write([]byte{'S'}); err != nil {
		return err
	}
	return c.handshake(ctx, certificates)
}

func (c *client) handshake(ctx context.Context, certificates Certificates) error {
	secured := tls.Server(c.Conn, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{alpn}, GetCertificate: certificates})
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", errTLS, err)
	}
	c.Conn, c.secure, c.host = secured, true, secured.ConnectionState().ServerName
	return nil
}

// errTLS says that a client and the port could not agree on TLS: mostly that the client does not trust the certificate.
var errTLS = errors.New("TLS")

// reasonOf is what the end of a connection before it began is counted under.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, errTLS):
		return "tls"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // as that of a health check, and of a port scan
		return "gone"
	default:
		return "protocol"
	}
}

// unread is a connection of which some bytes have been read already.
type unread struct {
	net.Conn
	bytes []byte
}

// Read gives those first.
func (u *unread) Read(p []byte) (int, error) {
	if len(u.bytes) == 0 {
		return u.Conn.Read(p)
	}
	n := copy(p, u.bytes)
	u.bytes = u.bytes[n:]
	return n, nil
}
