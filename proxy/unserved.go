package proxy

// unserved are the sub-resources of the S3 API that no row of the table serves, and
// why. A request that names one is refused by its name, on a read too.
var unserved = []struct{ subResource, reason string }{
	{"abac", "access by tags is decided by the backend for callers that it does not see: grants are the gateway's"},
	{"annotation", "annotations are bytes beside an object that no backend but AWS has; limits and quotas would not hold on them"},
	{"metadataAnnotationTable", "tables of metadata are a service of AWS beside S3"},
	{"metadataConfiguration", "tables of metadata are a service of AWS beside S3"},
	{"metadataInventoryTable", "tables of metadata are a service of AWS beside S3"},
	{"metadataJournalTable", "tables of metadata are a service of AWS beside S3"},
	{"metadataTable", "tables of metadata are a service of AWS beside S3"},
	{"renameObject", "only directory buckets have it, and those are not served"},
	{"session", "only directory buckets have it, and those are not served"},
	{"torrent", "S3 itself has given it up"},
}

// selectors are query keys of the table's rows that say which one, not what, and have
// names that a page may use for something else: on another operation they are no
// sub-resource.
var selectors = []string{"id"}

// unservedHeaders are the x-amz-* headers of the S3 API that no row takes, and why.
var unservedHeaders = map[string]string{
	"x-amz-bucket-namespace":            "the names of buckets are the backend's, and only AWS has namespaces of accounts",
	"x-amz-if-match-initiated-time":     "only directory buckets have it",
	"x-amz-object-annotation-directive": "annotations are not served",
	"x-amz-write-offset-bytes":          "only directory buckets append to objects",
}
