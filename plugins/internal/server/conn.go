package server

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// maxFrame is the largest frame that is believed, in bytes: more than any body that Kong passes on in one piece.
const maxFrame = 256 << 20

// errFrame says that what came is no frame: whoever sends is not Kong.
var errFrame = errors.New("the frame is too large")

// conn is a connection from Kong. What go-pdk writes is collected, and leaves in one piece before the next read, for then
// somebody waits for it; what it reads comes out of a buffer. So a frame, its length and all, is one system call each way.
type conn struct {
	net.Conn
	in  *bufio.Reader
	out *bufio.Writer

	// Of the phase that runs; only the goroutine that runs it looks at them.
	last   bool   // its next call is the last one
	ending []byte // the frames that end it; nil when they have left

	mutex   sync.Mutex
	busy    bool // while Kong waits for an answer
	closing bool
}

// A connection that an answer by Exit ends lives for one request: its buffers are used again.
var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, bufferSize) }}
)

// bufferSize holds every frame of a usual request, in bytes.
const bufferSize = 4 << 10

func newConn(c net.Conn) *conn {
	wrapped := &conn{Conn: c, in: readers.Get().(*bufio.Reader), out: writers.Get().(*bufio.Writer)}
	wrapped.in.Reset(c)
	wrapped.out.Reset(c)
	return wrapped
}

// release closes the connection and gives its buffers back. Nothing may use it afterwards.
func (c *conn) release() {
	_ = c.Close() // whatever it says, it is over
	c.in.Reset(nil)
	c.out.Reset(nil)
	readers.Put(c.in)
	writers.Put(c.out)
	c.in, c.out = nil, nil
}

// calls counts what the plugin asked of Kong: each is a round trip between two processes.
var calls = promauto.NewCounter(prometheus.CounterOpts{
	Name: "plurabase_pdk_calls_total", Help: "Calls of the plugin to Kong, each a round trip between two processes.",
})

// Read sends what was written, then reads.
func (c *conn) Read(p []byte) (int, error) {
	if c.out.Buffered() > 0 { // what answers Kong has left by now: this is a call
		calls.Inc()
		if err := c.flushCall(); err != nil {
			return 0, err
		}
	}
	return c.in.Read(p)
}

// flushCall sends a call, and behind the last one of a phase what ends that.
func (c *conn) flushCall() error {
	if c.last {
		_, _ = c.out.Write(c.ending) // Flush tells of it
		c.ending = nil
	}
	return c.out.Flush()
}

// Write keeps p until the next read or flush.
func (c *conn) Write(p []byte) (int, error) {
	if c.last && c.ending == nil {
		return 0, errOver
	}
	return c.out.Write(p)
}

// forget drops what was written and has not left yet.
func (c *conn) forget() { c.out.Reset(c.Conn) }

// readFrame reads one frame into the buffer, which grows where it has to.
func (c *conn) readFrame(buffer []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	size := int(binary.LittleEndian.Uint32(head[:]))
	if size > maxFrame {
		return nil, fmt.Errorf("%w: %d bytes", errFrame, size)
	}
	if size > cap(buffer) {
		buffer = make([]byte, size)
	}
	_, err := io.ReadFull(c, buffer[:size])
	return buffer[:size], err
}

func (c *conn) writeFrame(frame []byte) error {
	_, err := c.Write(appendFrame(nil, frame))
	return err
}

// appendFrame appends a frame: its length, and what it says.
func appendFrame(to, frame []byte) []byte {
	to = binary.LittleEndian.AppendUint32(to, uint32(len(frame))) //nolint:gosec // our own frames are some bytes long
	return append(to, frame...)
}

// begin marks the connection as in use, unless it is to end.
func (c *conn) begin() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.busy = !c.closing
	return c.busy
}

// rest marks the connection as out of use, and tells whether it may go on.
func (c *conn) rest() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.busy = false
	return !c.closing
}

// end lets what is under way finish, and then, or at once where there is nothing, ends the connection.
func (c *conn) end() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.closing = true
	if !c.busy {
		_ = c.SetReadDeadline(time.Now()) // wakes the read that waits for Kong
	}
}
