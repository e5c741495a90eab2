module github.com/codeguardians/s3gateway/tests/faults

go 1.26.0

require github.com/codeguardians/s3gateway v0.0.0

require (
	github.com/hanwen/go-fuse/v2 v2.12.1 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/codeguardians/s3gateway => ../..
