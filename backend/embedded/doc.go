// Package embedded runs an S3 store on local disk as a supervised child
// process of the same binary: versitygw (github.com/versity/versitygw) with its
// POSIX backend, listening on a unix socket that only this user may open.
//
// The store changes its working directory, keeps process-wide state and can
// die of bad input, so it never runs inside the serving process. Start locks the
// data folder, starts the child, waits until it answers and creates the first
// bucket; a child that ends is started again, and Err says so in the meantime.
//
//	store, err := embedded.Start(ctx, embedded.Options{Dir: "/var/lib/s3gateway", Bucket: "files"})
//	defer store.Close()
//	// store.Socket(), store.Credentials(), store.Region() make an endpoint
//
// The hidden subcommand of the binary is ChildMain and nothing else:
//
//	os.Exit(embedded.ChildMain(os.Stdin, os.Stderr))
//
// # The data folder
//
//	buckets/          one folder per bucket, one file per object: real files
//	buckets/B/.sgwtmp parts of unfinished multipart uploads, temporary files
//	versions/         older versions of objects in versioned buckets
//	metadata/         object metadata, only where extended attributes are missing:
//	                  objects/ and, of older versions, versions/
//	run/              the socket, 0700, made anew at each start
//	lock              held while a store runs; carries the pid of its owner
//	store.json        the form of the metadata, chosen at the first start
//	gateway-keys.env  the gateway's own generated key pair (LoadOrCreateKeys)
//
// All of it is created for this user alone (0700, 0600). A copy of the folder
// is a backup as long as it keeps extended attributes (cp -a, tar --xattrs,
// rsync -X) and no store runs on it.
//
// Metadata lives in extended attributes (user.*) if the file system of the
// folder takes them, else in files under metadata/. The choice is made once by
// really setting an attribute and is kept in store.json: a store whose
// attributes went missing is refused and not silently read without them.
//
// # Keys and secrets
//
// The child's root keys are random, new at each Start, and exist in the memory
// of the two processes only: they go over the child's standard input, never to
// disk, argument list or environment. The child's environment is a short allow
// list, so it does not see the gateway's own secrets either.
//
// # The end of the child
//
// The child ends when its standard input ends, which the kernel sees to
// however the parent dies; on Linux it also gets SIGKILL with its parent
// (PR_SET_PDEATHSIG). It ignores SIGINT, SIGTERM and SIGHUP, so a signal to the
// whole process group lets the parent drain its requests first. The lock on the
// folder belongs to both processes: as long as an orphan lives, no second
// store starts on its files.
//
// # What is mended here
//
// Some things that versitygw 1.8.0 does by itself would break promises of the
// gateway: it stores a body that is cut short as if it were whole (whole.go); it
// refuses tags that do not fit after the object is visible (room.go); its
// sidecar lets keys with a segment "meta" take the place of metadata
// (sidecar.go); a delete may come between a conditional write's look at its
// condition and its end (exclusive.go); it closes the connection on a body that
// it refuses unread, and the refusal is lost (whole.go); a version gets another
// Last-Modified when it is replaced or made the current one again, and a delete
// marker that of the object (times.go); while versioning is suspended it loses
// what a multipart upload replaces and keeps what a delete marker replaces, and
// it goes back to another version than the newest (versions.go); its listing of
// versions does not go on behind its own markers (versionpages.go); its tags,
// locks and copies of parts take "a/" and "a" for one, its listings show the
// parts of unfinished uploads, and its copies what was deleted (exact.go). Each
// has a test that fails without its remedy.
//
// # What it cannot hold
//
// Keys are paths of files. Therefore:
//
//   - empty, "." and ".." segments do not survive: "a//b" and "a/../b" would
//     become "a/b" and "b". Callers refuse such keys before they get here.
//   - a segment may have 255 bytes, not more, and ".sgwtmp" is the store's own:
//     it lists nothing below a folder of that name.
//   - an object "a" and an object "a/b" exclude each other: the second gets 409
//     (ObjectParentIsFile or ExistingObjectIsDirectory).
//   - a key that ends in "/" is a folder; a body for it is refused.
//   - on a file system that folds case or normalises Unicode (macOS), keys that
//     differ only so are the same object.
//
// Further limits:
//
//   - the head of a request, all headers together, may have 8 KiB.
//   - ext4 keeps all attributes of a file within one block, 4 KiB: there tags at
//     S3's own limits, and a bucket's long policy or CORS rules, do not fit, and
//     such a write gets 400 MetadataTooLarge.
//   - in the sidecar form an object and its metadata are not replaced in one
//     step: a crash between the two leaves the new metadata on the old bytes.
//   - nothing is synced: a write that was acknowledged survives the death of
//     either process, not a power cut in the next seconds.
//   - storage classes, server-side encryption, replication, lifecycle rules,
//     notifications and inventory are not there.
//   - only Unix systems: elsewhere Start returns an error.
//
// Built with the tag slim the package holds no store and Start says so.
package embedded
