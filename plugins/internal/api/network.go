package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// V1AllowedCIDRs is from where a project's API may be reached.
type V1AllowedCIDRs struct {
	V4 []string `json:"dbAllowedCidrs" required:"false" maxItems:"200"`
	V6 []string `json:"dbAllowedCidrsV6" required:"false" maxItems:"200"`
}

// V1NetworkRestrictions says what is in force.
type V1NetworkRestrictions struct {
	Entitlement string          `json:"entitlement" enum:"allowed,disallowed"`
	Config      V1AllowedCIDRs  `json:"config"`
	OldConfig   *V1AllowedCIDRs `json:"old_config,omitempty" doc:"What was in force before the last change."`
	Status      string          `json:"status" enum:"applied,stored"`
	UpdatedAt   *time.Time      `json:"updated_at,omitempty"`
	AppliedAt   *time.Time      `json:"applied_at,omitempty"`
}

// V1CIDR is a range of addresses with its kind.
type V1CIDR struct {
	Address string `json:"address"`
	Type    string `json:"type" enum:"v4,v6"`
}

// V1TypedCIDRs is from where a project's API may be reached, in one list.
type V1TypedCIDRs struct {
	Allowed []V1CIDR `json:"dbAllowedCidrs"`
}

// V1NetworkRestrictionsV2 says what is in force, in one list.
type V1NetworkRestrictionsV2 struct {
	Entitlement string        `json:"entitlement" enum:"allowed,disallowed"`
	Config      V1TypedCIDRs  `json:"config"`
	OldConfig   *V1TypedCIDRs `json:"old_config,omitempty"`
	Status      string        `json:"status" enum:"applied,stored"`
	UpdatedAt   *time.Time    `json:"updated_at,omitempty"`
	AppliedAt   *time.Time    `json:"applied_at,omitempty"`
}

// V1NetworkRestrictionsPatch adds and takes away.
type V1NetworkRestrictionsPatch struct {
	Add    V1AllowedCIDRs `json:"add" required:"false"`
	Remove V1AllowedCIDRs `json:"remove" required:"false"`
}

// V1NetworkBans lists the addresses that a project turns away.
type V1NetworkBans struct {
	Addresses []string `json:"banned_ipv4_addresses"`
}

// V1NetworkBan is an address that a project turns away.
type V1NetworkBan struct {
	Address    string `json:"banned_address"`
	Identifier string `json:"identifier" doc:"The project's ref."`
	Type       string `json:"type"`
}

// V1EnrichedNetworkBans lists them with what is known of each.
type V1EnrichedNetworkBans struct {
	Addresses []V1NetworkBan `json:"banned_ipv4_addresses"`
}

// V1UnbanBody says whom to let in again.
type V1UnbanBody struct {
	Addresses   []string `json:"ipv4_addresses" maxItems:"200"`
	RequesterIP bool     `json:"requester_ip,omitempty" doc:"The caller's own address too."`
	Identifier  string   `json:"identifier,omitempty"`
}

type restrictInput struct {
	Ref  string `path:"ref"`
	Body V1AllowedCIDRs
}

type patchRestrictionsInput struct {
	Ref  string `path:"ref"`
	Body V1NetworkRestrictionsPatch
}

type unbanInput struct {
	Ref  string `path:"ref"`
	Body V1UnbanBody
}

func (a *API) registerNetwork() {
	const bans, restrictions = "/v1/projects/{ref}/network-bans", "/v1/projects/{ref}/network-restrictions"
	read, write := access.InProject(access.Read, "projects"), access.InProject(access.Update, "projects")
	handle(a, route{
		method: http.MethodPost, path: bans + "/retrieve", permission: read, status: http.StatusCreated, kind: Real, summary: "Addresses that the project's gateway turns away",
	}, a.v1NetworkBans)
	handle(a, route{
		method: http.MethodPost, path: bans + "/retrieve/enriched", permission: read, status: http.StatusCreated, kind: Real,
		summary: "Addresses that the project's gateway turns away, with what is known of each",
	}, a.v1EnrichedNetworkBans)
	act(a, route{method: http.MethodDelete, path: bans, permission: write, kind: Real, summary: "Let addresses in again"}, a.v1Unban)
	handle(a, route{
		method: http.MethodGet, path: restrictions, permission: read, kind: Real, summary: "From where the project's API may be reached; the database's port is not the gateway's",
	}, a.v1NetworkRestrictions)
	handle(a, route{
		method: http.MethodPost, path: restrictions + "/apply", permission: write, status: http.StatusCreated, kind: Real, summary: "Say from where the project's API may be reached",
	}, a.v1RestrictNetwork)
	handle(a, route{
		method: http.MethodPatch, path: restrictions, permission: write, kind: Real, summary: "Add to and take from where the project's API may be reached",
	}, a.v1PatchRestrictions)
}

func (a *API) v1NetworkBans(ctx context.Context, c *call, _ *refPath) (V1NetworkBans, error) {
	bans, err := a.store.NetworkBans(ctx, c.project.ID)
	list := make([]string, len(bans))
	for i, ban := range bans {
		list[i] = ban.Address.String()
	}
	return V1NetworkBans{list}, err
}

func (a *API) v1EnrichedNetworkBans(ctx context.Context, c *call, _ *refPath) (V1EnrichedNetworkBans, error) {
	bans, err := a.store.NetworkBans(ctx, c.project.ID)
	list := make([]V1NetworkBan, len(bans))
	for i, ban := range bans {
		list[i] = V1NetworkBan{Address: ban.Address.String(), Identifier: string(c.project.Ref), Type: "gateway"}
	}
	return V1EnrichedNetworkBans{list}, err
}

func (a *API) v1Unban(ctx context.Context, c *call, in *unbanInput) error {
	var addresses []netip.Addr
	for _, text := range in.Body.Addresses {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return problem.BadRequest(fmt.Sprintf("%q is not an address.", text))
		}
		addresses = append(addresses, address.Unmap())
	}
	if in.Body.RequesterIP && c.actor.Address.IsValid() {
		addresses = append(addresses, c.actor.Address.Unmap())
	}
	return a.store.Unban(ctx, c.actor, c.project.Ref, addresses)
}

// everywhere is what is allowed where nothing was said.
var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

func (a *API) v1NetworkRestrictions(ctx context.Context, c *call, _ *refPath) (V1NetworkRestrictions, error) {
	found, err := a.store.NetworkRestrictions(ctx, c.project.ID)
	return v1RestrictionsOf(found), err
}

func v1RestrictionsOf(r store.NetworkRestrictions) V1NetworkRestrictions {
	answer := V1NetworkRestrictions{Entitlement: "allowed", Config: byKind(everywhere), Status: "applied"}
	if r.UpdatedAt.IsZero() {
		return answer
	}
	answer.Config, answer.UpdatedAt, answer.AppliedAt = byKind(r.Allowed), &r.UpdatedAt, &r.UpdatedAt
	if r.Before != nil {
		old := byKind(r.Before)
		answer.OldConfig = &old
	}
	return answer
}

func byKind(prefixes []netip.Prefix) V1AllowedCIDRs {
	lists := V1AllowedCIDRs{V4: []string{}, V6: []string{}}
	for _, prefix := range prefixes {
		if prefix.Addr().Is4() {
			lists.V4 = append(lists.V4, prefix.String())
		} else {
			lists.V6 = append(lists.V6, prefix.String())
		}
	}
	return lists
}

func typed(prefixes []netip.Prefix) V1TypedCIDRs {
	list := make([]V1CIDR, len(prefixes))
	for i, prefix := range prefixes {
		list[i] = V1CIDR{Address: prefix.String(), Type: "v6"}
		if prefix.Addr().Is4() {
			list[i].Type = "v4"
		}
	}
	return V1TypedCIDRs{list}
}

// prefixes reads ranges of addresses, each once, without what is behind a range's mask.
func (l V1AllowedCIDRs) prefixes() ([]netip.Prefix, error) {
	var read []netip.Prefix
	for _, text := range slices.Concat(l.V4, l.V6) {
		prefix, err := netip.ParsePrefix(text)
		if err != nil || prefix.Addr().Is4In6() {
			return nil, problem.BadRequest(fmt.Sprintf("%q is not a range of addresses, such as 192.0.2.0/24.", text))
		}
		if prefix = prefix.Masked(); !slices.Contains(read, prefix) {
			read = append(read, prefix)
		}
	}
	return read, nil
}

func (a *API) v1RestrictNetwork(ctx context.Context, c *call, in *restrictInput) (V1NetworkRestrictions, error) {
	allowed, err := in.Body.prefixes()
	if err != nil {
		return V1NetworkRestrictions{}, err
	}
	now, err := a.store.RestrictNetwork(ctx, c.actor, c.project.Ref, func([]netip.Prefix) []netip.Prefix { return allowed })
	return v1RestrictionsOf(now), err
}

func (a *API) v1PatchRestrictions(ctx context.Context, c *call, in *patchRestrictionsInput) (V1NetworkRestrictionsV2, error) {
	add, err := in.Body.Add.prefixes()
	if err != nil {
		return V1NetworkRestrictionsV2{}, err
	}
	remove, err := in.Body.Remove.prefixes()
	if err != nil {
		return V1NetworkRestrictionsV2{}, err
	}
	now, err := a.store.RestrictNetwork(ctx, c.actor, c.project.Ref, func(before []netip.Prefix) []netip.Prefix {
		if before == nil {
			before = everywhere
		}
		kept := slices.DeleteFunc(slices.Clone(before), func(p netip.Prefix) bool { return slices.Contains(remove, p) || slices.Contains(add, p) })
		return append(kept, add...)
	})
	answer := V1NetworkRestrictionsV2{
		Entitlement: "allowed", Config: typed(now.Allowed), Status: "applied", UpdatedAt: &now.UpdatedAt, AppliedAt: &now.UpdatedAt,
	}
	if now.Before != nil {
		old := typed(now.Before)
		answer.OldConfig = &old
	}
	return answer, err
}
