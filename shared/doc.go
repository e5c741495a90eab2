// Package shared keeps in Redis (or Valkey) what replicas of the gateway count
// together: rates, requests in flight, quotas, the generations of the cache, and
// locks. Nothing of it is needed to serve: while Redis is away every method says
// so at once, and its caller goes by what it knows alone.
package shared
