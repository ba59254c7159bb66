package pgproxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"sync"
	"time"
)

// Certificates gives the certificate that a client is shown.
type Certificates func(*tls.ClientHelloInfo) (*tls.Certificate, error)

const (
	// lookEvery is how often a certificate's files are looked at: they are renewed without anybody saying so.
	lookEvery = time.Minute
	// selfSignedFor is longer than any process lives.
	selfSignedFor = 10 * 365 * 24 * time.Hour
)

// certificates are the operator's, or one that is made here.
func (p *Proxy) certificates() (Certificates, error) {
	if p.settings.Certificate == "" {
		made, err := selfSigned(time.Now())
		return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return made, nil }, err
	}
	f := &files{certificate: p.settings.Certificate, key: p.settings.Key, log: p.log}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f.get, nil
}

// files are a certificate and its key, which may be written anew at any time.
type files struct {
	certificate, key string
	log              *slog.Logger

	mutex   sync.Mutex
	looked  time.Time
	changed [2]time.Time // when the files were, that current is of
	current *tls.Certificate
}

func (f *files) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if time.Since(f.looked) < lookEvery {
		return f.current, nil
	}
	if err := f.read(); err != nil { // half written, perhaps: the one before goes on to be shown
		f.log.Error("the Postgres port's certificate could not be read anew", "error", err.Error())
	}
	return f.current, nil
}

// read reads the files where they have changed.
func (f *files) read() error {
	f.looked = time.Now()
	var changed [2]time.Time
	for i, path := range []string{f.certificate, f.key} {
		about, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("read the certificate: %w", err)
		}
		changed[i] = about.ModTime()
	}
	if f.current != nil && changed == f.changed {
		return nil
	}
	read, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	f.current, f.changed = &read, changed
	return nil
}

// selfSigned makes a certificate that nobody can check. It hides what is sent from who only listens, and is kept nowhere.
func selfSigned(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "plurabase"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedFor),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}, nil
}
