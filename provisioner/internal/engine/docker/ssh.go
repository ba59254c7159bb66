package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

const (
	sshTimeout = 15 * time.Second
	// sshAlive is how often the other side is asked whether it is there: a link that was cut says nothing by itself.
	sshAlive = 15 * time.Second
)

// sshDialer reaches the socket of a Docker daemon on another machine by SSH, as `ssh -L` does: the other side needs neither a program
// of ours nor docker's. One SSH connection carries all of Docker's. It is made when it is needed, and made anew when it has broken.
type sshDialer struct {
	address string
	socket  string
	config  *ssh.ClientConfig

	mutex    sync.Mutex
	client   *ssh.Client
	watching sync.WaitGroup
}

func newSSHDialer(host, keyFile, knownHostsFile string) (*sshDialer, error) {
	parsed, err := url.Parse(host)
	if err != nil || parsed.User.Username() == "" || parsed.Hostname() == "" || parsed.RawQuery != "" || parsed.Fragment != "" {
		return nil, errors.New("DOCKER_HOST: expected ssh://user@host[:port][/path/of/the/socket]")
	}
	if _, secret := parsed.User.Password(); secret {
		return nil, errors.New("DOCKER_HOST must hold no password: name a key by PLURABASE_DOCKER_SSH_KEY")
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("PLURABASE_DOCKER_SSH_KEY: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		return nil, errors.New("PLURABASE_DOCKER_SSH_KEY: the file holds no private key that can be used without a passphrase")
	}
	known, err := knownhosts.NewDB(knownHostsFile)
	if err != nil {
		return nil, fmt.Errorf("PLURABASE_DOCKER_SSH_KNOWN_HOSTS: %w", err)
	}
	address := net.JoinHostPort(parsed.Hostname(), cmp.Or(parsed.Port(), "22"))
	return &sshDialer{
		address: address, socket: cmp.Or(parsed.Path, "/var/run/docker.sock"),
		config: &ssh.ClientConfig{
			User: parsed.User.Username(), Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, Timeout: sshTimeout,
			HostKeyCallback: known.HostKeyCallback(), HostKeyAlgorithms: known.HostKeyAlgorithms(address),
		},
	}, nil
}

// dial opens the socket on the other machine. A connection that turns out to have broken is replaced once.
func (d *sshDialer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	for {
		connected, fresh, err := d.connected(ctx)
		if err != nil {
			return nil, fmt.Errorf("connect by SSH to %s: %w", d.address, err)
		}
		conn, err := connected.DialContext(ctx, "unix", d.socket)
		if err == nil {
			return &sshConn{conn}, nil
		}
		var refused *ssh.OpenChannelError
		if fresh || ctx.Err() != nil || errors.As(err, &refused) { // the other side has answered
			return nil, fmt.Errorf("open %s on %s: %w", d.socket, d.address, err)
		}
		d.drop(connected)
	}
}

// sshConn does without deadlines, which an SSH channel has not: whoever waits is stopped by closing it.
type sshConn struct{ net.Conn }

func (*sshConn) SetDeadline(time.Time) error      { return nil }
func (*sshConn) SetReadDeadline(time.Time) error  { return nil }
func (*sshConn) SetWriteDeadline(time.Time) error { return nil }

// CloseWrite ends what is sent, as the end of a command's input is told.
func (c *sshConn) CloseWrite() error {
	if half, can := c.Conn.(interface{ CloseWrite() error }); can {
		return half.CloseWrite()
	}
	return nil
}

func (d *sshDialer) connected(ctx context.Context) (connected *ssh.Client, fresh bool, err error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.client != nil {
		return d.client, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, sshTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	handshake, channels, requests, err := ssh.NewClientConn(conn, d.address, d.config)
	if err != nil || !stop() {
		_ = conn.Close()
		return nil, false, cmp.Or(err, ctx.Err())
	}
	d.client = ssh.NewClient(handshake, channels, requests)
	made := d.client
	d.watching.Go(func() { d.watch(made) })
	return made, true, nil
}

// watch drops a connection that has ended, or on which nothing is heard any more.
func (d *sshDialer) watch(connected *ssh.Client) {
	ended := make(chan struct{})
	go func() {
		_ = connected.Wait()
		close(ended)
	}()
	ticker := time.NewTicker(sshAlive)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			d.drop(connected)
			return
		case <-ticker.C:
		}
		silence := time.AfterFunc(sshTimeout, func() { _ = connected.Close() })
		_, _, err := connected.SendRequest("keepalive@openssh.com", true, nil)
		silence.Stop()
		if err != nil {
			d.drop(connected)
			<-ended
			return
		}
	}
}

func (d *sshDialer) drop(connected *ssh.Client) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.client == connected {
		d.client = nil
	}
	_ = connected.Close()
}

// close ends the connection, and waits for what watches it.
func (d *sshDialer) close() {
	d.mutex.Lock()
	connected := d.client
	d.mutex.Unlock()
	if connected != nil {
		d.drop(connected)
	}
	d.watching.Wait()
}
