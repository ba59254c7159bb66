package server

import (
	"errors"
	"sync"

	"github.com/Kong/go-pdk"
)

// errOver says that a plugin asks something after it said that it would not.
var errOver = errors.New("the phase is over: it has made its last call")

// connOf finds the connection of a plugin development kit, which keeps it to itself.
var connOf sync.Map // *pdk.PDK → *conn

// Last says that the plugin's next call to Kong is the last one of its phase. What ends the phase then leaves together with the
// call, so that Kong, once it has done what the call asks, goes on at once: it would have to wake the plugin, and be woken by it,
// otherwise. Kong reads what comes one after the other (Rpc:call in kong/runloop/plugin_servers/rpc/pb_rpc.lua), and its answer
// to the call is read when it comes.
func Last(kong *pdk.PDK) {
	if found, ok := connOf.Load(kong); ok {
		found.(*conn).last = true
	}
}
