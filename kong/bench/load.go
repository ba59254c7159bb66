package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// scenario is a request that is sent over and over.
type scenario struct {
	name    string
	plugin  string // whose CPU it costs; empty for none
	request []byte
}

func (w *world) scenario(name, plugin, method, path, body string) scenario {
	head := "Authorization: " + w.session + "\r\nX-Connection-Encrypted: " + w.token + "\r\n"
	if body != "" {
		head += "Content-Type: application/json\r\n"
	}
	return newScenario(name, plugin, method+" "+path, "bench", head, body)
}

// ofProject is a scenario of the project's own host, by its publishable key.
func (w *world) ofProject(name, plugin, host, path string) scenario {
	return newScenario(name, plugin, "GET "+path, host, "Apikey: "+w.publishable+"\r\n", "")
}

func newScenario(name, plugin, line, host, head, body string) scenario {
	return scenario{name: name, plugin: plugin, request: fmt.Appendf(nil, "%s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n%s",
		line, host, head, len(body), body)}
}

// Names of what the summary speaks of.
const (
	caseEmpty       = "empty"
	caseProfile     = "profile"
	casePermissions = "permissions"
	caseProjects    = "projects"
	caseDirect      = "pg-meta-direct"
	casePgMeta      = "pg-meta"
	caseRest        = "rest-direct"
	caseProject     = "project"
)

func (w *world) scenarios() []scenario {
	ref := string(w.ref)
	return []scenario{
		w.scenario(caseEmpty, emptyPlugin, "GET", "/empty", ""),
		w.scenario(caseProfile, platformAPI, "GET", "/api/platform/profile", ""),
		w.scenario(casePermissions, platformAPI, "GET", "/api/platform/profile/permissions", ""),
		w.scenario("organizations", platformAPI, "GET", "/api/platform/organizations", ""),
		w.scenario(caseProjects, platformAPI, "GET", "/api/platform/projects?limit=100", ""),
		w.scenario("settings", platformAPI, "GET", "/api/platform/projects/"+ref+"/settings", ""),
		w.scenario("status", platformAPI, "GET", "/api/platform/projects/"+ref+"/status", ""),
		w.scenario(caseDirect, "", "POST", "/query", `{"query":"select 1"}`),
		w.scenario(casePgMeta, pgMetaCrypto, "POST", "/api/platform/pg-meta/"+ref+"/query", `{"query":"select 1"}`),
		w.ofProject(caseRest, "", "bench", "/todos"),
		w.ofProject(caseProject, projectGateway, ref+".localhost", "/rest/v1/todos"),
	}
}

// load is what came of one scenario.
type load struct {
	took      time.Duration
	latencies []time.Duration // ordered
	cpu       time.Duration   // of the plugin
	bytes     int             // of one answer
}

func (l load) perSecond() float64 { return float64(len(l.latencies)) / l.took.Seconds() }

func (l load) percentile(p int) time.Duration {
	return l.latencies[min(len(l.latencies)*p/100, len(l.latencies)-1)]
}

func (l load) cpuEach() time.Duration { return l.cpu / time.Duration(len(l.latencies)) }

// run sends a scenario over so many connections, each waiting for its answer before it sends again.
func (w *world) run(ctx context.Context, s scenario, connections int, lasts time.Duration) (load, error) {
	before, err := w.cpu(s.plugin)
	if err != nil {
		return load{}, err
	}
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	parts := make([][]time.Duration, connections)
	var size int
	for i := range connections {
		group.Go(func() error {
			client, err := w.dial(ctx)
			if err != nil {
				return err
			}
			defer client.close()
			for time.Since(began) < lasts && ctx.Err() == nil {
				took, read, err := client.ask(s)
				if err != nil {
					return err
				}
				parts[i] = append(parts[i], took)
				if i == 0 {
					size = read
				}
			}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return load{}, err
	}
	took := time.Since(began)
	after, err := w.cpu(s.plugin)
	latencies := slices.Concat(parts...)
	slices.Sort(latencies)
	return load{took: took, latencies: latencies, cpu: after - before, bytes: size}, err
}

// client is one connection.
type client struct {
	net.Conn
	in *bufio.Reader
}

func (w *world) dial(ctx context.Context) (*client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", w.host.Addr())
	if err != nil {
		return nil, err
	}
	return &client{conn, bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *client) close() { _ = c.Close() }

// ask sends one request and reads its whole answer, which has to be a good one.
func (c *client) ask(s scenario) (took time.Duration, size int, err error) {
	began := time.Now()
	if _, err := c.Write(s.request); err != nil {
		return 0, 0, err
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", s.name, err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.Copy(io.Discard, response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: answered %d", s.name, response.StatusCode)
	}
	return time.Since(began), int(read), err
}

// result is one scenario at one number of connections.
type result struct {
	scenario
	connections int
	load
}

// connectionCounts are the numbers of connections at once.
var connectionCounts = []int{1, 16, 64}

// measure loads every scenario in turn, round after round, so that what else the machine does meets all alike. The
// round in the middle, by its throughput, counts.
func (w *world) measure(ctx context.Context, o options) ([]result, error) {
	var results []result
	for _, connections := range connectionCounts {
		rounds := map[string][]load{}
		for range o.rounds {
			for _, s := range w.scenarios() {
				l, err := w.run(ctx, s, connections, o.each)
				if err != nil {
					return nil, err
				}
				rounds[s.name] = append(rounds[s.name], l)
			}
		}
		for _, s := range w.scenarios() {
			all := rounds[s.name]
			slices.SortFunc(all, func(a, b load) int { return int(a.perSecond() - b.perSecond()) })
			results = append(results, result{s, connections, all[len(all)/2]})
		}
	}
	return results, nil
}
