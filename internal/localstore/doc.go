// Package localstore is an S3 store on one local disk: names in a bbolt database,
// bytes in immutable files. It is the gateway's backend where no other one is
// configured. Package wire answers S3 requests with it; this package knows no
// HTTP.
//
// # Layout
//
// The store lives in the folder "store" of DATA_DIR:
//
//	lock          taken by the process that has the store; the pid in it is information
//	names.db      the database (package kv): everything that has a name
//	blobs/xx/…    bytes (package blob), 256 folders, one file for each body that is not small
//
// A bucket has five trees in the database, under its id: current versions by key,
// all versions by key and age, null versions, unfinished uploads, and records of
// completed ones. All buckets share the parts of uploads and three trees of bytes:
//
//	name, version or part ──► content ──► segments ──► blobs
//	                            │ references counted      │ references counted
//	                            └──► bytes of a small object, in the database
//
// A content is the bytes of an object or part: segments of blobs, in order, or up
// to 32 KiB in the database. A copy refers to its source's content. A completed
// upload takes over the segments of its parts. No byte is written twice.
//
// # Order of syncs
//
// A name always has its bytes:
//
//  1. The blob is written under its final, random name and synced.
//  2. Its folder is synced.
//  3. A transaction names it. It also checks everything that decides about the
//     write again: bucket, conditions, locks, the upload, the source of a copy.
//  4. The write is acknowledged when that transaction is on disk. Transactions
//     of concurrent callers are committed in groups.
//
// What a name no longer needs goes in the reverse order: the transaction that
// takes the last reference notes the blob as dead, and dead is final. When that
// is on disk and nobody reads the blob any more, the file is unlinked, and then
// the note removed. A process that dies in between leaves notes, or files without
// a name; the next start removes both. A file without a name is removed only if it
// is no unfinished write of this process and a transaction that began later does
// not name it. Clocks decide nothing.
//
// # Failures
//
// A body that fails, a refusal and a full disk leave nothing. After a failed commit
// the database is closed, read from the disk and proven to be writable before
// anything else is written; until then writes are refused by ServiceUnavailable.
// The last 64 MiB of the disk are closed to PUT, so that DELETE works on a full
// one. Every row and every 8 KiB block of a blob has a checksum, which is compared
// before the bytes are used; damage is an InternalError, and shows in Err until
// store check was run.
//
// # Concurrency
//
// Operations are transactions of the database, which run one after another, so each
// sees all before it. No transaction is open while a client, a file or a pipe is
// read or written.
package localstore
