package kongtest

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Image is what the Dockerfile of a Kong image sets for its plugins.
type Image struct {
	// Environment lists the variables that Kong lets through to the plugins (KONG_NGINX_MAIN_ENV).
	Environment []string
	// ProxySet are nginx variables and their text (KONG_NGINX_PROXY_SET), as in [Options].
	ProxySet map[string]string
	// LogFormat and AccessLog are nginx' own directives of these names, further ones beside Kong's (KONG_NGINX_HTTP_LOG_FORMAT,
	// KONG_NGINX_PROXY_ACCESS_LOG), as in [Options].
	LogFormat, AccessLog string
}

var (
	mainEnvironment = regexp.MustCompile(`(?m)KONG_NGINX_MAIN_ENV="([^"]*)"`)
	proxySet        = regexp.MustCompile(`(?m)KONG_NGINX_PROXY_SET='\$(\w+) "([^"]*)"'`)
	logFormat       = regexp.MustCompile(`(?m)KONG_NGINX_HTTP_LOG_FORMAT='([^']*)'`)
	accessLogLine   = regexp.MustCompile(`(?m)KONG_NGINX_PROXY_ACCESS_LOG='([^']*)'`)
)

// ReadImage reads a Dockerfile, so that what runs without the image has the image's settings.
func ReadImage(dockerfile string) (Image, error) {
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		return Image{}, fmt.Errorf("read the image's settings: %w", err)
	}
	environment, set := mainEnvironment.FindSubmatch(text), proxySet.FindSubmatch(text)
	format, log := logFormat.FindSubmatch(text), accessLogLine.FindSubmatch(text)
	if environment == nil || set == nil || format == nil || log == nil {
		return Image{}, fmt.Errorf("%s does not set KONG_NGINX_MAIN_ENV, _PROXY_SET, _HTTP_LOG_FORMAT and _PROXY_ACCESS_LOG", dockerfile)
	}
	return Image{
		Environment: strings.Split(string(environment[1]), "; env "),
		ProxySet:    map[string]string{string(set[1]): string(set[2])},
		LogFormat:   string(format[1]), AccessLog: string(log[1]),
	}, nil
}
