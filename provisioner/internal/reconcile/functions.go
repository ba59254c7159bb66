package reconcile

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// deployFunctions brings the project's functions into the volume of their service, which takes them up by itself. What lies there
// decides, not what was noted: a volume that somebody has emptied is filled again.
func (p *pass) deployFunctions(ctx context.Context) error {
	container := p.wanted.Service(store.ServiceFunctions).Container
	if container == "" {
		return nil
	}
	deployed, err := p.claim.Functions(ctx)
	if err != nil || deployed.Generation == 0 {
		return err // none was ever deployed
	}
	there, err := p.listedFunctions(ctx, container)
	if err != nil {
		return err
	}
	wanted, err := stack.ListFunctions(deployed.Functions).Encode()
	if err != nil {
		return err
	}
	if !bytes.Equal(there, wanted) {
		err = p.record(ctx, "deploy-functions", "other functions are deployed", func(ctx context.Context) error {
			if err := p.writeFunctions(ctx, container, deployed, there); err != nil {
				return err
			}
			return p.Executor.Engine.WriteFolder(ctx, container, stack.FunctionListPath, listArchive(deployed.Generation, wanted))
		})
		if err != nil {
			return err
		}
	}
	return p.claim.FunctionsSynced(ctx, deployed.Generation)
}

// listedFunctions returns the list that the container has, and nothing where it has none.
func (p *pass) listedFunctions(ctx context.Context, container string) ([]byte, error) {
	folder, err := p.Executor.Engine.ReadFolder(ctx, container, stack.FunctionListPath)
	if errors.Is(err, engine.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }()
	for archive := tar.NewReader(folder); ; {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("read the list of functions: %w", err)
		case path.Base(header.Name) == stack.FunctionListFile:
			return io.ReadAll(archive)
		}
	}
}

// writeFunctions writes the folders that the container lacks: those that its list does not name may be there by half. Their time is
// the generation's number: the main service removes none that is newer than its list.
func (p *pass) writeFunctions(ctx context.Context, container string, deployed store.DeployedFunctions, there []byte) error {
	var listed stack.FunctionList
	if json.Unmarshal(there, &listed) != nil {
		listed = nil // it is there by half
	}
	whole := listed.Folders()
	reader, writer := io.Pipe()
	go func() {
		archive := &functionArchive{tar.NewWriter(writer), time.Unix(deployed.Generation, 0)}
		err := archive.folder(stack.FunctionListFolder)
		for _, function := range deployed.Functions {
			if err == nil && !whole[stack.FunctionFolder(function)] {
				err = p.packFunction(ctx, archive, function)
			}
		}
		_ = writer.CloseWithError(errors.Join(err, archive.Close()))
	}()
	err := p.Executor.Engine.WriteFolder(ctx, container, stack.FunctionsPath, reader)
	_ = reader.Close()
	return err
}

func (p *pass) packFunction(ctx context.Context, archive *functionArchive, function store.Function) error {
	files, err := p.claim.FunctionFiles(ctx, function)
	if err != nil {
		return err
	}
	folder := stack.FunctionFolder(function)
	if err := archive.folder(folder); err != nil {
		return err
	}
	for _, file := range files {
		name, clean := store.CleanFunctionPath(file.Path)
		if !clean {
			return fmt.Errorf("the function %s has a file whose path leaves its folder", function.Slug)
		}
		if err := archive.file(path.Join(folder, name), file.Content); err != nil {
			return err
		}
	}
	return nil
}

// listArchive holds the list alone. By its time the main service sees that it is another one.
func listArchive(generation int64, list []byte) io.Reader {
	var packed bytes.Buffer
	archive := &functionArchive{tar.NewWriter(&packed), time.Unix(generation, 0)}
	// Nothing fails where memory is written to.
	_ = archive.file(stack.FunctionListFile, list)
	_ = archive.Close()
	return &packed
}

// functionArchive is a tar archive in which everything is of one time.
type functionArchive struct {
	*tar.Writer
	changed time.Time
}

func (a *functionArchive) folder(name string) error {
	return a.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: a.changed})
}

func (a *functionArchive) file(name string, content []byte) error {
	err := a.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: a.changed})
	if err == nil {
		_, err = a.Write(content)
	}
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return nil
}
