// Package kongtest is a stand-in for Kong, for machines and tests where Kong's image can't be had. It is not Kong: it
// runs the real plugin executables over Kong's own plugin protocol, and imitates of Kong 3.9 what lies around them.
//
// It stands in for:
//
//   - the life of a plugin's process: the query for its schema, its environment, which holds only what is named, its
//     socket, its output in the log, a new start at most once a second after it died, and the check of its
//     configuration against its schema;
//   - plugin calls: instances, kept connections, the phases rewrite, access, response and log, and the PDK calls that
//     package go-pdk offers, with Kong's limits and phases, but for those named below. A call that fails, a dead plugin
//     and an unknown method answer 500; a connection that the plugin closed makes Kong call it again;
//   - the order of plugins by priority, and the most specific configuration of each;
//   - routing by hosts, paths and methods, on the normalised path (see package router);
//   - proxying with Kong's headers, timeouts and retries, of WebSockets and streams too;
//   - the plugins cors and request-termination, and post-function in the phase access, whose Lua is really run, by a Lua
//     written in Go (see postfunction.go for what of the PDK it can call);
//   - Kong's own answers, in JSON, HTML, XML or text as the client accepts.
//
// A route with any other plugin is not served: it is named at the start, see [Host.Unserved], and answers 501.
//
// It does not do, or does otherwise:
//
//   - TLS, HTTP/2, gRPC, streams of TCP, upstreams with several targets, health checks, trusted proxies, the Admin API,
//     several workers, hybrid mode, other Lua;
//   - the PDK's kong.client.authenticate, get_consumer, get_credential, load_consumer and get_protocol, kong.log.serialize
//     and set_serialize_value, kong.nginx.get_tls1_version_str and kong.node.get_memory_stats: 500, as any unknown method;
//   - it does not buffer bodies on disk before it proxies them, whatever request_buffering says;
//   - it knows no order among a request's headers: where Kong gives the first hundred to a plugin, it gives the first
//     hundred by name;
//   - it does not send "Content-Length: 0" with 204, as Go's server can't, and answers 500 where a plugin exits with a
//     status below 200, which makes Kong hang;
//   - it checks the certificates of https upstreams, which Kong does not by default;
//   - it calls itself kongtest in Server and Via, so that nobody takes it for Kong;
//   - Start returns when the plugins' sockets answer, while a real Kong answers 500 until then.
package kongtest
