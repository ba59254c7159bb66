package kongtest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// accessLog is the further access log that Options speak of, as nginx' syslog has it: a datagram for each request. A line that
// nobody takes is lost, as nginx' are.
type accessLog struct {
	format template
	socket string

	mutex      sync.Mutex
	connection net.Conn
}

var (
	logFormatText = regexp.MustCompile(`^(\w+) escape=json "(.*)"$`)
	logSocket     = regexp.MustCompile(`^syslog:server=unix:([^,]+),nohostname (\w+)$`)
)

// newAccessLog reads the two directives; there is no log where both are empty.
func newAccessLog(format, log, prefix string) (*accessLog, error) {
	if format == "" && log == "" {
		return nil, nil
	}
	text, target := logFormatText.FindStringSubmatch(format), logSocket.FindStringSubmatch(log)
	if text == nil || target == nil || text[1] != target[2] {
		return nil, fmt.Errorf("kongtest reads no access log %q with the format %q", log, format)
	}
	return &accessLog{format: newTemplate(text[2]), socket: strings.Replace(target[1], "/usr/local/kong", prefix, 1)}, nil
}

// write sends a line: the priority, the time and the tag, as ngx_syslog.c writes them, and what the format makes of the request.
func (l *accessLog) write(x *exchange) {
	line := "<190>" + time.Now().Format(time.Stamp) + " nginx: " + l.format.expand(func(name string) string { return escapeJSON(x.builtIn(name)) })
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.connection == nil {
		connection, err := net.Dial("unixgram", l.socket) //nolint:noctx,gosec // a local socket's is done at once; the configuration names it
		if err != nil {
			return
		}
		l.connection = connection
	}
	_ = l.connection.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := l.connection.Write([]byte(line)); err != nil { // the next line tries a new connection
		l.close()
	}
}

// close is for who holds the mutex.
func (l *accessLog) close() {
	if l.connection != nil {
		_ = l.connection.Close()
		l.connection = nil
	}
}

// escapeJSON is what escape=json makes of a value.
func escapeJSON(value string) string {
	if !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) {
		return value
	}
	encoded, _ := json.Marshal(value) // texts always encode
	return string(encoded[1 : len(encoded)-1])
}

// countedWriter counts an answer's bytes.
type countedWriter struct {
	http.ResponseWriter
	sent int64
}

func (w *countedWriter) Write(data []byte) (int, error) {
	n, err := w.ResponseWriter.Write(data) //nolint:gosec // the answer is the plugin's or the upstream's, to pass on as it is
	w.sent += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// seconds is a time as nginx writes it.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
