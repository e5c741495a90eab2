package main

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/codeguardians/s3gateway/backend"
)

// adminHandler serves what an orchestrator asks: /livez is about the process,
// /readyz about whether requests would be served. It is so too while degraded
// gives a reason why not everything is as it should be.
func adminHandler(monitor *backend.Monitor, degraded func() error, metrics http.Handler) http.Handler {
	router := mux.NewRouter()
	router.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) {
		answerText(w, http.StatusOK, "ok\n")
	}).Methods(http.MethodGet, http.MethodHead)
	router.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := monitor.Check(r.Context()); err != nil {
			answerText(w, http.StatusServiceUnavailable, "the storage backend does not accept the gateway: "+err.Error()+"\n")
			return
		}
		if err := degraded(); err != nil {
			answerText(w, http.StatusOK, "ok, but "+err.Error()+"\n")
			return
		}
		answerText(w, http.StatusOK, "ok\n")
	}).Methods(http.MethodGet, http.MethodHead)
	router.Handle("/metrics", metrics).Methods(http.MethodGet)
	return router
}

func answerText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// ownHosts serves requests that name the admin address as its own users do. After
// DNS rebinding a page of the internet reaches it under a name of the attacker,
// who may have any name with a dot, and neither an address nor a name that only
// this network knows.
func ownHosts(address string, next http.Handler) http.Handler {
	own, _, _ := net.SplitHostPort(address)
	machine, _ := os.Hostname() // none is no name
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" || isOwnHost(r.Host, own, machine) {
			next.ServeHTTP(w, r)
			return
		}
		answerText(w, http.StatusMisdirectedRequest, "this is not a host name of ADMIN_ADDR: use its address, localhost or the machine's name\n")
	})
}

// privateNames end host names that the public DNS never has (RFC 6761, RFC 6762,
// and ICANN's .internal).
var privateNames = []string{".localhost", ".local", ".internal"}

func isOwnHost(host string, own ...string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	private := slices.ContainsFunc(privateNames, func(end string) bool { return strings.HasSuffix(host, end) })
	named := slices.ContainsFunc(own, func(name string) bool { return name != "" && strings.EqualFold(name, host) })
	return host != "" && (!strings.Contains(host, ".") || private || named)
}
