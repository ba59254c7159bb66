//go:build unix

package pgserver

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// NewDatabase makes an empty database and returns its URL, as superuser, with the password.
func (s *Server) NewDatabase(ctx context.Context, name string) (string, error) {
	return s.CopyDatabase(ctx, name, "template0")
}

// CopyDatabase makes a database that begins as template is, which nobody may be connected to, and returns its URL.
func (s *Server) CopyDatabase(ctx context.Context, name, template string) (string, error) {
	create := fmt.Sprintf("create database %s template %s", identifier(name), identifier(template))
	if err := s.execute(ctx, create); err != nil {
		return "", fmt.Errorf("make database %s: %w", name, err)
	}
	address := s.url
	address.Path = "/" + name
	return address.String(), nil
}

// DropDatabase removes a database and cuts off who is still connected to it.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	if err := s.execute(ctx, fmt.Sprintf("drop database if exists %s with (force)", identifier(name))); err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

func (s *Server) execute(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

func identifier(name string) string { return pgx.Identifier{name}.Sanitize() }
