package gateway

import (
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/Kong/go-pdk"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
)

// Route lets Kong proxy a request to the container of the project that it names, or answers in the project's place. The request's
// body and the answer never pass through here.
func Route(kong *pdk.PDK, config Config, log *slog.Logger, projects *dataplane.Gateway) {
	x := Begin(kong, config, log)
	defer x.Recover()
	x.route = "project" // projects' own paths make no series
	request, err := readProjectRequest(kong)
	if err != nil {
		x.Refuse(problemOf(log, err))
		return
	}
	upstream, refusal := projects.Route(request)
	if refusal != nil {
		x.Answer(refusal.Status, refusal.Header(), refusal.JSON())
		return
	}
	if err := x.Pass(Pass{Target: upstream.Target, Path: upstream.Path, Headers: upstream.Headers}); err != nil {
		x.Refuse(problemOf(log, err))
	}
}

// readProjectRequest reads what says where a request goes, and who sends it. The path stays as it came: the services
// have names in it that are escaped in more than one way.
func readProjectRequest(kong *pdk.PDK) (dataplane.Request, error) {
	if f, ok := readVariable(kong); ok {
		return dataplane.Request{
			Target: f[fieldTarget], Client: clientOf(f[fieldAddress]), Host: f.header("Host"),
			APIKey: f.header("Apikey"), Authorization: f.header("Authorization"), UserAgent: f.header("User-Agent"),
		}, nil
	}
	target, err := kong.Request.GetPathWithQuery()
	if err != nil {
		return dataplane.Request{}, fmt.Errorf("read the path: %w", err)
	}
	address, err := kong.Client.GetForwardedIp()
	if err != nil {
		return dataplane.Request{}, fmt.Errorf("read the client's address: %w", err)
	}
	headers, err := readHeaders(kong)
	return dataplane.Request{
		Target: target, Client: clientOf(address), Host: headers.Get("Host"),
		APIKey: headers.Get("Apikey"), Authorization: headers.Get("Authorization"), UserAgent: headers.Get("User-Agent"),
	}, err
}

// clientOf is the zero address for a client on a unix socket, which has none.
func clientOf(address string) netip.Addr {
	parsed, _ := netip.ParseAddr(address)
	return parsed
}
