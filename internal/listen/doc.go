// Package listen makes the connections that the doors serve: it binds addresses
// (host:port and unix:/path), serves certificates that are renewed on disk, and
// takes the client's address from a PROXY protocol header.
//
// Its one rule: a connection that arrived through a proxy never looks as if it
// came from this machine, since that is what lets a local user in without a key.
package listen
