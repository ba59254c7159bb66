package render

import (
	"net/url"
	"time"
)

// Config is a declarative file. The zero value configures nothing.
type Config struct {
	Services  []Service
	Plugins   []Plugin // The plugins that run for every request.
	Consumers []Consumer
	// Entities are the lists that have no type here, such as "acls", by their name in the file.
	Entities map[string]any
}

// Service is an upstream that Kong proxies to. Defaults are Kong's (kong/db/schema/entities/services.lua).
type Service struct {
	Name           string
	URL            *url.URL      // http or https, with a host; the path is a prefix of what the upstream sees.
	ConnectTimeout time.Duration // 60 s when the file says nothing; so are the two below.
	WriteTimeout   time.Duration // Between two writes to the upstream.
	ReadTimeout    time.Duration // Between two reads from the upstream.
	Retries        int           // How many further tries a failed connection gets; 5 by default.
	Enabled        bool          // true by default.
	Routes         []Route
	Plugins        []Plugin
	Line           int // Where it stands in the file.
}

// Route says which requests go to its service. An empty list lets every request pass. Defaults are Kong's
// (kong/db/schema/entities/routes.lua).
type Route struct {
	Name              string
	Hosts             []string // Names, or names with a leading or trailing "*".
	Paths             []string // Prefixes, or regular expressions behind a "~".
	Methods           []string
	Protocols         []string // http and https by default.
	StripPath         bool     // true by default.
	PreserveHost      bool
	RequestBuffering  bool // true by default; so is ResponseBuffering.
	ResponseBuffering bool
	Plugins           []Plugin
	Line              int
}

// Plugin is one use of a plugin.
type Plugin struct {
	Name    string
	Enabled bool           // true by default.
	Config  map[string]any // As YAML gives it: numbers are int or float64. Never nil.
	Line    int
}

// Consumer is a user of Kong's own authentication plugins.
type Consumer struct {
	Username    string
	CustomID    string
	Credentials map[string]any // Everything else that stands there, such as "keyauth_credentials".
	Line        int
}
