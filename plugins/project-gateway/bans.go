package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
)

// banSettings say when a client that guesses at secret keys is turned away.
type banSettings struct {
	After    int           `env:"PLURABASE_BAN_AFTER" envDefault:"10"`
	Window   time.Duration `env:"PLURABASE_BAN_WINDOW" envDefault:"10m"`
	Duration time.Duration `env:"PLURABASE_BAN_DURATION" envDefault:"30m"`
	// By default the addresses of private networks: where the operator did not tell Kong of the proxy before it, or of Docker's own
	// (KONG_TRUSTED_IPS), every client has the proxy's address, and a ban of that shuts everybody out.
	Exempt networks `env:"PLURABASE_BAN_EXEMPT" envDefault:"10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fc00::/7"`
	// Kong's own. Whose word it takes for a client's address is a proxy; where it takes everybody's, no address can be relied on.
	Trusted networks `env:"KONG_TRUSTED_IPS"`
}

// maxGuesses bounds what is kept of each client.
const maxGuesses = 100

func (s banSettings) check() error {
	var wrong []error
	if s.After < 0 || s.After > maxGuesses {
		wrong = append(wrong, fmt.Errorf("PLURABASE_BAN_AFTER has to be a number from 1 to %d, or 0 to ban nobody", maxGuesses))
	}
	if s.After > 0 && (s.Window <= 0 || s.Duration <= 0) {
		wrong = append(wrong, errors.New("PLURABASE_BAN_WINDOW and PLURABASE_BAN_DURATION have to be longer than nothing, such as 10m"))
	}
	return errors.Join(wrong...)
}

func (s banSettings) rules() dataplane.BanRules {
	return dataplane.BanRules{After: s.After, Window: s.Window, Duration: s.Duration, Exempt: slices.Concat(s.Exempt, s.Trusted)}
}

// networks are addresses and ranges of them, separated by commas.
type networks []netip.Prefix

// UnmarshalText reads them. What Kong calls `unix:` has no address.
func (n *networks) UnmarshalText(text []byte) error {
	for one := range strings.SplitSeq(string(text), ",") {
		one = strings.TrimSpace(one)
		if one == "" || one == "unix:" {
			continue
		}
		network, err := netip.ParsePrefix(one)
		if address, failed := netip.ParseAddr(one); failed == nil {
			network, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("%q is no address and no range of addresses, such as 192.0.2.0/24", one)
		}
		*n = append(*n, network)
	}
	return nil
}
