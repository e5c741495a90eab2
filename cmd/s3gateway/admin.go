package main

import (
	"net/http"

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
