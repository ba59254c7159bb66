// Package mailtest is an SMTP server that keeps what it is given.
package mailtest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/mail"
)

// Server listens on a port of its own until the test ends.
type Server struct {
	// Settings lead to the server.
	Settings mail.Settings

	mutex  sync.Mutex
	mails  []string
	refuse bool
}

// New starts a server.
func New(t testing.TB) *Server {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &Server{Settings: mail.Settings{
		Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port,
		Encryption: mail.Plain, Sender: "Plurabase <platform@example.com>",
	}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(connection) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return s
}

// Refuse makes the server turn every mail down.
func (s *Server) Refuse() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.refuse = true
}

// Mails returns what came, headers and all, with soft line breaks joined.
func (s *Server) Mails() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]string(nil), s.mails...)
}

// serve speaks as much of RFC 5321 as a client needs to hand a mail over.
func (s *Server) serve(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	say := func(line string) { _, _ = fmt.Fprint(connection, line+"\r\n") }
	lines := bufio.NewScanner(connection)
	say("220 mailtest")
	for lines.Scan() {
		verb, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " ")
		switch verb {
		case "EHLO", "HELO":
			say("250 mailtest")
		case "DATA":
			say("354 go ahead")
			say(s.receive(lines))
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *Server) receive(lines *bufio.Scanner) string {
	var text strings.Builder
	for lines.Scan() && lines.Text() != "." {
		line, soft := strings.CutSuffix(lines.Text(), "=")
		text.WriteString(line)
		if !soft {
			text.WriteString("\n")
		}
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.refuse {
		return "554 no"
	}
	s.mails = append(s.mails, text.String())
	return "250 kept"
}
