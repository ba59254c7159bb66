package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/plurabase/plurabase/compose/profile"
)

// wanted is what an operator says, or this machine does, when .env is made.
type wanted struct {
	Email       string
	PublicURL   string
	DockerGroup int
	// PostgresTaken says that another program has Postgres' own port.
	PostgresTaken bool
}

// variable is one line of .env.
type variable struct {
	name    string
	comment string
	// first gives the value that the variable gets when the file has none.
	first func(wanted) (string, error)
	// derived gives the value that the others leave no choice of; the file's own is replaced by it.
	derived func(values map[string]string) (string, error)
}

// variables are those of the platform, in the order of the file.
var variables = []variable{
	{"PLURABASE_PUBLIC_URL", "Where browsers reach the gateway, without a path.", publicURL, nil},
	{"PLURABASE_STUDIO_URL", "Studio's origin, for CORS. Studio is behind the gateway, so it is the same.", publicURL, nil},
	{"PLURABASE_PROJECT_DOMAIN", "What follows `<ref>.` in a project's own host; `*.<it>` has to lead here.", host, nil},
	{"PLURABASE_DATABASE_HOST", "Where psql reaches the projects' databases.", hostname, nil},
	{"PLURABASE_HTTP_BIND", "The address and port on which the gateway is opened.", bind, nil},
	{"PLURABASE_POSTGRES_BIND", "The address and port on which the one Postgres port for every project is opened. The CLI knows 5432 alone.", postgresBind, nil},
	{"PLURABASE_POSTGRES_ADDRESS", "Where the world reaches that port. The CLI takes a name within a domain alone, and no address. Empty: nobody is told of it.", postgresAddress, nil},
	{"PLURABASE_PORT_BIND", "The host's address on which the databases' ports are opened.", fixed("127.0.0.1"), nil},
	{"PLURABASE_ADMIN_EMAIL", "The first administrator. Empty: whoever signs up first makes the first organization.", email, nil},
	{"PLURABASE_ADMIN_PASSWORD", "Their first password; change it after the first sign-in, and empty this.", adminPassword, nil},
	{"PLURABASE_ORGANIZATION", "The organization that the first administrator gets.", fixed("Main"), nil},
	{"PLURABASE_SIGNUP", "Who may sign up without an invitation: everybody (open), nobody (closed), or e-mail domains separated by commas.", signUp, nil},
	{"PLURABASE_SMTP_HOST", "The mail server, for invitations and GoTrue's mails; platform-mail with the profile `mail`.", fixed(""), nil},
	{"PLURABASE_SMTP_PORT", "", fixed("587"), nil},
	{"PLURABASE_SMTP_USER", "", fixed(""), nil},
	{"PLURABASE_SMTP_PASSWORD", "", fixed(""), nil},
	{"PLURABASE_SMTP_ENCRYPTION", "starttls, tls or none.", fixed("starttls"), nil},
	{"PLURABASE_SMTP_SENDER", "The address that mails come from.", fixed(""), nil},
	{"PLURABASE_DOCKER_GID", "The group that may use Docker's socket on this machine.", dockerGID, nil},
	{"PLURABASE_MASTER_KEY", "Seals every secret of every project. Keep a copy where the backups are not: without it they are worth nothing.", randomBase64, nil},
	{"PLURABASE_MASTER_KEY_PREVIOUS", "Only while the master key is being rotated.", fixed(""), nil},
	{"PLURABASE_JWT_SECRET", "The platform's GoTrue signs sessions with it.", randomHex, nil},
	{"PG_META_CRYPTO_KEY", "Between the gateway and postgres-meta.", randomHex, nil},
	{"PLURABASE_METRICS_TOKEN", "What Prometheus shows to be told the metrics.", randomHex, nil},
	{"PLURABASE_GRAFANA_PASSWORD", "Of Grafana's user admin, with MONITORING=1.", randomHex, nil},
	{"PLURABASE_DB_ADMIN_PASSWORD", "Of the platform's own database: the superuser's, the platform's and GoTrue's.", randomHex, nil},
	{"PLURABASE_DB_PASSWORD", "", randomHex, nil},
	{"PLURABASE_AUTH_DB_PASSWORD", "", randomHex, nil},
	{"PLURABASE_MAILER_AUTOCONFIRM", "Follows from PLURABASE_SMTP_HOST: without mail nobody can confirm an address. Not to be edited.", nil, autoconfirm},
}

func fixed(value string) func(wanted) (string, error) {
	return func(wanted) (string, error) { return value, nil }
}

func publicURL(w wanted) (string, error) {
	parsed, err := url.Parse(w.PublicURL)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" || strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "" {
		return "", errors.New("the URL has to be of the form https://host, or http://host:port")
	}
	return parsed.Scheme + "://" + parsed.Host, nil
}

func host(w wanted) (string, error) {
	public, err := publicURL(w)
	_, host, _ := strings.Cut(public, "://")
	return host, err
}

func hostname(w wanted) (string, error) {
	public, err := publicURL(w)
	if err != nil {
		return "", err
	}
	parsed, err := url.Parse(public)
	return parsed.Hostname(), err
}

// bind opens the gateway on this machine alone, until the operator says otherwise: what should be public, a proxy with TLS
// in front makes so.
func bind(w wanted) (string, error) {
	public, err := publicURL(w)
	if err != nil {
		return "", err
	}
	port := "8000"
	if parsed, err := url.Parse(public); err == nil && parsed.Port() != "" {
		port = parsed.Port()
	}
	return "127.0.0.1:" + port, nil
}

// Postgres' own port, and the one that stands in where another program has that.
const (
	postgresPort = "5432"
	elsewhere    = "15432"
)

// postgresTaken tells whether a program has Postgres' own port on this machine.
func postgresTaken() bool {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", postgresPort))
	if err != nil {
		return errors.Is(err, syscall.EADDRINUSE)
	}
	_ = listener.Close()
	return false
}

// postgresBind leaves a Postgres alone that this machine has: compose starts no container one of whose ports is taken.
func postgresBind(w wanted) (string, error) {
	if w.PostgresTaken {
		return net.JoinHostPort("127.0.0.1", elsewhere), nil
	}
	return net.JoinHostPort("127.0.0.1", postgresPort), nil
}

// postgresAddress is the public URL's host. `localhost` would be an IPv6 address for many a client, and the port is opened on the other.
func postgresAddress(w wanted) (string, error) {
	name, err := hostname(w)
	if err != nil {
		return "", err
	}
	if name == "localhost" {
		name = "127.0.0.1"
	}
	if w.PostgresTaken {
		return net.JoinHostPort(name, elsewhere), nil
	}
	return name, nil
}

func email(w wanted) (string, error) {
	if w.Email == "" {
		return "", nil
	}
	address, err := mail.ParseAddress(w.Email)
	if err != nil || address.Address != w.Email {
		return "", errors.New("the administrator's e-mail address is not one")
	}
	return w.Email, nil
}

func adminPassword(w wanted) (string, error) {
	if w.Email == "" {
		return "", nil
	}
	return randomHex(w)
}

// signUp closes sign-ups where there is an administrator to invite people.
func signUp(w wanted) (string, error) {
	if w.Email == "" {
		return "open", nil
	}
	return "closed", nil
}

func dockerGID(w wanted) (string, error) { return strconv.Itoa(w.DockerGroup), nil }

// dockerGroup is the group of Docker's socket; 0 where there is none to see.
func dockerGroup() int {
	info, err := os.Stat("/var/run/docker.sock")
	if err != nil {
		return 0
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Gid)
	}
	return 0
}

func randomBytes() []byte {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return raw
}

func randomHex(wanted) (string, error) { return hex.EncodeToString(randomBytes()), nil }

func randomBase64(wanted) (string, error) {
	return base64.StdEncoding.EncodeToString(randomBytes()), nil
}

// autoconfirm refuses a rule about addresses that nobody checks: anybody could claim one at the right domain.
func autoconfirm(values map[string]string) (string, error) {
	signUp, host := values["PLURABASE_SIGNUP"], values["PLURABASE_SMTP_HOST"]
	if host == "" && signUp != "open" && signUp != "closed" {
		return "", errors.New("PLURABASE_SIGNUP names domains, so addresses have to be confirmed by mail: set PLURABASE_SMTP_HOST")
	}
	return strconv.FormatBool(host == ""), nil
}

var line = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)

// read returns the values of a .env file, and its lines as they are.
func read(text string) (values map[string]string, lines []string) {
	values = map[string]string{}
	scanner := bufio.NewScanner(strings.NewReader(text))
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
		if found := line.FindStringSubmatch(scanner.Text()); found != nil {
			values[found[1]] = strings.Trim(found[2], `"'`)
		}
	}
	return values, lines
}

// complete returns the file with every variable in it. What it has, stays as it is, but for what follows from the rest.
func complete(text string, w wanted) (completed string, added []string, err error) {
	values, lines := read(text)
	var out strings.Builder
	for _, one := range variables {
		_, there := values[one.name]
		value := values[one.name]
		switch {
		case one.derived != nil:
			if value, err = one.derived(values); err != nil {
				return "", nil, err
			}
		case !there:
			if value, err = one.first(w); err != nil {
				return "", nil, err
			}
		}
		values[one.name] = value
		if !there {
			added = append(added, one.name)
			if one.comment != "" {
				_, _ = fmt.Fprintf(&out, "# %s\n", one.comment)
			}
			_, _ = fmt.Fprintf(&out, "%s=%s\n", one.name, value)
		}
	}
	return strings.Join(append(derivedInto(lines, values), out.String()), "\n"), added, nil
}

// derivedInto replaces the lines of what follows from the rest.
func derivedInto(lines []string, values map[string]string) []string {
	for _, one := range variables {
		for i, text := range lines {
			if one.derived != nil && strings.HasPrefix(text, one.name+"=") {
				lines[i] = one.name + "=" + values[one.name]
			}
		}
	}
	return lines
}

// writeProfile writes the CLI's profile beside the .env file, of what that says.
func writeProfile(envPath string) error {
	text, err := os.ReadFile(envPath)
	if err != nil {
		return fmt.Errorf("read %s: %w", envPath, err)
	}
	values, _ := read(string(text))
	projects, _, _ := strings.Cut(values["PLURABASE_PROJECT_DOMAIN"], ":")
	return profile.Write(filepath.Join(filepath.Dir(envPath), profile.Name), values["PLURABASE_PUBLIC_URL"], projects)
}

// completeFile makes the file for its owner alone, in one step, so that a crash never leaves half of the secrets.
func completeFile(path string, w wanted, out io.Writer) error {
	existing, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	text, added, err := complete(string(existing), w)
	if err != nil {
		return err
	}
	if text == string(existing) {
		return nil
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".env-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = next.WriteString(text)
	if err := errors.Join(err, next.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(next.Name())))
	}
	if err := os.Rename(next.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if len(added) > 0 {
		_, _ = fmt.Fprintf(out, "%s: added %s\n", path, strings.Join(added, ", "))
	}
	return nil
}
