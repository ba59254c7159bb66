//go:build race

package kong_test

func init() { asTests = []string{"-race"} }
