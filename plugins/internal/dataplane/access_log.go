package dataplane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/plurabase/plurabase/store"
)

// What nginx tells of a request when it is over, as kong/Dockerfile has it tell that: fields between tabs, each as within a text of JSON.
// What a request has not is empty. Of several upstreams that were tried, the fields about them name each.
const (
	fieldTime      = iota // seconds since 1970, behind what syslog begins a line with
	fieldID               // 32 hexadecimal digits
	fieldClient           // the client's address
	fieldHost             // the header
	fieldMethod           // GET
	fieldTarget           // path and query as they were sent
	fieldAgent            // the header User-Agent
	fieldReceived         // bytes of the request
	fieldStatus           // of the answer
	fieldSent             // bytes of the answer
	fieldSeconds          // from the request's first byte to the answer's last
	fieldOrigin           // seconds that the upstream took
	fieldUpstream         // the upstream's address
	accessLogCount        // of fields
)

// maxAccessLine is more than nginx has in a line: the head of a request has 8 KiB for each line at most.
const maxAccessLine = 64 << 10

// FollowAccessLog counts what was sent, and keeps the projects' logs of requests, until ctx ends: each datagram is a line of an access
// log in syslog's form. So both cost a request nothing.
func (g *Gateway) FollowAccessLog(ctx context.Context, log net.PacketConn) {
	stop := context.AfterFunc(ctx, func() { _ = log.Close() })
	defer stop()
	line := make([]byte, maxAccessLine)
	for {
		n, _, err := log.ReadFrom(line)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			g.takeLine(line[:n])
		}
	}
}

func (g *Gateway) takeLine(line []byte) {
	fields := bytes.Split(line, []byte{'\t'})
	if len(fields) != accessLogCount {
		return
	}
	g.countSent(fields)
	if g.table.requests.most == 0 {
		return
	}
	path, query, ok := split(unescape(fields[fieldTarget]))
	if !ok {
		return
	}
	host := unescape(fields[fieldHost])
	p, path, ok := g.find(host, path)
	if !ok {
		return
	}
	g.table.requests.add(store.EdgeRequest{
		ProjectID: p.ID, At: momentOf(fields[fieldTime]), RequestID: clip(unescape(fields[fieldID]), 64), Client: addressOf(fields[fieldClient]),
		Host: clip(host, 255), Method: clip(unescape(fields[fieldMethod]), 32), Path: clip(path, maxText), Search: clip(masked(query), maxText),
		UserAgent: clip(unescape(fields[fieldAgent]), maxText), Received: number(fields[fieldReceived]), Status: int(number(fields[fieldStatus])),
		Sent: number(fields[fieldSent]), Took: duration(fields[fieldSeconds]), Origin: duration(lastOf(fields[fieldOrigin])),
	})
}

// countSent takes the last address where nginx tried several. What went elsewhere than to a project is nobody's.
func (g *Gateway) countSent(fields [][]byte) {
	address, err := netip.ParseAddrPort(string(lastOf(fields[fieldUpstream])))
	if err != nil {
		return
	}
	if found, ok := g.table.byTarget(address); ok {
		found.project.counts[found.service].egress.Add(number(fields[fieldSent]))
	}
}

// lastOf is the last one of several, which nginx puts commas or colons between.
func lastOf(field []byte) []byte {
	all := bytes.Fields(field)
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// maxText is how much is kept of a text that a client chose.
const maxText = 1024

func clip(text string, most int) string {
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "")
}

// unescape takes JSON's escapes away, and what Postgres takes in no text.
func unescape(field []byte) string {
	text := string(field)
	if bytes.IndexByte(field, '\\') >= 0 && json.Unmarshal([]byte(`"`+text+`"`), &text) != nil {
		return ""
	}
	return strings.ReplaceAll(text, "\x00", "")
}

// number is 0 where it is none.
func number(field []byte) int64 {
	n, err := strconv.ParseInt(string(field), 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

func duration(field []byte) time.Duration {
	seconds, err := strconv.ParseFloat(string(field), 64)
	if err != nil {
		return 0
	}
	return time.Duration(math.Round(seconds*1000)) * time.Millisecond
}

// momentOf is of seconds with three digits behind their point, which nginx always writes.
func momentOf(field []byte) time.Time {
	return time.UnixMilli(number(bytes.ReplaceAll(lastOf(field), []byte{'.'}, nil)))
}

// addressOf is none where it is not one.
func addressOf(field []byte) netip.Addr {
	address, err := netip.ParseAddr(string(field))
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

// secretParameters are parts of the names that a query's parameters have which open something: API keys, session tokens, signatures of
// links, codes of mails, and what a sign-in at another site comes back with.
var secretParameters = []string{"key", "token", "jwt", "code", "secret", "password", "sign", "credential", "auth", "state", "nonce", "otp"}

// masked is a query without the values of such parameters, and without tokens wherever they stand.
func masked(query string) string {
	if query == "" {
		return ""
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		if value != "" && (isSecret(name) || strings.HasPrefix(value, "eyJ") || strings.HasPrefix(value, "sb_secret_")) {
			parts[i] = name + "=***"
		}
	}
	return "?" + strings.Join(parts, "&")
}

func isSecret(name string) bool {
	decoded, ok := decode(strings.ToLower(name))
	if !ok {
		return true // nobody knows what it says
	}
	for _, part := range secretParameters {
		if strings.Contains(decoded, part) {
			return true
		}
	}
	return false
}
