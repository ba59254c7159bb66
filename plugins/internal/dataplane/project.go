package dataplane

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/store"
)

// project is what a node knows of one project. It is replaced as a whole when something changes; what is counted, and what was
// made of the JWT secret, goes over to the next.
type project struct {
	store.GatewayProject
	targets [serviceCount]netip.AddrPort
	has     [serviceCount]bool
	banned  map[netip.Prefix]time.Time // until when; zero: without an end
	counts  *counts
	uses    map[uuid.UUID]*atomic.Int64 // of each key, when it was used and that was not yet written down, in Unix seconds
	tokens  *tokens
}

func newProject(from store.GatewayProject, before *project) *project {
	p := &project{GatewayProject: from, counts: &counts{}, uses: make(map[uuid.UUID]*atomic.Int64, len(from.Keys)), tokens: &tokens{}}
	if before != nil {
		p.counts = before.counts
		if from.SameSecret(before.GatewayProject) {
			p.tokens = before.tokens
		}
	}
	for s, name := range services {
		p.has[s] = slices.Contains(from.Services, name)
		// Kong's balancer takes an IPv4 address as it is; a project's subnet has no others.
		if target := from.Targets[name]; target.Addr().Is4() {
			p.targets[s] = target
		}
	}
	p.targets[database] = from.Database
	for _, key := range from.Keys {
		p.uses[key.ID] = &atomic.Int64{}
		if before != nil && before.uses[key.ID] != nil {
			p.uses[key.ID] = before.uses[key.ID]
		}
	}
	if len(from.Banned) > 0 {
		p.banned = make(map[netip.Prefix]time.Time, len(from.Banned))
		for _, ban := range from.Banned {
			p.banned[ban.Network] = ban.Until
		}
	}
	return p
}

// admit tells whether an address is let in. One that is not known is nobody's, and is let in where everybody is.
func (p *project) admit(client netip.Addr, now func() time.Time) *Refusal {
	if p.banned == nil && p.Allowed == nil {
		return nil
	}
	client = client.Unmap().WithZone("")
	if until, found := p.banned[store.NetworkOf(client)]; found && (until.IsZero() || now().Before(until)) {
		return banned
	}
	if p.Allowed != nil && !slices.ContainsFunc(p.Allowed, func(allowed netip.Prefix) bool { return allowed.Contains(client) }) {
		return noAddress
	}
	return nil
}

// states says what a project is doing that does not run.
var states = map[store.Status]*Refusal{
	store.StatusComingUp:      comingUp("The project is coming up.", briefly),
	store.StatusPausing:       comingUp("The project is being paused.", briefly),
	store.StatusInactive:      comingUp("The project is paused.", forLong),
	store.StatusRestoring:     comingUp("The project is being restored.", briefly),
	store.StatusRestarting:    comingUp("The project is being restarted.", briefly),
	store.StatusResizing:      comingUp("The project is being resized.", briefly),
	store.StatusUpgrading:     comingUp("The project is being upgraded.", briefly),
	store.StatusInitFailed:    comingUp("The project did not come up.", forLong),
	store.StatusPauseFailed:   comingUp("The project could not be paused, and does not run.", forLong),
	store.StatusRestoreFailed: comingUp("The project could not be restored.", forLong),
	store.StatusGoingDown:     noProject,
}

// runs tells why the project cannot be asked anything; nil where it can.
func (p *project) runs() *Refusal {
	if p.Status == store.StatusActiveHealthy || p.Status == store.StatusActiveUnhealthy {
		return nil
	}
	if state, known := states[p.Status]; known {
		return state
	}
	return comingUp(fmt.Sprintf("The project is not running: it is %s.", p.Status), briefly)
}

// serves tells why a service of the project is not there to be asked; nil where it is.
func (p *project) serves(s service) *Refusal {
	if refusal := p.runs(); refusal != nil {
		return refusal
	}
	if !p.has[s] {
		return &Refusal{Status: noService.Status, Message: fmt.Sprintf("This project runs without %s.", titles[s]), Code: "service_not_found"}
	}
	if !p.targets[s].IsValid() {
		return comingUp(fmt.Sprintf("%s of this project is not there yet.", strings.ToUpper(titles[s][:1])+titles[s][1:]), briefly)
	}
	return nil
}
