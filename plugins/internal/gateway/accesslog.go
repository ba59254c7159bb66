package gateway

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// accessLog is the socket, beside the plugins' own, to which nginx sends a line for each request when it is over, where that is set up
// (kong/Dockerfile).
const accessLog = "project-gateway.requests"

// ListenForAccessLog takes the socket over from whoever has it: the process before this one, or nobody any more.
func ListenForAccessLog() (net.PacketConn, error) {
	path := filepath.Join(*kongPrefix, accessLog)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("take the access log's socket over: %w", err)
	}
	log, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("listen for the access log: %w", err)
	}
	return log, nil
}
