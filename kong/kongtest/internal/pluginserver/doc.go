// Package pluginserver is Kong's side of an external Go plugin: it asks the executable for its schema, keeps its process
// running, and calls it over its unix socket.
//
// The protocol is Kong's own (kong/include/kong/pluginsocket.proto and kong/runloop/plugin_servers, as of 3.9). A frame
// is a length in four bytes, the lowest first, and that many bytes. Kong sends one RpcCall. A plugin that handles an
// event may ask back any number of times, each with a frame for the method's name and one for its arguments, and gets
// one frame for each; an empty name says that it has finished, and the RpcReturn follows. One connection carries one call
// at a time and is then kept for the next.
package pluginserver
