package docker_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/plurabase/plurabase/provisioner/internal/engine/docker"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// here is where the machine's own Docker is.
const here = "/var/run/docker.sock"

// works has a daemon do what needs a connection of each kind: a question, a stream that is closed on one side, and one that waits.
func works(t *testing.T, environment map[string]string) {
	t.Helper()
	b := setupIn(t, environment)
	service := b.sleeper("one")
	b.start(b.network(), service)
	printed, err := b.Engine.Run(t.Context(), service.Container, stack.Command{Args: []string{"cat"}, Input: "hello"})
	require.NoError(t, err)
	require.Equal(t, "hello", printed)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = b.Engine.Run(ctx, service.Container, stack.Command{Args: []string{"sleep", "60"}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// with is this process' environment with other settings.
func with(settings map[string]string) map[string]string {
	environment := env.ToMap(os.Environ())
	maps.Copy(environment, settings)
	return environment
}

// listen serves connections until the test ends, and waits for them.
func listen(t *testing.T, listener net.Listener, serve func(net.Conn)) string {
	t.Helper()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	return listener.Addr().String()
}

// join passes everything on between a client and Docker, with the ends of both sides.
func join(client io.ReadWriteCloser) {
	daemon, err := (&net.Dialer{}).DialContext(context.Background(), "unix", here)
	if err != nil {
		_ = client.Close()
		return
	}
	var passing sync.WaitGroup
	passing.Go(func() {
		_, _ = io.Copy(daemon, client)
		_ = daemon.(*net.UnixConn).CloseWrite()
	})
	_, _ = io.Copy(client, daemon)
	_ = client.Close()
	passing.Wait()
	_ = daemon.Close()
}

func TestDockerIsReachedByTLS(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	authority := newCertificate(t, nil, folder, "ca")
	server := newCertificate(t, authority, folder, "server")
	newCertificate(t, authority, folder, "")
	known := x509.NewCertPool()
	known.AddCert(authority.Leaf)
	plain, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listen(t, tls.NewListener(plain, &tls.Config{
		Certificates: []tls.Certificate{*server}, ClientCAs: known, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}), func(conn net.Conn) { join(conn) })

	works(t, with(map[string]string{"DOCKER_HOST": "tcp://" + address, "DOCKER_CERT_PATH": folder, "DOCKER_TLS_VERIFY": "1"}))

	stranger := t.TempDir()
	newCertificate(t, newCertificate(t, nil, stranger, "ca"), stranger, "")
	refused, err := docker.New(map[string]string{"DOCKER_HOST": "tcp://" + address, "DOCKER_CERT_PATH": stranger})
	require.NoError(t, err)
	require.ErrorContains(t, refused.Ping(t.Context()), "certificate", "a daemon that another authority vouches for")
	require.NoError(t, refused.Close())
}

// newCertificate writes a certificate of 127.0.0.1 and its key as Docker's client expects them in a folder.
func newCertificate(t *testing.T, authority *tls.Certificate, folder, name string) *tls.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: authority == nil, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := template, any(private)
	if authority != nil {
		parent, signer = authority.Leaf, authority.PrivateKey
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(encoded)
	require.NoError(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	certificate, keyFile := "cert.pem", "key.pem"
	if name != "" {
		certificate, keyFile = name+".pem", name+"-key.pem"
	}
	write(t, folder, certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encoded}))
	write(t, folder, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	return &tls.Certificate{Certificate: [][]byte{encoded}, PrivateKey: private, Leaf: leaf}
}

func write(t *testing.T, folder, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(folder, name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// newKey makes a key of SSH, and writes it to a file.
func newKey(t *testing.T) (signer ssh.Signer, file string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	signer, err = ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	return signer, write(t, t.TempDir(), "key", pem.EncodeToMemory(block))
}

// sshServer stands in for OpenSSH's server, as far as it passes connections on to a socket (direct-streamlocal@openssh.com). It tells of
// its connections, for a test to break them.
func sshServer(t *testing.T, host ssh.Signer, allowed ssh.PublicKey) (address string, connections chan *ssh.ServerConn) {
	t.Helper()
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), allowed.Marshal()) {
			return nil, fmt.Errorf("a stranger")
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(host)
	connections = make(chan *ssh.ServerConn, 10)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address = listen(t, listener, func(conn net.Conn) {
		made, channels, requests, err := ssh.NewServerConn(conn, config)
		if err != nil {
			_ = conn.Close()
			return
		}
		connections <- made
		var serving sync.WaitGroup
		serving.Go(func() { ssh.DiscardRequests(requests) })
		for asked := range channels {
			var wanted struct {
				Socket   string
				Reserved string
				Port     uint32
			}
			if ssh.Unmarshal(asked.ExtraData(), &wanted) != nil || wanted.Socket != here {
				_ = asked.Reject(ssh.ConnectionFailed, "no such socket")
				continue
			}
			channel, of, err := asked.Accept()
			if err != nil {
				continue
			}
			serving.Go(func() { ssh.DiscardRequests(of) })
			serving.Go(func() { join(channel) })
		}
		serving.Wait()
	})
	return address, connections
}

func TestDockerIsReachedBySSH(t *testing.T) {
	t.Parallel()
	host, _ := newKey(t)
	mine, key := newKey(t)
	address, connections := sshServer(t, host, mine.PublicKey())
	name, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	line := fmt.Sprintf("[%s]:%s %s", name, port, ssh.MarshalAuthorizedKey(host.PublicKey()))
	settings := map[string]string{
		"DOCKER_HOST": "ssh://operator@" + address, "PLURABASE_DOCKER_SSH_KEY": key,
		"PLURABASE_DOCKER_SSH_KNOWN_HOSTS": write(t, t.TempDir(), "known_hosts", []byte(line)),
	}
	works(t, with(settings))

	one, err := docker.New(settings)
	require.NoError(t, err)
	for len(connections) > 0 {
		<-connections
	}
	require.NoError(t, one.Ping(t.Context()))
	require.NoError(t, (<-connections).Close())
	require.Eventually(t, func() bool { return one.Ping(t.Context()) == nil }, 30*time.Second, 10*time.Millisecond, "a connection that broke is made anew")
	require.NotEmpty(t, connections)
	require.NoError(t, one.Close())

	for wrong, change := range map[string]map[string]string{
		"no such socket":         {"DOCKER_HOST": "ssh://operator@" + address + "/nowhere.sock"},
		"unable to authenticate": {"PLURABASE_DOCKER_SSH_KEY": second(newKey(t))},
		"key is unknown":         {"PLURABASE_DOCKER_SSH_KNOWN_HOSTS": write(t, t.TempDir(), "known_hosts", []byte(strings.Replace(line, port, "1", 1)))},
		"key mismatch":           {"PLURABASE_DOCKER_SSH_KNOWN_HOSTS": write(t, t.TempDir(), "known_hosts", fmt.Appendf(nil, "[%s]:%s %s", name, port, ssh.MarshalAuthorizedKey(mine.PublicKey())))},
	} {
		changed := maps.Clone(settings)
		maps.Copy(changed, change)
		refused, err := docker.New(changed)
		require.NoError(t, err, wrong)
		require.ErrorContains(t, refused.Ping(t.Context()), wrong)
		require.NoError(t, refused.Close())
	}
}

func second[A, B any](_ A, b B) B { return b }

func TestWhereDockerCannotBeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	_, key := newKey(t)
	known := write(t, t.TempDir(), "known_hosts", nil)
	for _, test := range []struct {
		name, expected string
		settings       map[string]string
	}{
		{"no user", "expected ssh://user@host", map[string]string{"DOCKER_HOST": "ssh://host"}},
		{"a password", "must hold no password", map[string]string{"DOCKER_HOST": "ssh://a:correct-horse@host"}},
		{"no key", "PLURABASE_DOCKER_SSH_KEY", map[string]string{"DOCKER_HOST": "ssh://a@host"}},
		{"a key that is none", "holds no private key", map[string]string{"DOCKER_HOST": "ssh://a@host", "PLURABASE_DOCKER_SSH_KEY": known}},
		{"no known hosts", "PLURABASE_DOCKER_SSH_KNOWN_HOSTS", map[string]string{"DOCKER_HOST": "ssh://a@host", "PLURABASE_DOCKER_SSH_KEY": key}},
		{"TLS without certificates", "DOCKER_CERT_PATH is not", map[string]string{"DOCKER_HOST": "tcp://host:2376", "DOCKER_TLS_VERIFY": "1"}},
		{"certificates that are not there", "DOCKER_CERT_PATH", map[string]string{"DOCKER_HOST": "tcp://host:2376", "DOCKER_CERT_PATH": "/nowhere"}},
		{"no address", "DOCKER_HOST", map[string]string{"DOCKER_HOST": "nowhere"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := docker.New(test.settings)
			require.ErrorContains(t, err, test.expected)
			require.NotContains(t, err.Error(), "correct-horse")
		})
	}
}
