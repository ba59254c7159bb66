package telemetry

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Variable is the setting that says where a process answers, TokenVariable who is told more than whether it can work.
const (
	Variable      = "PLURABASE_METRICS_LISTEN"
	TokenVariable = "PLURABASE_METRICS_TOKEN"
)

// Settings are how a process is watched.
type Settings struct {
	Listen Listen `env:"PLURABASE_METRICS_LISTEN"`
	// Token is what Prometheus sends as its bearer token; empty: whoever reaches the listener sees the metrics.
	Token string `env:"PLURABASE_METRICS_TOKEN"`
}

// Listen says where the processes of one environment answer: `host:port`; an absolute folder, in which each makes a socket
// `<name>.metrics`; or, where several processes share the environment and each needs a port of its own, as Kong's plugins do,
// `name=host:port` for each, separated by commas.
type Listen string

// errAddress says what the setting may hold.
var errAddress = errors.New(Variable + " must be host:port, an absolute folder, or name=host:port for each process, separated by commas")

// place is where one process answers.
type place struct{ network, address string }

// of returns where the process of that name answers; the zero place where it does not.
func (l Listen) of(name string) (place, error) {
	for entry := range strings.SplitSeq(string(l), ",") {
		entry = strings.TrimSpace(entry)
		whose, address, named := strings.Cut(entry, "=")
		switch {
		case entry == "" || named && whose != name:
			continue
		case !named:
			address = entry
		}
		return placeOf(address, name)
	}
	return place{}, nil
}

func placeOf(address, name string) (place, error) {
	if filepath.IsAbs(address) {
		return place{"unix", filepath.Join(address, name+".metrics")}, nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return place{}, errAddress
	}
	return place{"tcp", address}, nil
}

// listen opens the place. A socket is taken over from the process before this one, which may be about to end.
func (p place) listen() (net.Listener, error) {
	if p.network != "unix" {
		return net.Listen(p.network, p.address) //nolint:noctx // it is held until the process ends
	}
	if err := os.Remove(p.address); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("take the socket over: %w", err)
	}
	listener, err := net.ListenUnix(p.network, &net.UnixAddr{Name: p.address, Net: p.network})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false) // by then it may be the next process'
	return listener, nil
}
