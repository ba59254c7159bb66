package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/plurabase/plurabase/store/pgserver/child"
)

// cleanUpTime is what mmdebstrap gets to unmount and remove what it has made, when it is told to stop.
const cleanUpTime = 30 * time.Second

// build starts mmdebstrap and returns the image's filesystem, a tar, as it is made. Reading fails where mmdebstrap
// failed, so that half a filesystem is never taken for a whole one.
func (r *recipe) build(ctx context.Context, logger *slog.Logger) (*filesystem, error) {
	folder, err := unpack()
	if err != nil {
		return nil, fmt.Errorf("write the files of the image: %w", err)
	}
	tar, output := io.Pipe()
	messages := &messages{logger: logger}
	cmd := exec.CommandContext(ctx, "mmdebstrap", r.arguments(folder)...)
	cmd.Stdin = strings.NewReader(oneLineEach(r.sources))
	cmd.Stdout, cmd.Stderr = output, messages
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = cleanUpTime
	// In a process group of its own, because it sends its own group a hangup when it fails.
	process, err := child.Start(cmd, syscall.SIGTERM)
	if err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	f := &filesystem{PipeReader: tar, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		defer func() { _ = os.RemoveAll(folder) }()
		err := process.Err()
		if err != nil {
			err = fmt.Errorf("mmdebstrap: %w: %s", err, messages.lastError)
		}
		_ = output.CloseWithError(err) // nil is the end of the tar
	}()
	return f, nil
}

// filesystem is the tar that mmdebstrap writes.
type filesystem struct {
	*io.PipeReader
	done chan struct{}
}

// Close makes mmdebstrap's next write fail, if there is one, and waits until it has cleaned up.
func (f *filesystem) Close() error {
	err := f.PipeReader.Close()
	<-f.done
	return err
}

// messages takes what mmdebstrap says, logs its steps, and keeps the last error.
type messages struct {
	logger    *slog.Logger
	rest      []byte // of a line that has not ended yet
	lastError string
}

// Write implements io.Writer.
func (m *messages) Write(p []byte) (int, error) {
	m.rest = append(m.rest, p...)
	for {
		line, rest, ended := bytes.Cut(m.rest, []byte("\n"))
		if !ended {
			return len(p), nil
		}
		m.rest = rest
		m.take(string(line))
	}
}

func (m *messages) take(line string) {
	if step, ok := strings.CutPrefix(line, "I: "); ok {
		m.logger.Info("mmdebstrap: " + step)
	}
	if cause, ok := strings.CutPrefix(line, "E: "); ok {
		m.lastError = cause
	}
}
