package postgres_test

import (
	"bytes"
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/docker/go-connections/nat"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// database is a container of one test.
type database struct {
	t      *testing.T
	docker *client.Client
	id     string
}

func newVolume(t *testing.T, docker *client.Client) string {
	t.Helper()
	made, err := docker.VolumeCreate(t.Context(), volume.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, docker.VolumeRemove(context.Background(), made.Name, true)) })
	return made.Name
}

func start(t *testing.T, docker *client.Client, image, data string, environment ...string) *database {
	t.Helper()
	return startCommand(t, docker, image, data, nil, environment...)
}

func startCommand(
	t *testing.T, docker *client.Client, image, data string, command []string, environment ...string,
) *database {
	t.Helper()
	created, err := docker.ContainerCreate(
		t.Context(),
		&container.Config{Image: image, Cmd: command, Env: environment},
		&container.HostConfig{
			Mounts:       []mount.Mount{{Type: mount.TypeVolume, Source: data, Target: "/var/lib/postgresql/data"}},
			PortBindings: nat.PortMap{"5432/tcp": {{HostIP: "127.0.0.1"}}},
		},
		nil, nil, "",
	)
	require.NoError(t, err)
	d := &database{t: t, docker: docker, id: created.ID}
	t.Cleanup(d.remove)
	require.NoError(t, docker.ContainerStart(t.Context(), d.id, container.StartOptions{}))
	return d
}

// remove kills the container. The second time, it is gone.
func (d *database) remove() {
	_ = d.docker.ContainerRemove(context.Background(), d.id, container.RemoveOptions{Force: true})
}

func (d *database) url(role, password string) string {
	d.t.Helper()
	seen, err := d.docker.ContainerInspect(d.t.Context(), d.id)
	require.NoError(d.t, err)
	ports := seen.NetworkSettings.Ports["5432/tcp"]
	require.NotEmpty(d.t, ports, "it has ended")
	address := url.URL{
		Scheme: "postgres", Host: "127.0.0.1:" + ports[0].HostPort, Path: "/postgres",
		User: url.UserPassword(role, password), RawQuery: "sslmode=disable",
	}
	return address.String()
}

// connect waits until the database lets role in.
func (d *database) connect(role, password string) *pgx.Conn {
	d.t.Helper()
	address := d.url(role, password)
	deadline, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(deadline, address)
		if err == nil {
			d.t.Cleanup(func() { _ = conn.Close(context.Background()) })
			return conn
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline.Done():
			require.NoError(d.t, err, d.logs())
		}
	}
}

func (d *database) tryConnect(role, password string) error {
	d.t.Helper()
	conn, err := pgx.Connect(d.t.Context(), d.url(role, password))
	if err == nil {
		return conn.Close(d.t.Context())
	}
	return err
}

// wait returns the exit status.
func (d *database) wait() int64 {
	d.t.Helper()
	ended, failed := d.docker.ContainerWait(d.t.Context(), d.id, container.WaitConditionNotRunning)
	select {
	case end := <-ended:
		return end.StatusCode
	case err := <-failed:
		require.NoError(d.t, err)
		return -1
	}
}

func (d *database) output(command ...string) string {
	d.t.Helper()
	created, err := d.docker.ContainerExecCreate(
		d.t.Context(), d.id, container.ExecOptions{Cmd: command, AttachStdout: true, AttachStderr: true},
	)
	require.NoError(d.t, err)
	attached, err := d.docker.ContainerExecAttach(d.t.Context(), created.ID, container.ExecAttachOptions{})
	require.NoError(d.t, err)
	defer attached.Close()
	var output bytes.Buffer
	_, err = stdcopy.StdCopy(&output, &output, attached.Reader)
	require.NoError(d.t, err)
	return output.String()
}

func (d *database) logs() string {
	d.t.Helper()
	stream, err := d.docker.ContainerLogs(
		context.Background(), d.id, container.LogsOptions{ShowStdout: true, ShowStderr: true},
	)
	require.NoError(d.t, err)
	defer func() { _ = stream.Close() }()
	var output bytes.Buffer
	_, err = stdcopy.StdCopy(&output, &output, stream)
	require.NoError(d.t, err)
	return output.String()
}

func execute(t *testing.T, conn *pgx.Conn, statements string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), statements)
	require.NoError(t, err)
}

func count(t *testing.T, conn *pgx.Conn, table string) (rows int) {
	t.Helper()
	counting := "select count(*) from " + pgx.Identifier{table}.Sanitize()
	require.NoError(t, conn.QueryRow(t.Context(), counting).Scan(&rows))
	return rows
}
