// Package mail sends the platform's few mails through an operator's SMTP server.
package mail

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	netmail "net/mail"
	"slices"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// sendTimeout is the deadline for a mail: somebody waits for it in front of a page.
const sendTimeout = 10 * time.Second

// Encryption is how the connection to the SMTP server is protected.
type Encryption string

// The ways to protect a connection.
const (
	StartTLS Encryption = "starttls" // demanded of the server, before anything else is said
	TLS      Encryption = "tls"      // from the first byte
	Plain    Encryption = "none"     // for a server on the same machine
)

// UnmarshalText refuses what is not one of the three.
func (e *Encryption) UnmarshalText(text []byte) error {
	switch read := Encryption(text); read {
	case StartTLS, TLS, Plain:
		*e = read
		return nil
	default:
		return fmt.Errorf("PLURABASE_SMTP_ENCRYPTION must be %s, %s or %s", StartTLS, TLS, Plain)
	}
}

// Settings say which SMTP server to use. Without a host, no mail is sent.
type Settings struct {
	Host       string     `env:"PLURABASE_SMTP_HOST"`
	Port       int        `env:"PLURABASE_SMTP_PORT" envDefault:"587"`
	User       string     `env:"PLURABASE_SMTP_USER"` // empty: no authentication
	Password   string     `env:"PLURABASE_SMTP_PASSWORD"`
	Encryption Encryption `env:"PLURABASE_SMTP_ENCRYPTION" envDefault:"starttls"`
	Sender     string     `env:"PLURABASE_SMTP_SENDER"` // an address, or `Name <address>`
}

// Message is a mail with the same content in two forms.
type Message struct {
	To      string
	Subject string
	Text    string
	HTML    string
}

// Sender sends mails. It is safe for concurrent use: each mail has a connection of its own.
type Sender struct {
	settings Settings
	options  []gomail.Option
}

// New returns a Sender, and nil where the settings name no server. It connects to nothing.
func New(settings Settings) (*Sender, error) {
	if settings.Host == "" {
		return nil, nil
	}
	options := []gomail.Option{gomail.WithPort(settings.Port), gomail.WithTimeout(sendTimeout)}
	switch settings.Encryption {
	case TLS:
		options = append(options, gomail.WithSSL())
	case Plain:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if settings.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(settings.User), gomail.WithPassword(settings.Password))
	}
	sender := &Sender{settings: settings, options: options}
	if _, err := sender.compose(Message{To: "somebody@example.com"}); err != nil {
		return nil, fmt.Errorf("read PLURABASE_SMTP_SENDER: %w", err)
	}
	return sender, nil
}

// Address is whom the mails come from.
func (s *Sender) Address() string {
	sender, err := netmail.ParseAddress(s.settings.Sender)
	if err != nil {
		return "" // New has refused it
	}
	return sender.Address
}

// Send hands a mail to the SMTP server, within the deadline.
func (s *Sender) Send(ctx context.Context, message Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	composed, err := s.compose(message)
	if err != nil {
		return err
	}
	client, err := gomail.NewClient(s.settings.Host, append(slices.Clone(s.options), gomail.WithDialContextFunc(s.dialFor(ctx)))...)
	if err != nil {
		return fmt.Errorf("prepare the SMTP client: %w", err)
	}
	if err := client.DialAndSendWithContext(ctx, composed); err != nil {
		return fmt.Errorf("send a mail: %w", err)
	}
	return nil
}

// dialFor returns what connects to the server for as long as the mail's ctx lives: go-mail leaves the connection open
// when the server will not encrypt it. What go-mail passes to the dialer ends with the dialing.
func (s *Sender) dialFor(mail context.Context) gomail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var dialer interface {
			DialContext(ctx context.Context, network, address string) (net.Conn, error)
		} = &net.Dialer{}
		if s.settings.Encryption == TLS {
			dialer = &tls.Dialer{Config: &tls.Config{ServerName: s.settings.Host, MinVersion: tls.VersionTLS12}}
		}
		connection, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(mail, func() { _ = connection.Close() })
		return connection, nil
	}
}

func (s *Sender) compose(message Message) (*gomail.Msg, error) {
	composed := gomail.NewMsg()
	if err := composed.From(s.settings.Sender); err != nil {
		return nil, fmt.Errorf("set the sender: %w", err)
	}
	if err := composed.To(message.To); err != nil {
		return nil, fmt.Errorf("set the recipient: %w", err)
	}
	composed.Subject(message.Subject)
	composed.SetBodyString(gomail.TypeTextPlain, message.Text)
	composed.AddAlternativeString(gomail.TypeTextHTML, message.HTML)
	return composed, nil
}
