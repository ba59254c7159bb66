package mail_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/plugins/internal/mail"
	"github.com/plurabase/plurabase/plugins/internal/mail/mailtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAMailArrivesAsTextAndHTML(t *testing.T) {
	t.Parallel()
	server := mailtest.New(t)
	sender, err := mail.New(server.Settings)
	require.NoError(t, err)
	require.NoError(t, sender.Send(t.Context(), mail.Message{
		To: "ada@example.com", Subject: "Hello", Text: "plain words", HTML: "<p>marked words</p>",
	}))
	require.Len(t, server.Mails(), 1)
	for _, part := range []string{"<ada@example.com>", "<platform@example.com>", "Subject: Hello", "text/plain", "plain words", "text/html", "<p>marked words</p>"} {
		require.Contains(t, server.Mails()[0], part)
	}
}

func TestAServerThatRefusesOrIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	server := mailtest.New(t)
	server.Refuse()
	sender, err := mail.New(server.Settings)
	require.NoError(t, err)
	require.Error(t, sender.Send(t.Context(), mail.Message{To: "ada@example.com"}))

	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	settings := server.Settings
	settings.Port = nobody.Addr().(*net.TCPAddr).Port
	require.NoError(t, nobody.Close())
	sender, err = mail.New(settings)
	require.NoError(t, err)
	require.Error(t, sender.Send(t.Context(), mail.Message{To: "ada@example.com"}))
}

func TestAServerWithoutEncryptionGetsNothingUnlessItIsAllowed(t *testing.T) {
	t.Parallel()
	server := mailtest.New(t)
	settings := server.Settings
	settings.Encryption = mail.StartTLS
	sender, err := mail.New(settings)
	require.NoError(t, err)
	require.Error(t, sender.Send(t.Context(), mail.Message{To: "ada@example.com"}))
	require.Empty(t, server.Mails())
}

func TestSettingsAreReadOrRefused(t *testing.T) {
	t.Parallel()
	sender, err := mail.New(mail.Settings{})
	require.NoError(t, err)
	require.Nil(t, sender, "no host, no mail")
	_, err = mail.New(mail.Settings{Host: "localhost", Sender: "not an address"})
	require.ErrorContains(t, err, "PLURABASE_SMTP_SENDER")
	var encryption mail.Encryption
	require.NoError(t, encryption.UnmarshalText([]byte("tls")))
	require.ErrorContains(t, encryption.UnmarshalText([]byte("ssl")), "starttls, tls or none")
}
