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
	created, err := e.client.ContainerExecCreate(ctx, name, container.ExecOptions{
		Cmd: command.Args, Env: command.Env.List(), AttachStdin: true, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return "", translate(err)
	}
	attached, err := e.client.ContainerExecAttach(ctx, created.ID, container.ExecAttachOptions{})
	if err != nil {
		return "", translate(err)
	}
	defer attached.Close()
	defer context.AfterFunc(ctx, attached.Close)() // reading from the connection does not end with ctx by itself

	if _, err := io.WriteString(attached.Conn, command.Input); err != nil {
		return "", errors.Join(ctx.Err(), fmt.Errorf("write to %s: %w", command, err))
	}
	if err := attached.CloseWrite(); err != nil {
		return "", errors.Join(ctx.Err(), fmt.Errorf("end the input of %s: %w", command, err))
	}
	var printed, complaints bytes.Buffer
	if _, err := stdcopy.StdCopy(&printed, &complaints, attached.Reader); err != nil {
		return "", errors.Join(ctx.Err(), fmt.Errorf("read from %s: %w", command, err))
	}
	ended, err := e.client.ContainerExecInspect(ctx, created.ID)
	if err != nil {
		return "", translate(err)
	}
	if ended.ExitCode != 0 {
		return "", fmt.Errorf("%s exited with code %d: %s", command.Args[0], ended.ExitCode, lastLine(complaints.String()))
	}
	return printed.String(), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
