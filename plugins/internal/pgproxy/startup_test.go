package pgproxy

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

const ref = "aaaaaaaaaaaaaaaaaaaa"

func TestReferencesAreTakenOutOfOptions(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]struct {
		rest string
		refs []store.Ref
	}{
		"":                            {"", nil},
		"-c search_path=a,b":          {"-c search_path=a,b", nil},
		"reference=x":                 {"", []store.Ref{"x"}},
		"a=b,reference=x,c=d":         {"a=b,c=d", []store.Ref{"x"}},
		"reference=x,reference=y":     {"", []store.Ref{"x", "y"}},
		"-c reference=x":              {"", []store.Ref{"x"}},
		"-c geqo=off -c reference=x":  {"-c geqo=off", []store.Ref{"x"}},
		"--reference=x --geqo=off":    {"--geqo=off", []store.Ref{"x"}},
		"-c search_path=a,reference=": {"-c search_path=a,reference=", nil},
		"-c":                          {"-c", nil},
		`-c a=b\ c reference=x`:       {`-c a=b\ c`, []store.Ref{"x"}},
		"preference=x":                {"preference=x", nil},
	} {
		rest, refs := takeReferences(options)
		require.Equal(t, want.rest, rest, options)
		require.Equal(t, want.refs, refs, options)
	}
}

func TestTheRefIsTakenOffTheUser(t *testing.T) {
	t.Parallel()
	for _, one := range []struct{ user, database, wantUser, wantDatabase string }{
		{"postgres." + ref, "postgres", "postgres", "postgres"},
		{"postgres." + ref, "postgres." + ref, "postgres", "postgres"},
		{"ada.lovelace." + ref, "x", "ada.lovelace", "x"},
		{"ada.lovelace", "ada.lovelace", "ada.lovelace", "ada.lovelace"},
		{"." + ref, "x", "", "x"},
		{ref, "x", ref, "x"},
	} {
		parameters := map[string]string{"user": one.user, "database": one.database}
		refs := takeRefs(parameters)
		require.Equal(t, one.user != one.wantUser, len(refs) == 1, one.user)
		require.Equal(t, map[string]string{"user": one.wantUser, "database": one.wantDatabase}, parameters)
	}
}

func TestALaterMinorVersionIsPassedOn(t *testing.T) {
	t.Parallel()
	body := append(binary.BigEndian.AppendUint32(nil, 3<<16|9999), "user\x00ada\x00_pq_.x\x00y\x00\x00"...)
	message, err := parse(body)
	require.NoError(t, err)
	start := message.(*pgproto3.StartupMessage)
	require.Equal(t, uint32(3<<16|9999), start.ProtocolVersion)
	require.Equal(t, map[string]string{"user": "ada", "_pq_.x": "y"}, start.Parameters)
}

func FuzzStartup(f *testing.F) {
	seed := func(code uint32, rest string) []byte {
		return append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(8+len(rest))), code), rest...)
	}
	f.Add(seed(3<<16, "user\x00postgres."+ref+"\x00database\x00postgres\x00options\x00-c reference="+ref+"\x00\x00"))
	f.Add(seed(3<<16|2, "user\x00a\x00\x00"))
	f.Add(seed(codeTLS, ""))
	f.Add(seed(codeGSS, ""))
	f.Add(seed(codeCancel, "12345678"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		if len(sent) < codeSize {
			return
		}
		body, err := readBody(bytes.NewReader(sent[codeSize:]), [codeSize]byte(sent))
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(body), maxStartup)
		message, err := parse(body)
		if err != nil {
			require.NotContains(t, err.Error(), "\x00", "nothing of what was sent is in an error")
			return
		}
		start, ok := message.(*pgproto3.StartupMessage)
		if !ok {
			return
		}
		takeRefs(start.Parameters)
		_, named := takeReferences(start.Parameters["options"])
		for _, one := range named { // what is left may name one only where it was part of a word
			require.NotEqual(t, ref, string(one))
		}
		encoded, err := start.Encode(nil)
		if err != nil { // a name without anything, which Postgres has no form for
			require.ErrorContains(t, err, "NUL")
			return
		}
		again, err := parse(encoded[codeSize:])
		if err == nil {
			require.Equal(t, start, again)
		}
	})
}
