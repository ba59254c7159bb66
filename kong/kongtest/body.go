package kongtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// body is a request's body once a plugin has asked for it, or has set another one.
type body struct {
	read bool
	data []byte // When it fits into memory.
	path string // The file that holds it otherwise.
	size int64
}

// readBody reads the client's body, once.
func (x *exchange) readBody() error {
	if x.body.read {
		return nil
	}
	limit := int64(x.host.options.BodyBuffer)
	head, err := io.ReadAll(io.LimitReader(x.r.Body, limit+1))
	if err != nil {
		return fmt.Errorf("read the request's body: %w", err)
	}
	if int64(len(head)) <= limit {
		x.body = body{read: true, data: head, size: int64(len(head))}
		return nil
	}
	return x.spillBody(head)
}

// spillBody writes a body that is too large for memory to a file.
func (x *exchange) spillBody(head []byte) (err error) {
	file, err := os.CreateTemp(x.host.bodyDirectory(), "")
	if err != nil {
		return fmt.Errorf("make a file for the request's body: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	// From here on the request removes it.
	x.body.path = file.Name()
	size, err := io.Copy(file, io.MultiReader(bytes.NewReader(head), x.r.Body))
	if err != nil {
		return fmt.Errorf("write the request's body to a file: %w", err)
	}
	x.body.read, x.body.size = true, size
	return nil
}

// replaceBody gives the upstream another body.
func (x *exchange) replaceBody(data []byte) error {
	if err := x.readBody(); err != nil {
		return err
	}
	if err := x.body.remove(); err != nil {
		return err
	}
	x.body = body{read: true, data: data, size: int64(len(data))}
	return nil
}

// open gives the body from its start.
func (b *body) open() (io.ReadCloser, error) {
	if b.path == "" {
		return io.NopCloser(bytes.NewReader(b.data)), nil
	}
	file, err := os.Open(b.path) //nolint:gosec // spillBody made the file
	if err != nil {
		return nil, fmt.Errorf("open the request's body: %w", err)
	}
	return file, nil
}

// remove removes the body's file, if it has one.
func (b *body) remove() error {
	if b.path == "" {
		return nil
	}
	path := b.path
	b.path = ""
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the request's body: %w", err)
	}
	return nil
}
