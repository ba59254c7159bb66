package api

import (
	"net/url"
	"strings"

	"github.com/plurabase/plurabase/store"
)

// projectURL is where a project's own services are reached, without a slash at the end.
func (a *API) projectURL(ref store.Ref) string {
	scheme := "http"
	if public, err := url.Parse(a.settings.PublicURL); err == nil && public.Scheme != "" {
		scheme = public.Scheme
	}
	return scheme + "://" + string(ref) + "." + a.settings.ProjectDomain
}

// majorVersion returns `17` of `17.6`.
func majorVersion(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}
