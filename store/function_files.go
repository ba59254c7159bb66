package store

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// FunctionFile is one file of an edge function.
type FunctionFile struct {
	Path    string // relative, with slashes
	Content []byte
}

// maxFunctionPath is the longest path of a function's file, in bytes. With the folder that it ends up in, it stays below
// what Linux allows of a path.
const maxFunctionPath = 1024

// CleanFunctionPath returns the path as it is kept, without `./` and the like. It tells false for one that leaves the
// function's folder, or that is none.
func CleanFunctionPath(given string) (string, bool) {
	if given == "" || len(given) > maxFunctionPath || path.IsAbs(given) || strings.ContainsAny(given, "\\\x00\r\n\"") {
		return "", false
	}
	cleaned := path.Clean(given)
	if cleaned == "." || cleaned == ".." || strings.HasPrefix(cleaned, "../") || strings.HasSuffix(given, "/") {
		return "", false
	}
	for part := range strings.SplitSeq(cleaned, "/") {
		if len(part) > 255 { // Linux: NAME_MAX
			return "", false
		}
	}
	return cleaned, true
}

// PackFunction makes the archive of a function's files. The same files make the same archive. Their paths are clean
// (CleanFunctionPath), and none is there twice.
func PackFunction(files []FunctionFile) ([]byte, error) {
	files = slices.SortedFunc(slices.Values(files), func(a, b FunctionFile) int { return cmp.Compare(a.Path, b.Path) })
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, file := range files {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file.Path, Mode: 0o644, Size: int64(len(file.Content)), ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("pack %s: %w", file.Path, err)
		}
		if _, err := archive.Write(file.Content); err != nil {
			return nil, fmt.Errorf("pack %s: %w", file.Path, err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return nil, fmt.Errorf("pack the function: %w", err)
	}
	return packed.Bytes(), nil
}

// UnpackFunction returns the files of an archive that PackFunction made.
func UnpackFunction(packed []byte) ([]FunctionFile, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack the function: %w", err)
	}
	var files []FunctionFile
	for archive := tar.NewReader(zipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("unpack the function: %w", err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("unpack %s: %w", header.Name, err)
		}
		files = append(files, FunctionFile{header.Name, content})
	}
}
