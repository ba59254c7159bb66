// Package standin makes an image that stands in for those of a project's services which no registry has for us. It is for
// tests, and needs none.
package standin

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

const (
	program    = "github.com/plurabase/plurabase/provisioner/internal/standin/program"
	repository = "plurabase/stand-in"
)

// names are what services and their health checks start, wherever it lies in their images.
var names = []string{"bin/sh", "usr/bin/sh", "usr/bin/bash", "usr/bin/wget", "usr/bin/curl", "usr/bin/postgrest", "usr/bin/imgproxy"}

// EnsureImage builds the program and makes an image of it, unless the engine has that very one. It returns its name.
func EnsureImage(ctx context.Context, docker client.APIClient) (string, error) {
	binary, err := build(ctx)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(binary)
	tag := hex.EncodeToString(digest[:8])
	name := repository + ":" + tag
	if _, err := docker.ImageInspect(ctx, name); err == nil {
		return name, nil
	}
	filesystem, err := pack(binary)
	if err != nil {
		return "", fmt.Errorf("pack the stand-in: %w", err)
	}
	answer, err := docker.ImageImport(ctx, image.ImportSource{Source: filesystem, SourceName: "-"}, repository, image.ImportOptions{
		Tag: tag, Message: "a stand-in, made by plurabase for tests", Changes: []string{`ENTRYPOINT ["/stand-in"]`},
	})
	if err != nil {
		return "", fmt.Errorf("import the stand-in: %w", err)
	}
	defer func() { _ = answer.Close() }()
	_, err = io.Copy(io.Discard, answer)
	return name, err
}

func build(ctx context.Context) ([]byte, error) {
	folder, err := os.MkdirTemp("", "stand-in-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the stand-in: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "stand-in")
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", file, program)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the stand-in: %w\n%s", err, output)
	}
	return os.ReadFile(file)
}

// pack makes a file system of the program and its other names.
func pack(binary []byte) (io.Reader, error) {
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	headers := []tar.Header{
		{Name: "tmp/", Mode: 0o1777, Typeflag: tar.TypeDir},
		{Name: "stand-in", Mode: 0o755, Size: int64(len(binary)), Typeflag: tar.TypeReg},
	}
	for _, name := range names {
		headers = append(headers, tar.Header{Name: name, Linkname: "/stand-in", Mode: 0o777, Typeflag: tar.TypeSymlink})
	}
	for _, header := range headers {
		if err := writer.WriteHeader(&header); err != nil {
			return nil, err
		}
		if header.Typeflag == tar.TypeReg {
			if _, err := writer.Write(binary); err != nil {
				return nil, err
			}
		}
	}
	return &packed, writer.Close()
}
