package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// endpoint reads scheme, host and perhaps a path; origin allows no path, since
// neither door can be served under one.
var (
	endpoint = urlOf(true, "accepted: http:// or https://, host and perhaps port, for example https://s3.example.com or http://127.0.0.1:9000")
	origin   = urlOf(false, "accepted: http:// or https:// and host, perhaps port, without a path, for example https://files.example.com")
)

func urlOf(path bool, accepted string) kind[*url.URL] {
	return kind[*url.URL]{
		parse: func(text string) (*url.URL, error) { return parseURL(text, path) },
		show: func(u *url.URL) string {
			if u == nil {
				return ""
			}
			return u.String()
		},
		accepted: accepted,
	}
}

// parseURL gives its own errors: those of url.Parse repeat the text, which may
// hold a password.
func parseURL(text string, path bool) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	u.Path = strings.TrimRight(u.Path, "/")
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("not http:// or https://")
	case u.User != nil:
		return nil, errors.New("names and passwords do not belong in this URL")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("has a query or a fragment")
	case !host(u.Hostname()) || !portOrNone(u):
		return nil, errors.New("has no valid host and port")
	case u.Path != "" && !path:
		return nil, errors.New("has a path")
	case u.RawPath != "" || !plainPath(u.Path):
		return nil, errors.New("has a path that cannot be put in front of a key")
	}
	return u, nil
}

// plainPath reports whether a base path has only segments that no hop cleans or
// re-encodes, so that what is signed is what arrives.
func plainPath(path string) bool {
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if path != "" && (segment == "" || segment == "." || segment == ".." || !only(segment, letters+"0123456789-._~")) {
			return false
		}
	}
	return true
}

// portOrNone reports whether the URL has a port from 1 or none at all; a bare
// colon is neither.
func portOrNone(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	return u.Port() != "0" && port(u.Port())
}

func port(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && digits(s) && n <= 65535
}

// host reports whether s is an IP address or a host name.
func host(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return domainName(s)
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// domainName reports whether s is labels of letters, digits, hyphens and
// underscores (compose services have them), RFC 1123 section 2.1 otherwise. A
// last label of digits is a mistyped IP address.
func domainName(s string) bool {
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || !only(label, letters+"0123456789-_") {
			return false
		}
	}
	return len(s) <= 253 && !digits(labels[len(labels)-1])
}

// only reports whether every byte of s is in set.
func only(s, set string) bool {
	for i := range len(s) {
		if strings.IndexByte(set, s[i]) < 0 {
			return false
		}
	}
	return true
}

// domain reads the name under which buckets are the first label of the host.
var domain = kind[string]{
	parse: func(text string) (string, error) {
		if _, err := netip.ParseAddr(text); err == nil || !domainName(text) {
			return "", errors.New("not a domain name")
		}
		return strings.ToLower(text), nil
	},
	show:     asIs,
	accepted: "accepted: a domain name without scheme, port or wildcard, for example s3.example.com",
}

// corsOrigin reads an origin (RFC 6454 section 7), * for all of them, or
// https://*.example.com.
var corsOrigin = kind[string]{
	parse: func(text string) (string, error) {
		if text == "*" {
			return text, nil
		}
		_, err := parseURL(strings.Replace(text, "://*.", "://any.", 1), false)
		return strings.TrimRight(strings.ToLower(text), "/"), err
	},
	show:     asIs,
	accepted: "accepted: https://app.example.com, https://*.example.com or *",
}

const listenAccepted = "accepted: host:port, :port for every interface, or unix:/path, for example 127.0.0.1:8000"

// listenAddress reads where to listen; dialAddress where to connect.
var (
	listenAddress = textOf(listenAccepted, func(text string) error { return checkAddress(text, true) })
	dialAddress   = textOf("accepted: host:port or unix:/path", func(text string) error { return checkAddress(text, false) })
)

// adminAddress reads an address, or off, which is "".
var adminAddress = kind[string]{
	parse: func(text string) (string, error) {
		if strings.EqualFold(text, "off") {
			return "", nil
		}
		return listenAddress.parse(text)
	},
	show: func(s string) string {
		if s == "" {
			return "off"
		}
		return s
	},
	accepted: listenAccepted + "; or off",
}

// checkAddress takes port 0 (any free one) and an empty host only where the
// gateway listens.
func checkAddress(text string, listen bool) error {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if path == "" {
			return errors.New("has no path")
		}
		return checkPath(path)
	}
	h, p, err := net.SplitHostPort(text)
	switch {
	case err != nil:
		return errors.New("not host:port")
	case !port(p) || (p == "0" && !listen):
		return errors.New("not a port number")
	case h == "" && listen:
		return nil
	case !host(h):
		return errors.New("not a host")
	}
	return nil
}

// loopback reports whether only this machine can reach an address.
func loopback(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(h)
	return strings.EqualFold(h, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// file reads a path, relative to the working folder. Load makes it absolute.
var file = textOf("accepted: a path, absolute or relative to the working folder", checkPath)

// checkPath refuses ~, which only a shell expands: a folder named "~" would be
// made in its place.
func checkPath(path string) error {
	if strings.HasPrefix(path, "~") {
		return errors.New("~ means nothing here")
	}
	return nil
}

// network reads a network or one address, as the network of that address.
var network = kind[netip.Prefix]{
	parse: func(text string) (netip.Prefix, error) {
		if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
			ip = ip.Unmap()
			return netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Addr().Is4In6() {
			return netip.Prefix{}, errors.New("not a network or address")
		}
		return p.Masked(), nil
	},
	show:     netip.Prefix.String,
	accepted: "accepted: a network or address, for example 10.0.0.0/8 or 192.0.2.7",
}

// secretURL reads a URL with one of some schemes that is itself a secret.
func secretURL(schemes ...string) kind[Secret] {
	return secretOf("accepted: a URL that begins with "+strings.Join(schemes, ":// or ")+"://", func(text string) error {
		u, err := url.Parse(text)
		if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host+u.Path == "" {
			return errors.New("not such a URL")
		}
		return nil
	})
}
