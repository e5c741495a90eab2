// Package testbed starts a real S3 store for integration tests: the embedded one,
// or MinIO as a separate process.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }
//
// and its tests say
//
//	store := testbed.Open(t)
//	bucket := store.Bucket(t)
//	if !store.Has(testbed.DotSegments) { … what MinIO does instead … }
//
// S3GATEWAY_TEST_STORE chooses the store: "embedded" (also when it is unset) or
// "minio". One server serves the whole test process; it starts at first use and
// ends with Main. For MinIO, S3GATEWAY_TEST_MINIO is the path of its binary.
package testbed
