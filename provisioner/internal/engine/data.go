package engine

import (
	"context"
	"io"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// Data moves what is inside containers, for backups.
type Data interface {
	// Pipe runs a command inside a container. It reads its input from in, in place of the command's own, and what it prints is
	// written to out as it comes. Its failure is the last line of the command's errors. When ctx ends, the command may still run.
	Pipe(ctx context.Context, container string, command stack.Command, in io.Reader, out io.Writer) error
	// ReadFolder returns what is in a container's folder as a tar archive. The container need not run. ErrNotFound: there is no
	// such container or folder.
	ReadFolder(ctx context.Context, container, path string) (io.ReadCloser, error)
	// WriteFolder unpacks a tar archive into a container's folder, over what is there.
	WriteFolder(ctx context.Context, container, path string, archive io.Reader) error
	// CreateScratch makes a container that belongs to no project and has no network. Its mounts that name no volume get
	// volumes of their own, which RemoveScratch removes.
	CreateScratch(ctx context.Context, service stack.Service) error
	// RemoveScratch removes the scratch containers that carry all the labels, with their own volumes. Nothing without the label
	// of a scratch is ever removed by it.
	RemoveScratch(ctx context.Context, labels map[string]string) error
	// Scratches returns the labels of every scratch container and volume of the target.
	Scratches(ctx context.Context, target string) ([]map[string]string, error)
}
