// Command empty is the Kong plugin that others are measured against: it does nothing but answer, behind go-pdk's own server.
package main

import (
	"fmt"
	"os"

	"github.com/Kong/go-pdk"
	"github.com/Kong/go-pdk/server"
)

// Config is empty.
type Config struct{}

// Access answers.
func (*Config) Access(kong *pdk.PDK) {
	kong.Response.Exit(200, []byte("{}"), map[string][]string{"Content-Type": {"application/json"}})
}

func main() {
	if err := server.StartServer(func() any { return &Config{} }, "1", 500); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
