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
}

var (
	mainEnvironment = regexp.MustCompile(`(?m)KONG_NGINX_MAIN_ENV="([^"]*)"`)
	proxySet        = regexp.MustCompile(`(?m)KONG_NGINX_PROXY_SET='\$(\w+) "([^"]*)"'`)
)

// ReadImage reads a Dockerfile, so that what runs without the image has the image's settings.
func ReadImage(dockerfile string) (Image, error) {
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		return Image{}, fmt.Errorf("read the image's settings: %w", err)
	}
	environment, set := mainEnvironment.FindSubmatch(text), proxySet.FindSubmatch(text)
	if environment == nil || set == nil {
		return Image{}, fmt.Errorf("%s does not set KONG_NGINX_MAIN_ENV and KONG_NGINX_PROXY_SET", dockerfile)
	}
	return Image{
		Environment: strings.Split(string(environment[1]), "; env "),
		ProxySet:    map[string]string{string(set[1]): string(set[2])},
	}, nil
}
