// Package cache keeps the metadata of objects (the headers of a HEAD) in memory.
//
// Its one rule: through one process, a read never sees what an acknowledged
// write replaced. Two tokens keep it. A reader takes a Filling before it asks
// the backend, and what it brings is dropped when a change of the object began
// or ended since. A writer takes a Change before it forwards, and ends it before
// its client sees the answer; in between nothing of the object is cached.
//
//	if e, ok := m.Get(k); ok { … }            change := m.Change(backend, bucket, object)
//	filling := m.Fill(k)                      defer change.Done(false) // outcome unknown
//	… ask the backend …                       … forward the write …
//	filling.Put(e)                            change.Done(true)        // then answer
//
// Writes behind the gateway's back are seen after the TTL at the latest. Who may
// see an entry is decided before the cache is asked.
package cache
