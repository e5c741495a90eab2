package config

import (
	"net/url"
	"slices"
	"strings"
)

// resolve fills in what other settings decide and makes paths absolute.
func (l *loader) resolve() {
	c := l.cfg
	if c.Embedded() && c.BucketName == "" {
		c.BucketName = "files"
	}
	if c.Region == "" && (c.Embedded() || c.EndpointURL != nil) {
		c.Region = "us-east-1"
	}
	if c.PublicEndpointURL == nil && c.EndpointURL != nil {
		c.PublicEndpointURL = new(url.URL)
		*c.PublicEndpointURL = *c.EndpointURL
	}
	if !l.isGiven("S3_FORCE_PATH_STYLE") {
		c.ForcePathStyle = c.Embedded() || c.EndpointURL != nil
	}
	if !l.isGiven("S3_EXPOSE_BUCKETS") {
		switch {
		case c.Embedded():
			c.ExposeBuckets = []string{"*"}
		case c.BucketName != "":
			c.ExposeBuckets = []string{c.BucketName}
		}
	}
	l.resolveSections()
	for _, path := range []*string{&c.DataDir, &c.ConfigFile, &c.TLSCertFile, &c.TLSKeyFile, &c.TLSClientCAFile, &c.S3CAFile} {
		if *path != "" {
			*path = l.absolute(*path)
		}
	}
	c.AdminAddr, c.ClamdAddr = l.address(c.AdminAddr), l.address(c.ClamdAddr)
	for i, a := range c.ListenAddrs {
		c.ListenAddrs[i] = l.address(a)
	}
}

// address makes the path of a unix socket absolute.
func (l *loader) address(a string) string {
	if path, ok := strings.CutPrefix(a, "unix:"); ok {
		return "unix:" + l.absolute(path)
	}
	return a
}

func (l *loader) isGiven(name string) bool { return l.values[name].text != "" }

// usable reports whether no problem is known of any of the names: a check over
// several settings says nothing while one of them is already refused.
func (l *loader) usable(names ...string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return l.bad[n] })
}

// against refuses one setting because of others.
func (l *loader) against(name, wrong, accepted string) {
	if s, ok := find(name); ok {
		l.refuse(s, wrong, accepted)
	}
}

// check holds settings against each other.
func (l *loader) check() {
	l.checkEnabled()
	l.checkPair("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
	l.checkPair("GATEWAY_ACCESS_KEY_ID", "GATEWAY_SECRET_ACCESS_KEY")
	l.checkPair("TLS_CERT_FILE", "TLS_KEY_FILE")
	l.checkPair("OIDC_ISSUER", "OIDC_AUDIENCE")
	l.checkTLS()
	l.checkProxies()
	l.checkToken()
	l.checkAuth()
	l.checkAddresses()
	l.checkBucket()
	l.checkLinks()
	l.warnOdd()
}

// checkEnabled keeps production files off the embedded store: nobody who names
// a backend meant the local disk.
func (l *loader) checkEnabled() {
	if !l.cfg.Embedded() || !l.usable("S3_ENABLED") {
		return
	}
	var set []string
	for _, name := range []string{"S3_ENDPOINT_URL", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "S3_CREDENTIALS_SECRET_ID"} {
		if l.isGiven(name) {
			set = append(set, name)
		}
	}
	if len(set) > 0 {
		l.against("S3_ENABLED", "not set, so files would go to the embedded store on local disk though a backend is named",
			"set S3_ENABLED=true, or remove "+strings.Join(set, ", "))
	}
}

// checkPair refuses one of two settings without the other.
func (l *loader) checkPair(first, second string) {
	if !l.usable(first, second) || l.isGiven(first) == l.isGiven(second) {
		return
	}
	if l.isGiven(second) {
		first, second = second, first
	}
	l.against(first, "set without "+second, "set both, or neither")
}

// checkTLS refuses protections that would do nothing.
func (l *loader) checkTLS() {
	c := l.cfg
	if c.TLSClientCAFile != "" && c.TLSCertFile == "" && l.usable("TLS_CLIENT_CA_FILE", "TLS_CERT_FILE") {
		l.against("TLS_CLIENT_CA_FILE", "set without TLS_CERT_FILE, so no client could be asked for a certificate",
			"set TLS_CERT_FILE and TLS_KEY_FILE, or remove it")
	}
	if c.S3CAFile == "" || !l.usable("S3_CA_FILE", "S3_SKIP_TLS_VERIFY", "S3_ENABLED", "S3_ENDPOINT_URL") {
		return
	}
	switch {
	case c.S3SkipTLSVerify:
		l.against("S3_SKIP_TLS_VERIFY", "with it S3_CA_FILE is not looked at", "remove one of them")
	case c.Embedded():
		l.against("S3_CA_FILE", "the embedded store is reached without TLS", "set S3_ENABLED=true, or remove it")
	case c.EndpointURL != nil && c.EndpointURL.Scheme != "https":
		l.against("S3_CA_FILE", "S3_ENDPOINT_URL is reached without TLS", "use an https:// S3_ENDPOINT_URL, or remove it")
	}
}

// checkProxies refuses headers that anybody could write: whoever may name the
// client decides on rates and logs.
func (l *loader) checkProxies() {
	if l.cfg.ProxyProtocol && len(l.cfg.TrustedProxies) == 0 && l.usable("PROXY_PROTOCOL", "TRUSTED_PROXIES") {
		l.against("PROXY_PROTOCOL", "TRUSTED_PROXIES is not set, so no header would be believed",
			"set TRUSTED_PROXIES to the networks of the proxies, or remove it")
	}
}

func (l *loader) checkToken() {
	if l.isGiven("S3_SESSION_TOKEN") && !l.isGiven("S3_ACCESS_KEY_ID") && l.usable("S3_SESSION_TOKEN") {
		l.against("S3_SESSION_TOKEN", "set without S3_ACCESS_KEY_ID", "set the keys that it came with, or remove it")
	}
}

// checkAuth refuses a door that nobody could pass.
func (l *loader) checkAuth() {
	c := l.cfg
	if l.usable("UPLOAD_AUTH", "API_KEYS", "OIDC_ISSUER") && c.UploadAuth == "required" && !c.HasAPIKeys() && c.OIDCIssuer == "" {
		l.against("UPLOAD_AUTH", "no API_KEYS are set, so nobody could pass", "set API_KEYS=name=key, api_keys of a caller or OIDC_ISSUER, or remove UPLOAD_AUTH")
	}
}

// longestSocket is the longest unix socket path that every kernel takes
// (sun_path: 104 bytes with its end on BSD and macOS, 108 on Linux).
const longestSocket = 103

func (l *loader) checkAddresses() {
	c := l.cfg
	for _, at := range append(slices.Clone(c.ListenAddrs), c.AdminAddr) {
		name := "LISTEN_ADDR"
		if at == c.AdminAddr {
			name = "ADMIN_ADDR"
		}
		if path, ok := strings.CutPrefix(at, "unix:"); ok && len(path) > longestSocket && l.usable(name) {
			l.against(name, "the absolute path of the socket is longer than 103 bytes", "use a shorter one")
		}
	}
	if slices.Contains(c.ListenAddrs, c.AdminAddr) && !strings.HasSuffix(c.AdminAddr, ":0") && l.usable("LISTEN_ADDR", "ADMIN_ADDR") {
		l.against("ADMIN_ADDR", "also in LISTEN_ADDR", "use another port, or off")
	}
}

// checkBucket applies the embedded store's stricter names.
func (l *loader) checkBucket() {
	if l.cfg.Embedded() && l.usable("S3_ENABLED", "S3_BUCKET_NAME") && !strictBucket(l.cfg.BucketName) {
		l.against("S3_BUCKET_NAME", "has upper case or underscores, which the embedded store does not take", "use lower case letters, digits, dots and hyphens")
	}
}

// checkLinks refuses links to a store that no client can reach, and marks that
// the next start would not know.
func (l *loader) checkLinks() {
	if l.cfg.PresignVia != "backend" || !l.usable("PRESIGN_VIA", "S3_ENABLED", "GATEWAY_SECRET_ACCESS_KEY") {
		return
	}
	switch {
	case l.cfg.Embedded():
		l.against("PRESIGN_VIA", "the embedded store is reached by this gateway alone, so no link could lead there",
			"set S3_ENABLED=true, or remove it")
	case l.cfg.GatewaySecretAccessKey.Reveal() == "":
		l.against("PRESIGN_VIA", "set without GATEWAY_SECRET_ACCESS_KEY, from which the marks of checked files are made",
			"set GATEWAY_ACCESS_KEY_ID and GATEWAY_SECRET_ACCESS_KEY, or remove it")
	}
}

// warnOdd tells what is allowed but seldom meant.
func (l *loader) warnOdd() {
	c := l.cfg
	open := c.UploadAuth == "none"
	if open && !allLoopback(c.ListenAddrs) {
		l.warn("UPLOAD_AUTH", l.values["UPLOAD_AUTH"].where, "none: anybody who reaches LISTEN_ADDR can upload, read and delete; set API_KEYS and remove it")
	}
	if open && c.HasAPIKeys() {
		l.warn("UPLOAD_AUTH", l.values["UPLOAD_AUTH"].where, "none: requests without a key are served too, although there are API keys")
	}
	if c.S3Enabled == EnabledTrue && c.GatewayAccessKeyID == "" {
		s3Door := "the S3 door refuses everyone and "
		if slices.ContainsFunc(c.Callers, func(k Caller) bool { return len(k.AccessKeys) > 0 }) {
			s3Door = ""
		}
		l.warn("GATEWAY_ACCESS_KEY_ID", "", "not set: "+s3Door+"links cannot be made; set it and GATEWAY_SECRET_ACCESS_KEY")
	}
	if c.AccessKeyID != "" && c.CredentialsSecretID != "" {
		l.warn("S3_CREDENTIALS_SECRET_ID", l.values["S3_CREDENTIALS_SECRET_ID"].where, "not used: S3_ACCESS_KEY_ID counts first")
	}
	if c.S3SkipTLSVerify {
		l.warn("S3_SKIP_TLS_VERIFY", l.values["S3_SKIP_TLS_VERIFY"].where, "true: anyone on the way to the backend can read and change every file and take its place; set S3_CA_FILE and remove it")
	}
	if !l.cfg.StoreSync && l.cfg.Embedded() {
		l.warn("STORE_SYNC", l.values["STORE_SYNC"].where, "false: a power cut loses files that were acknowledged; remove it, except in tests")
	}
	if slices.Contains(c.AllowedFileTypes, "image/jpg") {
		l.warn("ALLOWED_FILE_TYPES", l.values["ALLOWED_FILE_TYPES"].where, "image/jpg is not what clients send; write image/jpeg")
	}
	for _, network := range c.TrustedProxies {
		if network.Bits() == 0 {
			l.warn("TRUSTED_PROXIES", l.values["TRUSTED_PROXIES"].where, network.String()+": every client can claim any address; name the proxies only")
		}
	}
}

func allLoopback(addresses []string) bool {
	return !slices.ContainsFunc(addresses, func(a string) bool { return !loopback(a) })
}
