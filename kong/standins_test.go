package kong_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/websocket"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
)

// standIns stand in for a project's services, whose images no registry has for everybody. Each does what a client needs of it, and
// believes a token only where the project's own JWT secret signed it, as the real ones do: a gateway that sent a wrong path,
// a wrong header or a key of its own making would be refused.
type standIns struct {
	t        *testing.T
	project  project
	database string

	mutex sync.Mutex
	users map[string]standInUser // by their address
	files map[string][]byte      // by bucket and name
	rooms map[string]map[*member]bool
}

type standInUser struct {
	ID       uuid.UUID
	Password string
}

// startStandIns puts them in the place of a project's services.
func startStandIns(w *projectWorld, p project) {
	w.t.Helper()
	s := &standIns{
		t: w.t, project: p, database: projectDatabase(w.t),
		users: map[string]standInUser{}, files: map[string][]byte{}, rooms: map[string]map[*member]bool{},
	}
	for i, one := range []struct {
		service string
		handler http.Handler
	}{
		{store.ServiceAuth, s.auth()},
		{store.ServiceRest, s.rest()},
		{store.ServiceStorage, s.storage()},
		{store.ServiceRealtime, s.realtime()},
		{store.ServiceFunctions, s.functions()},
	} {
		w.serve(p, one.service, fmt.Sprintf("127.1.%d.%d", w.projects, i+100), one.handler)
	}
}

// projectDatabase is a database as a project's is: three roles, and a table whose rows are their owner's alone.
func projectDatabase(t *testing.T) string {
	t.Helper()
	address := pgtest.Empty(t)
	connection, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	defer func() { _ = connection.Close(t.Context()) }()
	_, err = connection.Exec(t.Context(), `
		do $$ begin create role anon; exception when duplicate_object then null; end $$;
		do $$ begin create role authenticated; exception when duplicate_object then null; end $$;
		do $$ begin create role service_role bypassrls; exception when duplicate_object then null; end $$;
		create table public.todos (id bigint generated always as identity primary key, title text not null, owner uuid);
		grant all on public.todos to anon, authenticated, service_role;
		alter table public.todos enable row level security;
		create policy "one's own" on public.todos
			using (owner = (current_setting('request.jwt.claims', true)::json ->> 'sub')::uuid);`)
	require.NoError(t, err)
	return address
}

type standInClaims struct {
	jwt.RegisteredClaims
	Email string `json:"email,omitempty"`
	Role  string `json:"role"`
}

// caller reads the token of a header, and refuses the request where it is not signed by the project's secret.
func (s *standIns) caller(w http.ResponseWriter, header string) (standInClaims, bool) {
	var claims standInClaims
	_, err := jwt.ParseWithClaims(strings.TrimPrefix(header, "Bearer "), &claims, func(*jwt.Token) (any, error) {
		return []byte(s.project.secrets[store.SecretJWT]), nil
	}, jwt.WithValidMethods([]string{"HS256"}))
	if err != nil {
		say(w, http.StatusUnauthorized, map[string]any{"message": "no token of the project's: " + header, "code": "bad_jwt"})
	}
	return claims, err == nil
}

func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// auth stands in for GoTrue.
func (s *standIns) auth() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /signup", func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Email, Password string }
		if _, ok := s.caller(w, r.Header.Get("Authorization")); !ok || !decode(w, r, &asked) {
			return
		}
		s.mutex.Lock()
		s.users[asked.Email] = standInUser{uuid.New(), asked.Password}
		s.mutex.Unlock()
		s.signIn(w, asked.Email)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		asked := struct {
			Email, Password string
			RefreshToken    string `json:"refresh_token"`
		}{}
		if _, ok := s.caller(w, r.Header.Get("Authorization")); !ok || !decode(w, r, &asked) {
			return
		}
		s.mutex.Lock()
		user, found := s.users[asked.Email+asked.RefreshToken] // the address is the refresh token here
		s.mutex.Unlock()
		if !found || asked.RefreshToken == "" && user.Password != asked.Password {
			say(w, http.StatusBadRequest, map[string]any{"code": "invalid_credentials", "error_code": "invalid_credentials", "msg": "Invalid login credentials"})
			return
		}
		s.signIn(w, asked.Email+asked.RefreshToken)
	})
	mux.HandleFunc("GET /user", func(w http.ResponseWriter, r *http.Request) {
		if claims, ok := s.caller(w, r.Header.Get("Authorization")); ok {
			say(w, http.StatusOK, userOf(claims.Subject, claims.Email))
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := s.caller(w, r.Header.Get("Authorization")); ok {
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("GET /admin/users", func(w http.ResponseWriter, r *http.Request) {
		claims, ok := s.caller(w, r.Header.Get("Authorization"))
		if !ok {
			return
		}
		if claims.Role != "service_role" {
			say(w, http.StatusForbidden, map[string]any{"code": 403, "error_code": "not_admin", "msg": "User not allowed"})
			return
		}
		users := []any{}
		s.mutex.Lock()
		for email, one := range s.users {
			users = append(users, userOf(one.ID.String(), email))
		}
		s.mutex.Unlock()
		say(w, http.StatusOK, map[string]any{"users": users, "aud": "authenticated"})
	})
	return mux
}

func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(r.Body).Decode(into)
	if err != nil {
		say(w, http.StatusBadRequest, map[string]any{"message": err.Error()})
	}
	return err == nil
}

func userOf(id, email string) map[string]any {
	return map[string]any{"id": id, "email": email, "aud": "authenticated", "role": "authenticated", "app_metadata": map[string]any{}, "user_metadata": map[string]any{}}
}

func (s *standIns) signIn(w http.ResponseWriter, email string) {
	s.mutex.Lock()
	id := s.users[email].ID.String()
	s.mutex.Unlock()
	expires := time.Now().Add(time.Hour).Unix()
	token := s.project.sign(s.t, jwt.MapClaims{"sub": id, "email": email, "role": "authenticated", "aud": "authenticated", "exp": expires})
	say(w, http.StatusOK, map[string]any{
		"access_token": token, "token_type": "bearer", "expires_in": 3600, "expires_at": expires, "refresh_token": email, "user": userOf(id, email),
	})
}

// rest stands in for PostgREST, for one table: what is selected by equality, and what is inserted. It runs in the database as the
// token's role, so that row level security is Postgres' own.
func (s *standIns) rest() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /todos", func(w http.ResponseWriter, r *http.Request) {
		columns := "*"
		if r.URL.Query().Get("select") == "title" {
			columns = "title"
		}
		title := strings.TrimPrefix(r.URL.Query().Get("title"), "eq.")
		s.query(w, r, http.StatusOK, `select coalesce(json_agg(t), '[]') from (
			select `+columns+` from public.todos where $1 = '' or title = $1) t`, title)
	})
	mux.HandleFunc("POST /todos", func(w http.ResponseWriter, r *http.Request) {
		var row struct {
			Title string
			Owner *uuid.UUID
		}
		if decode(w, r, &row) {
			s.query(w, r, http.StatusCreated, `with t as (insert into public.todos (title, owner) values ($1, $2) returning *)
				select json_agg(t) from t`, row.Title, row.Owner)
		}
	})
	return mux
}

func (s *standIns) query(w http.ResponseWriter, r *http.Request, status int, sql string, arguments ...any) {
	claims, ok := s.caller(w, r.Header.Get("Authorization"))
	if !ok {
		return
	}
	answer, err := s.asRole(r.Context(), claims, sql, arguments)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		say(w, http.StatusForbidden, map[string]any{"code": refused.Code, "message": refused.Message, "details": nil, "hint": nil})
	case err != nil:
		say(w, http.StatusInternalServerError, map[string]any{"message": err.Error()})
	default:
		say(w, status, answer)
	}
}

func (s *standIns) asRole(ctx context.Context, claims standInClaims, sql string, arguments []any) (answer json.RawMessage, err error) {
	connection, err := pgx.Connect(ctx, s.database)
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	told, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	return answer, pgx.BeginFunc(ctx, connection, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)`, claims.Role, string(told)); err != nil {
			return err
		}
		return tx.QueryRow(ctx, sql, arguments...).Scan(&answer)
	})
}

// storage stands in for the Storage API: whoever is signed in may do everything, anybody may read what is public or signed.
func (s *standIns) storage() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /object/{name...}", func(w http.ResponseWriter, r *http.Request) {
		if claims, ok := s.caller(w, r.Header.Get("Authorization")); !ok || !mayStore(w, claims) {
			return
		}
		content, err := contentOf(r)
		if err != nil {
			say(w, http.StatusBadRequest, map[string]any{"message": err.Error()})
			return
		}
		s.mutex.Lock()
		s.files[r.PathValue("name")] = content
		s.mutex.Unlock()
		say(w, http.StatusOK, map[string]any{"Id": uuid.New(), "Key": r.PathValue("name")})
	})
	mux.HandleFunc("POST /object/sign/{name...}", func(w http.ResponseWriter, r *http.Request) {
		if claims, ok := s.caller(w, r.Header.Get("Authorization")); !ok || !mayStore(w, claims) {
			return
		}
		token := s.project.sign(s.t, jwt.MapClaims{"url": r.PathValue("name"), "exp": time.Now().Add(time.Minute).Unix()})
		say(w, http.StatusOK, map[string]any{"signedURL": "/object/sign/" + r.PathValue("name") + "?token=" + token})
	})
	mux.HandleFunc("GET /object/{name...}", func(w http.ResponseWriter, r *http.Request) {
		if claims, ok := s.caller(w, r.Header.Get("Authorization")); ok && mayStore(w, claims) {
			s.download(w, r.PathValue("name"))
		}
	})
	mux.HandleFunc("GET /object/public/{name...}", func(w http.ResponseWriter, r *http.Request) { s.download(w, r.PathValue("name")) })
	mux.HandleFunc("GET /object/sign/{name...}", func(w http.ResponseWriter, r *http.Request) {
		claims := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(r.URL.Query().Get("token"), claims, func(*jwt.Token) (any, error) {
			return []byte(s.project.secrets[store.SecretJWT]), nil
		})
		if err != nil || claims["url"] != r.PathValue("name") {
			say(w, http.StatusBadRequest, map[string]any{"error": "InvalidSignature", "message": "the signature is not good"})
			return
		}
		s.download(w, r.PathValue("name"))
	})
	return mux
}

func mayStore(w http.ResponseWriter, claims standInClaims) bool {
	if claims.Role == "anon" {
		say(w, http.StatusBadRequest, map[string]any{"error": "Unauthorized", "message": "row level security"})
	}
	return claims.Role != "anon"
}

// contentOf reads an upload: of a form, in which supabase-js sends a file under no name, or as it is.
func contentOf(r *http.Request) ([]byte, error) {
	form, err := r.MultipartReader()
	if errors.Is(err, http.ErrNotMultipart) {
		return io.ReadAll(r.Body)
	}
	for err == nil {
		var part *multipart.Part
		if part, err = form.NextPart(); err == nil && part.FileName() != "" {
			return io.ReadAll(part)
		}
	}
	return nil, err
}

func (s *standIns) download(w http.ResponseWriter, name string) {
	s.mutex.Lock()
	content, found := s.files[name]
	s.mutex.Unlock()
	if !found {
		say(w, http.StatusBadRequest, map[string]any{"error": "not_found", "message": "Object not found"})
		return
	}
	_, _ = w.Write(content)
}

// functions stand in for the edge runtime: one says by whose key it was called, by whom, and with what.
func (s *standIns) functions() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/whoami", func(w http.ResponseWriter, r *http.Request) {
		key, ok := s.caller(w, r.Header.Get("Sb-Api-Key"))
		if !ok {
			return
		}
		var user standInClaims
		if authorization := r.Header.Get("Authorization"); authorization != "" && !strings.HasPrefix(authorization, "Bearer sb_") {
			if user, ok = s.caller(w, authorization); !ok {
				return
			}
		}
		body, _ := io.ReadAll(r.Body)
		say(w, http.StatusOK, map[string]any{"key": key.Role, "user": user.Subject, "body": string(body)})
	})
	return mux
}

// member is one socket of Realtime's.
type member struct {
	socket *websocket.Conn
	mutex  sync.Mutex
}

// message is Phoenix' own, in the form of its version 1.
type message struct {
	Topic   string          `json:"topic"`
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
	Ref     *string         `json:"ref"`
	JoinRef *string         `json:"join_ref"`
}

func (m *member) send(sent message) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	_ = websocket.JSON.Send(m.socket, sent)
}

// realtime stands in for Realtime: channels, and what is broadcast on them. A socket is opened by the header of the gateway's, and a
// channel by a token of the project's, for which a key that no service knows stands back.
func (s *standIns) realtime() http.Handler {
	server := websocket.Server{Handler: func(socket *websocket.Conn) {
		m := &member{socket: socket}
		for {
			var got message
			if websocket.JSON.Receive(socket, &got) != nil {
				break
			}
			s.hear(m, got)
		}
		s.mutex.Lock()
		defer s.mutex.Unlock()
		for _, room := range s.rooms {
			delete(room, m)
		}
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := s.caller(w, r.Header.Get("X-Api-Key")); !ok {
			return
		}
		if r.URL.Path != "/socket/websocket" || r.Host != store.RealtimeTenant+".realtime" {
			http.NotFound(w, r)
			return
		}
		server.ServeHTTP(w, r)
	})
}

func (s *standIns) hear(m *member, got message) {
	status := "ok"
	s.mutex.Lock()
	room := s.rooms[got.Topic]
	if room == nil {
		room = map[*member]bool{}
		s.rooms[got.Topic] = room
	}
	switch got.Event {
	case "phx_join":
		var join struct {
			AccessToken string `json:"access_token"`
		}
		err := json.Unmarshal(got.Payload, &join)
		// Whoever brings no session has what opened the socket.
		session := join.AccessToken != "" && !strings.HasPrefix(join.AccessToken, "sb_")
		if err != nil || session && s.project.role(join.AccessToken) == "" {
			status = "error"
			break
		}
		room[m] = true
	case "phx_leave":
		delete(room, m)
	case "broadcast":
		for other := range room {
			if other != m {
				other.send(message{Topic: got.Topic, Event: got.Event, Payload: got.Payload})
			}
		}
	}
	s.mutex.Unlock()
	reply := json.RawMessage(`{"status":"` + status + `","response":{"postgres_changes":[]}}`)
	m.send(message{Topic: got.Topic, Event: "phx_reply", Payload: reply, Ref: got.Ref, JoinRef: got.JoinRef})
}
