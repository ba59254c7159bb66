package api

import (
	"net"
	"strconv"
)

// PostgresPort is where the world reaches the gateway's one Postgres port for every project.
type PostgresPort struct {
	Host string
	Port int32
}

// PlainText is what becomes of connections to the gateway's Postgres port without TLS.
type PlainText int

// What becomes of them.
const (
	PlainTextNowhere PlainText = iota // there is no such port
	PlainTextTaken                    // each project says for itself
	PlainTextRefused                  // the operator wants none
)

// defaultPostgresPort is the port that clients take where they are told none, and the only one that the CLI knows.
const defaultPostgresPort = 5432

// hostPattern lets nothing into a connection string that would change it.
var hostPattern = pattern(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// ParsePostgresPort reads host, or host:port.
func ParsePostgresPort(text string) (PostgresPort, bool) {
	host, port := text, strconv.Itoa(defaultPostgresPort)
	if h, p, err := net.SplitHostPort(text); err == nil {
		host, port = h, p
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || !hostPattern().MatchString(host) {
		return PostgresPort{}, false
	}
	return PostgresPort{Host: host, Port: int32(number)}, true
}
