// Package quota keeps what is stored within quotas on bytes and objects,
// whichever door it comes by. It stands in front of the backends: each request
// that may change what is stored passes a Guard, so that no way of storing goes
// around it.
//
// A change of a key (or of a part of a multipart upload) goes through five
// steps: what is there is measured, the growth is reserved in the Book, the
// request goes to the backend, what is there afterwards is known from its answer
// or measured again, and the difference is settled. Changes of one key that
// overlap are settled together, by what is there when the last one ended: to
// each by itself the same old object would be given back more than once. Until
// then the largest of their reservations is held, because one of them will be
// there. Replicas take a key from one another for that time (Shared.Enter).
//
// Where something cannot be known, it counts in the direction of more. A listing
// of everything, at the start and once an hour, puts it right.
package quota
