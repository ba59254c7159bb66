package pgproxy

import "time"

// What tests have to know.
const MaxOpening = maxOpening

// CertificatesForTest are those that Run would show.
func (p *Proxy) CertificatesForTest() (Certificates, error) { return p.certificates() }

// Hurry cuts off sooner who does not say what a connection is for.
func (p *Proxy) Hurry(timeout time.Duration) { p.startupTimeout = timeout }
