package pgproxy

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
)

// The classes of Postgres' errors (Appendix A of its manual) that a connection is refused with.
const (
	notAllowed = "28000" // invalid_authorization_specification
	notNow     = "57P03" // cannot_connect_now: a client may try again
	full       = "53300" // too_many_connections
	nobody     = "XX000" // what upstream's pooler says of a tenant that it does not know
)

// refusal is what a client is told that gets no further.
type refusal struct {
	reason, code, message, hint string
}

// howToName says what to do about a connection that names no project.
const howToName = "Say which project the connection is for: as the user <role>.<project ref>, by options=reference=<project ref>, " +
	"or over TLS to the host db.<project ref>.<the projects' domain>."

var (
	tooMany = refusal{"full", full, "Too many connections are open at the gateway.", "Close some, or try again later."}
	// tooManyOfProject counts what the gateway has open. Postgres counts for itself as well.
	tooManyOfProject = refusal{"project_full", full, "Too many connections to this project are open at the gateway.", "Close some, or try again later."}
	unreachable      = refusal{"unreachable", notNow, "The project's database cannot be reached.", "Try again in a moment."}
	// The CLI looks for these words.
	plainText = refusal{"plain", notAllowed, "SSL connection is required", "Connect with sslmode=require."}
)

// notAdmitted are the words that the CLI looks for, to say where network restrictions are changed.
const notAdmitted = "Address not in tenant allow_list: "

// refusalOf puts into Postgres' words why a project is not to be had.
func refusalOf(r *dataplane.Refusal) refusal {
	switch r.Code {
	case "project_not_named", "project_not_found":
		return refusal{"unknown", nobody, "Tenant or user not found", howToName}
	case "project_ambiguous":
		return refusal{"ambiguous", notAllowed, r.Message, howToName}
	case "network_restricted", "network_banned":
		return refusal{"address", notAllowed, notAdmitted + r.Message, ""}
	case "database_not_found":
		return refusal{"elsewhere", notNow, r.Message, "Connect to it where it is installed."}
	default:
		return refusal{"unavailable", notNow, r.Message, r.Hint}
	}
}

// refuse tells a client why it gets no further, and waits a moment for it to have read that.
func refuse(c *client, r refusal) {
	if err := tell(c, r); err != nil {
		return
	}
	closeWrite(c.Conn)
	// What a client has sent and nobody has read would reset the connection, and take the message with it.
	_, _ = io.CopyN(io.Discard, c, maxStartup)
}

// tell says to a client why it gets no further, and counts it.
func tell(c *client, r refusal) error {
	count(r.reason)
	message := pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: r.code, Message: r.message, Hint: r.hint}
	encoded, err := message.Encode(nil)
	if err != nil { // for a message of gigabytes alone
		return err
	}
	_ = c.SetDeadline(time.Now().Add(refusalTimeout))
	_, err = c.Write(encoded)
	return err
}

// closeWrite tells the other side that nothing more comes.
func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// isEnd tells whether reading ended because the other side has nothing more to say. Many clients end TLS without a word.
func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
