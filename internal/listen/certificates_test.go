package listen

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/testlog"
)

// secured is a TLS server over files in a folder.
type secured struct {
	t    *testing.T
	dir  string
	ca   *authority
	mu   sync.Mutex
	now  time.Time
	log  testlog.Buffer
	addr string
}

func (s *secured) time() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// later moves the clock past the memory of the files.
func (s *secured) later() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(lookAgain)
}

func (s *secured) put(name string, content []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *secured) renew(serial int64) {
	s.t.Helper()
	cert, key := s.ca.issue(serial, time.Now().Add(24*time.Hour))
	s.put("tls.crt", cert)
	s.put("tls.key", key)
}

func (s *secured) options() CertificateOptions {
	return CertificateOptions{
		Certificate: File{"TLS_CERT_FILE", filepath.Join(s.dir, "tls.crt")}, Key: File{"TLS_KEY_FILE", filepath.Join(s.dir, "tls.key")},
		Now: s.time, Log: zerolog.New(&s.log),
	}
}

func newSecured(t *testing.T) *secured {
	s := &secured{t: t, dir: t.TempDir(), ca: newAuthority(t), now: time.Now()}
	s.renew(1)
	return s
}

// serve answers each handshake with one byte.
func (s *secured) serve(o CertificateOptions) {
	s.t.Helper()
	certificates, err := LoadCertificates(o)
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	s.addr = l.Addr().String()
	go func() {
		for {
			c, err := tls.NewListener(l, certificates.ServerConfig()).Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Write([]byte{1})
			}()
		}
	}()
}

// served gives the serial number of the certificate that a client is shown.
func (s *secured) served(config *tls.Config) (int64, error) {
	c, err := tls.Dial("tcp", s.addr, config)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	// Under TLS 1.3 a refusal of the client's certificate comes after its
	// handshake.
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return 0, err
	}
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func (s *secured) want(serial int64) {
	s.t.Helper()
	if got, err := s.served(s.ca.client(nil)); err != nil || got != serial {
		s.t.Errorf("certificate %d is served, want %d: %v\n%s", got, serial, err, s.log.String())
	}
}

func TestARenewedCertificateIsServed(t *testing.T) {
	s := newSecured(t)
	s.serve(s.options())
	s.want(1)
	s.renew(2)
	s.want(1) // what was seen is believed for some seconds
	s.later()
	s.want(2)
	if !strings.Contains(s.log.String(), "new certificate is in service") {
		t.Errorf("the log does not tell of it: %s", s.log.String())
	}
}

// Kubernetes mounts a secret as links to ..data/, a link to a folder that it
// renews by renaming another link over it.
func TestASwappedFolderIsNoticed(t *testing.T) {
	s := newSecured(t)
	mount := s.dir
	folder := func(name string, serial int64) {
		s.dir = filepath.Join(mount, name)
		if err := os.Mkdir(s.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s.renew(serial)
		// The same times on both: what tells them apart is the file itself.
		for _, f := range []string{"tls.crt", "tls.key"} {
			if err := os.Chtimes(filepath.Join(s.dir, f), time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(mount, name)); err != nil {
			t.Fatal(err)
		}
	}
	folder("..2026_01", 11)
	link("..2026_01", "..data")
	for _, f := range []string{"tls.crt", "tls.key"} {
		if err := os.Remove(filepath.Join(mount, f)); err != nil {
			t.Fatal(err)
		}
		link(filepath.Join("..data", f), f)
	}
	s.dir = mount
	s.serve(s.options())
	s.want(11)
	folder("..2026_02", 12)
	link("..2026_02", "..data_tmp")
	if err := os.Rename(filepath.Join(mount, "..data_tmp"), filepath.Join(mount, "..data")); err != nil {
		t.Fatal(err)
	}
	s.later()
	s.want(12)
}

func TestABrokenRenewalKeepsTheOldCertificate(t *testing.T) {
	for name, spoil := range map[string]func(s *secured){
		"the certificate alone is new": func(s *secured) {
			cert, _ := s.ca.issue(3, time.Now().Add(time.Hour))
			s.put("tls.crt", cert)
		},
		"half a file":    func(s *secured) { s.put("tls.key", []byte("-----BEGIN PRIVATE KEY-----\nMIG")) },
		"an empty file":  func(s *secured) { s.put("tls.crt", nil) },
		"a missing file": func(s *secured) { os.Remove(filepath.Join(s.dir, "tls.key")) },
		"a huge file":    func(s *secured) { s.put("tls.crt", make([]byte, mostPEM+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSecured(t)
			s.serve(s.options())
			spoil(s)
			for range 3 {
				s.later()
				s.want(1)
			}
			if n := strings.Count(s.log.String(), `"level":"error"`); n != 1 || !strings.Contains(s.log.String(), s.dir) {
				t.Errorf("%d lines: %s", n, s.log.String())
			}
			if strings.Contains(s.log.String(), "MIG") {
				t.Error("the log shows the key file")
			}
			s.renew(4)
			s.later()
			s.want(4)
		})
	}
}

func TestFilesThatCannotBeStartedWith(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(s *secured, o *CertificateOptions)
		want  []string
	}{
		{"no certificate", func(s *secured, o *CertificateOptions) { o.Certificate.Path += ".none" }, []string{"TLS_CERT_FILE", "tls.crt.none", "no such file"}},
		{"no key", func(s *secured, o *CertificateOptions) { o.Key.Path += ".none" }, []string{"TLS_KEY_FILE", "tls.key.none"}},
		{"a folder", func(s *secured, o *CertificateOptions) { o.Key.Path = s.dir }, []string{"TLS_KEY_FILE", "is a directory"}},
		{"not PEM", func(s *secured, o *CertificateOptions) { s.put("tls.crt", []byte("hello")) }, []string{"TLS_CERT_FILE", "TLS_KEY_FILE"}},
		{"the two exchanged", func(s *secured, o *CertificateOptions) {
			o.Certificate.Path, o.Key.Path = o.Key.Path, o.Certificate.Path
		}, []string{"TLS_CERT_FILE", "TLS_KEY_FILE"}},
		{"the key of another", func(s *secured, o *CertificateOptions) {
			_, key := s.ca.issue(2, time.Now().Add(time.Hour))
			s.put("tls.key", key)
		}, []string{"TLS_CERT_FILE", "TLS_KEY_FILE", "does not match"}},
		{"authorities without one", func(s *secured, o *CertificateOptions) {
			s.put("ca.crt", []byte("none"))
			o.ClientCAs = File{"TLS_CLIENT_CA_FILE", filepath.Join(s.dir, "ca.crt")}
		}, []string{"TLS_CLIENT_CA_FILE", "no certificate in PEM form"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSecured(t)
			o := s.options()
			c.spoil(s, &o)
			_, err := LoadCertificates(o)
			for _, part := range c.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %v", part, err)
				}
			}
		})
	}
}

func TestClientCertificates(t *testing.T) {
	s, first, second := newSecured(t), newAuthority(t), newAuthority(t)
	s.put("ca.crt", first.pem)
	o := s.options()
	o.ClientCAs = File{"TLS_CLIENT_CA_FILE", filepath.Join(s.dir, "ca.crt")}
	s.serve(o)
	for _, c := range []struct {
		name string
		own  *authority
		in   bool
	}{{"none", nil, false}, {"another authority's", second, false}, {"the server's own authority's", s.ca, false}, {"the right one", first, true}} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := s.ca.client(c.own)
			config.MaxVersion = version
			if _, err := s.served(config); (err == nil) != c.in {
				t.Errorf("%s with %s: %v", c.name, tls.VersionName(version), err)
			}
		}
	}
	// A session of the old authority must not outlive it.
	resuming := s.ca.client(first)
	resuming.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for range 2 {
		if _, err := s.served(resuming); err != nil {
			t.Fatal(err)
		}
	}
	s.put("ca.crt", second.pem)
	s.later()
	if _, err := s.served(resuming); err == nil {
		t.Error("a resumed session came in after its authority was removed")
	}
	if _, err := s.served(s.ca.client(second)); err != nil {
		t.Errorf("the new authority: %v", err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	s := newSecured(t)
	s.serve(s.options())
	config := s.ca.client(nil)
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, err := s.served(config); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	config = s.ca.client(nil)
	config.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", s.addr, config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Errorf("protocol %q", got)
	}
}

func TestAnExpiredCertificateWarns(t *testing.T) {
	s := newSecured(t)
	cert, key := s.ca.issue(5, time.Now().Add(-time.Hour))
	s.put("tls.crt", cert)
	s.put("tls.key", key)
	if _, err := LoadCertificates(s.options()); err != nil || !strings.Contains(s.log.String(), "has expired") {
		t.Errorf("%v, log %s", err, s.log.String())
	}
}

// A renewal among many handshakes is for the race detector.
func TestHandshakesDuringARenewal(t *testing.T) {
	s := newSecured(t)
	s.serve(s.options())
	errs := make(chan error, 40)
	for range 4 {
		go func() {
			for range 10 {
				s.later()
				_, err := s.served(s.ca.client(nil))
				errs <- err
			}
		}()
	}
	for i := range 20 {
		s.renew(int64(100 + i))
	}
	var all error
	for range cap(errs) {
		all = errors.Join(all, <-errs)
	}
	if all != nil {
		t.Error(all)
	}
}
