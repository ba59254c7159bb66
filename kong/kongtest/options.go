package kongtest

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"time"

	"github.com/plurabase/plurabase/kong/render"
)

// Defaults of [Options].
const (
	defaultListen = "127.0.0.1:0"
	// defaultBodyBuffer is where a real Kong, with its default client_body_buffer_size of 8k, was seen to turn to files.
	defaultBodyBuffer = 16 << 10
	// defaultPluginTimeout is lua_socket_read_timeout.
	defaultPluginTimeout = 60 * time.Second
	defaultStartTimeout  = 10 * time.Second
)

// Options say what a host runs. Config or ConfigFile is needed, and no other field.
type Options struct {
	// Config is the declarative configuration; when it is nil, ConfigFile is read.
	Config     *render.Config
	ConfigFile string

	// Lookup finds the environment variables that ConfigFile names and that Environment lists; [os.LookupEnv] when nil.
	Lookup render.Lookup

	// Plugins are the executables, by the plugin's name. A Go plugin's name is its executable's file name.
	Plugins map[string]string

	// Environment lists the variables that plugins see, as KONG_NGINX_MAIN_ENV does. Besides them they see PWD alone.
	Environment []string

	// Prefix is Kong's directory, in which the plugins' sockets and the request bodies' files lie. A temporary directory
	// when empty, which Close removes. A socket's path is at most 107 bytes long, so a test's own directory may be too deep.
	Prefix string

	// Listen is the address to serve at; a free port of 127.0.0.1 when empty.
	Listen string

	// ProxySet are further nginx variables and the text they hold, as KONG_NGINX_PROXY_SET defines them. The key has no
	// "$"; in the text every "$name" stands for a variable of nginx, and "\n" for a line feed, as nginx reads it.
	ProxySet map[string]string

	// LogFormat and AccessLog are nginx' own directives of these names, for a further access log that goes to a datagram socket, as
	// the image has one; none where both are empty.
	LogFormat, AccessLog string

	// BodyBuffer is the size, in bytes, from which plugins get a request's body as a file; 16 KiB when 0.
	BodyBuffer int

	// PluginTimeout is how long a plugin may stay silent, at every read; 60 s when 0.
	PluginTimeout time.Duration

	// StartTimeout is how long Start waits for a plugin's socket; 10 s when 0.
	StartTimeout time.Duration

	// Logger gets the host's log and the plugins' output; [slog.Default] when nil.
	Logger *slog.Logger
}

// prepare fills in the defaults, reads the configuration and checks what can be checked without starting anything.
func (o Options) prepare() (Options, error) {
	setDefault(&o.Listen, defaultListen)
	setDefault(&o.BodyBuffer, defaultBodyBuffer)
	setDefault(&o.PluginTimeout, defaultPluginTimeout)
	setDefault(&o.StartTimeout, defaultStartTimeout)
	setDefault(&o.Logger, slog.Default())
	if o.Lookup == nil {
		o.Lookup = os.LookupEnv
	}

	if o.Config == nil {
		if o.ConfigFile == "" {
			return o, errors.New("kongtest needs Config or ConfigFile")
		}
		config, err := render.Load(o.ConfigFile, o.Lookup)
		if err != nil {
			return o, err
		}
		o.Config = config
	}
	for name, text := range o.ProxySet {
		if err := checkTemplate(text); err != nil {
			return o, fmt.Errorf("variable $%s: %w", name, err)
		}
	}
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// pluginEnvironment is all that a plugin's process sees.
func (o Options) pluginEnvironment() ([]string, error) {
	directory, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the working directory: %w", err)
	}
	environment := []string{"PWD=" + directory}
	for _, name := range o.Environment {
		if value, ok := o.Lookup(name); ok {
			environment = append(environment, name+"="+value)
		}
	}
	return environment, nil
}

// reference is a variable in nginx's own notation, "$name" or "${name}".
var reference = regexp.MustCompile(`\$(?:\{(\w+)\}|(\w+))`)

// checkTemplate refuses variables that do not exist, as nginx does when it starts.
func checkTemplate(text string) error {
	for _, found := range reference.FindAllStringSubmatch(text, -1) {
		if name := found[1] + found[2]; !isVariable(name) {
			return fmt.Errorf("unknown variable $%s", name)
		}
	}
	return nil
}
