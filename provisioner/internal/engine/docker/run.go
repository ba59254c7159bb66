package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// Run implements engine.Engine.
func (e *Engine) Run(ctx context.Context, name string, command stack.Command) (string, error) {
	var printed bytes.Buffer
	err := e.Pipe(ctx, name, command, strings.NewReader(command.Input), &printed)
	if err != nil {
		return "", err
	}
	return printed.String(), nil
}

// maxComplaints is how much of a command's errors is read for their last line.
const maxComplaints = 64 << 10

// Pipe implements engine.Data.
func (e *Engine) Pipe(ctx context.Context, name string, command stack.Command, in io.Reader, out io.Writer) error {
	created, err := e.client.ContainerExecCreate(ctx, name, container.ExecOptions{
		Cmd: command.Args, Env: command.Env.List(), AttachStdin: true, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return translate(err)
	}
	attached, err := e.client.ContainerExecAttach(ctx, created.ID, container.ExecAttachOptions{})
	if err != nil {
		return translate(err)
	}
	defer attached.Close()
	defer context.AfterFunc(ctx, attached.Close)() // reading from the connection does not end with ctx by itself

	fed := make(chan error, 1)
	go func() {
		_, err := io.Copy(attached.Conn, in)
		fed <- errors.Join(err, attached.CloseWrite())
	}()
	complaints := &tail{}
	_, err = stdcopy.StdCopy(out, complaints, attached.Reader)
	if err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("read from %s: %w", command, err))
	}
	ended, err := e.client.ContainerExecInspect(ctx, created.ID)
	if err != nil {
		return translate(err)
	}
	if ended.ExitCode != 0 {
		return fmt.Errorf("%s exited with code %d: %s", command.Args[0], ended.ExitCode, lastLine(complaints.String()))
	}
	// A command that ended well may have left some of its input unread.
	select {
	case err := <-fed:
		if err != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("write to %s: %w", command, err))
		}
	default:
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	n, err := t.Buffer.Write(p)
	if more := t.Len() - maxComplaints; more > 0 {
		t.Next(more)
	}
	return n, err
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
