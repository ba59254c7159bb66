package docker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/plurabase/plurabase/store"
)

// Logs returns the last lines that a container printed from one time to another, oldest first: no more of them, and no more
// bytes, than are asked for. Docker counts its own `tail` from the end of the log whatever the time is, so all are read.
func (e *Engine) Logs(ctx context.Context, name string, since, until time.Time, lines, size int) ([]store.LogLine, error) {
	stream, err := e.client.ContainerLogs(ctx, name, container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Timestamps: true,
		Since: since.UTC().Format(time.RFC3339Nano), Until: until.UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return nil, translate(err)
	}
	defer func() { _ = stream.Close() }() // it was only read
	kept := &lastLines{lines: lines, size: size}
	if _, err := stdcopy.StdCopy(kept, kept, stream); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(ctx.Err(), err)
	}
	return kept.all, nil
}

// lastLines keeps the last of the lines that are written to it, one with each Write, as Docker has them.
type lastLines struct {
	lines, size int // at most
	all         []store.LogLine
	held        int // bytes
}

func (l *lastLines) Write(p []byte) (int, error) {
	stamp, text, _ := bytes.Cut(p, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return len(p), nil // the rest of a line that was too long for one message
	}
	line := store.LogLine{At: at, Text: strings.ToValidUTF8(strings.TrimRight(string(text), "\r\n"), "�")}
	l.all = append(l.all, line)
	l.held += len(line.Text)
	for len(l.all) > l.lines || l.held > l.size && len(l.all) > 1 {
		l.held -= len(l.all[0].Text)
		l.all = l.all[1:]
	}
	return len(p), nil
}
