package server

import (
	"errors"
	"syscall"
)

// isReset tells that Kong closed its end with something unread in it.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
