package dataplane

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/plurabase/plurabase/store"
)

// project is what a node knows of one project. It is replaced as a whole when something changes; what is counted, and what was
// made of the JWT secret, goes over to the next.
//
// With many projects, what a request costs is the memory that it has to reach for: what each asks for comes first, and close together.
type project struct {
	state     *Refusal // why it cannot be asked anything; nil where it can
	keys      []apiKey // in the order of Keys
	tokens    *tokens
	counts    *counts
	banned    map[netip.Prefix]time.Time // until when; zero: without an end
	has       [serviceCount]bool
	addresses [serviceCount]string // the targets as Kong is told them
	targets   [serviceCount]netip.AddrPort
	store.GatewayProject
}

// apiKey is an opaque key as it is looked for.
type apiKey struct {
	digest [32]byte
	*keyState
}

// keyState is what becomes of an opaque key.
type keyState struct {
	secret bool
	used   atomic.Int64 // when it was used and that was not yet written down, in Unix seconds; 0: it was not
	tokens [2]atomic.Pointer[minted]
}

func newProject(from store.GatewayProject, before *project) *project {
	p := &project{GatewayProject: from, counts: &counts{}, keys: make([]apiKey, len(from.Keys)), tokens: &tokens{}, state: stateOf(from.Status)}
	for i, key := range from.Keys {
		p.keys[i] = apiKey{key.Digest, &keyState{secret: key.Type == store.SecretKey}}
	}
	if before != nil {
		p.takeOver(before)
	}
	for s, name := range services {
		p.has[s] = slices.Contains(from.Services, name)
		// Kong's balancer takes an IPv4 address as it is; a project's subnet has no others.
		if target := from.Targets[name]; target.Addr().Is4() {
			p.targets[s], p.addresses[s] = target, target.String()
		}
	}
	p.targets[database] = from.Database
	if len(from.Banned) > 0 {
		p.banned = make(map[netip.Prefix]time.Time, len(from.Banned))
		for _, ban := range from.Banned {
			p.banned[ban.Network] = ban.Until
		}
	}
	return p
}

// takeOver takes over what was counted, and of the tokens those that are as they would be made now.
func (p *project) takeOver(before *project) {
	p.counts = before.counts
	same := p.SameSecret(before.GatewayProject)
	if same {
		p.tokens = before.tokens
	}
	for i, key := range p.Keys {
		was := slices.IndexFunc(before.Keys, func(one store.GatewayKey) bool { return one.ID == key.ID })
		switch {
		case was < 0:
		case same && reflect.DeepEqual(key.Claims, before.Keys[was].Claims):
			p.keys[i].keyState = before.keys[was].keyState
		default:
			p.keys[i].used.Store(before.keys[was].used.Load())
		}
	}
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

// stateOf tells why a project cannot be asked anything; nil where it can.
func stateOf(status store.Status) *Refusal {
	if status == store.StatusActiveHealthy || status == store.StatusActiveUnhealthy {
		return nil
	}
	if state, known := states[status]; known {
		return state
	}
	return comingUp(fmt.Sprintf("The project is not running: it is %s.", status), briefly)
}

// serves tells why a service of the project is not there to be asked; nil where it is.
func (p *project) serves(s service) *Refusal {
	if p.state != nil {
		return p.state
	}
	if !p.has[s] {
		return &Refusal{Status: noService.Status, Message: fmt.Sprintf("This project runs without %s.", titles[s]), Code: "service_not_found"}
	}
	if !p.targets[s].IsValid() {
		return comingUp(fmt.Sprintf("%s of this project is not there yet.", strings.ToUpper(titles[s][:1])+titles[s][1:]), briefly)
	}
	return nil
}
