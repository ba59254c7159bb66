package pluginserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// maxFrame is the largest frame, in bytes. Kong has no such limit; a plugin that asks for more than this is
// broken, and should not take the host's memory with it.
const maxFrame = 256 << 20

// conn is a connection to a plugin whose every read and write has a deadline of its own, as Kong's sockets have.
type conn struct {
	net.Conn
	timeout time.Duration
}

func (c *conn) readFrame() ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return nil, fmt.Errorf("set the deadline: %w", err)
	}
	var header [4]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		return nil, readError(err)
	}
	size := binary.LittleEndian.Uint32(header[:])
	if size > maxFrame {
		return nil, fmt.Errorf("the plugin sends a frame of %d bytes, more than %d", size, maxFrame)
	}
	frame := make([]byte, size)
	if _, err := io.ReadFull(c, frame); err != nil {
		return nil, readError(err)
	}
	return frame, nil
}

// readError turns the end of the stream, wherever in a frame, into the error that makes Kong start over. A reset is
// another error for Kong, so it stays one here.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrClosed
	}
	return fmt.Errorf("read from the plugin: %w", err)
}

func (c *conn) writeFrame(frame []byte) error {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return fmt.Errorf("set the deadline: %w", err)
	}
	if len(frame) > maxFrame {
		return fmt.Errorf("a frame of %d bytes is more than %d", len(frame), maxFrame)
	}
	message := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(frame)), uint32(len(frame))) //nolint:gosec // checked above
	if _, err := c.Write(append(message, frame...)); err != nil {
		return fmt.Errorf("write to the plugin: %w", err)
	}
	return nil
}
