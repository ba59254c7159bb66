package docker

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/docker/docker/client"
)

// NewClient prepares a client of the daemon that the environment names, as `docker` itself would:
//
//	DOCKER_HOST=unix:///var/run/docker.sock      the default
//	DOCKER_HOST=tcp://host:2376                  with ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH: TLS, both sides checked
//	DOCKER_HOST=ssh://user@host[:port][/socket]  with PLURABASE_DOCKER_SSH_KEY and PLURABASE_DOCKER_SSH_KNOWN_HOSTS, two files
//
// It agrees with the daemon on an API version when it is first used. The caller calls end when it needs the client no more.
func NewClient(environment map[string]string) (made *client.Client, end func() error, err error) {
	options := []client.Opt{client.WithAPIVersionNegotiation()}
	host, certificates := environment["DOCKER_HOST"], environment["DOCKER_CERT_PATH"]
	if strings.HasPrefix(host, "ssh://") {
		dialer, err := newSSHDialer(host, environment["PLURABASE_DOCKER_SSH_KEY"], environment["PLURABASE_DOCKER_SSH_KNOWN_HOSTS"])
		if err != nil {
			return nil, nil, err
		}
		// The host of the requests' addresses is nobody's: where they go is said by the dialer.
		made, err = client.NewClientWithOpts(append(options, client.WithHost("tcp://docker.invalid:80"), client.WithDialContext(dialer.dial))...)
		if err != nil {
			return nil, nil, err
		}
		return made, func() error {
			defer dialer.close()
			return made.Close()
		}, nil
	}
	if environment["DOCKER_TLS_VERIFY"] != "" && certificates == "" {
		return nil, nil, errors.New("DOCKER_TLS_VERIFY is set, and DOCKER_CERT_PATH is not")
	}
	if certificates != "" {
		options = append(options, client.WithTLSClientConfig(
			filepath.Join(certificates, "ca.pem"), filepath.Join(certificates, "cert.pem"), filepath.Join(certificates, "key.pem")))
	}
	if host != "" {
		options = append(options, client.WithHost(host))
	}
	if made, err = client.NewClientWithOpts(options...); err != nil {
		return nil, nil, fmt.Errorf("DOCKER_HOST or DOCKER_CERT_PATH: %w", err)
	}
	return made, made.Close, nil
}
