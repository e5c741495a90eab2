package proxy

import (
	"cmp"

	gateway "github.com/codeguardians/s3gateway"
)

// Level is what an operation is about.
type Level int

// The levels of the S3 API.
const (
	ServiceLevel Level = iota
	BucketLevel
	ObjectLevel
)

// BodyKind says what a request body is.
type BodyKind int

const (
	// NoBody: whatever is sent is not looked at and not forwarded.
	NoBody BodyKind = iota
	// ObjectBody: the bytes of an object or part, streamed.
	ObjectBody
	// DocumentBody: a small XML or JSON document, read whole through a limit.
	DocumentBody
)

// Effect says what an operation may change, for the cache.
type Effect int

// The effects.
const (
	ChangesNothing Effect = iota
	ChangesObject
	ChangesBucket
)

// Shows is what an answer tells of an object, for objects that came past the
// gateway and must not be shown before a check.
type Shows int

// What answers show. ShowsObject is an answer with the object's user metadata,
// ShowsAbout one without.
const (
	ShowsNothing Shows = iota
	ShowsObject
	ShowsAbout
)

// Operation is one row of the table.
type Operation struct {
	// Name is the operation's name in the S3 API
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html).
	Name   string
	Method string
	Level  Level
	// Tells are the query keys whose presence selects the operation, and
	// TellingHeader the header that does. The row with the most of them wins.
	Tells         []string
	TellingHeader string
	Action        gateway.Action
	// VersionAction replaces Action when the request names a versionId, and
	// VersionAlso is needed beside it then.
	VersionAction, VersionAlso gateway.Action
	// MetadataAction is needed over all that is listed when the listing has to
	// show metadata.
	MetadataAction gateway.Action
	Body           BodyKind
	// Params are the further query keys that the operation knows.
	Params []string
	// Headers are the x-amz-* headers that it knows, beside those of every
	// operation (commonHeaders). A trailing "*" stands for any ending.
	Headers []string
	// Conditions are the headers among these and HTTP's own that make the
	// operation conditional. Any other condition is refused by its name.
	Conditions []string
	Effect     Effect
	// Cached operations are answered from the metadata cache when nothing but
	// the key decides the answer.
	Cached bool
	// Shows is what the answer tells of the object.
	Shows Shows
	// Probe is true where only the bucket's being there is told: whoever may
	// know of it may ask, as SDKs do before they use a part of it.
	Probe bool
	// Public is true for what a public bucket gives to anybody.
	Public bool
	// NamesBuckets is true where the document names buckets, or places in them.
	NamesBuckets bool
	// Reaches are the actions that the store carries out by itself, or lets others
	// carry out, because of the request: on the key, or on all of the bucket. A denial
	// of the caller on any of them refuses it.
	Reaches []gateway.Action
	// ByRules is true where each rule of the document says on which keys.
	ByRules bool
	// Link is true where a link credential may be used.
	Link bool
	// LinkV2 is true where a link or form of Signature Version 2 may be used.
	LinkV2 bool
	// handle serves the operation; nil forwards it as it is.
	handle func(*Door, *exchange) error
}

// Header groups of the table.
var (
	sseHeaders         = []string{"x-amz-server-side-encryption", "x-amz-server-side-encryption-*"}
	sseCustomerHeaders = []string{"x-amz-server-side-encryption-customer-*"}
	// By name: MinIO takes an algorithm that it does not know and compares
	// nothing, so that each must be one that the gateway knows.
	checksumHeaders = []string{
		"x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme", "x-amz-checksum-sha1", "x-amz-checksum-sha256",
		"x-amz-checksum-sha512", "x-amz-checksum-md5", "x-amz-checksum-xxhash64", "x-amz-checksum-xxhash3", "x-amz-checksum-xxhash128",
		"x-amz-checksum-type", "x-amz-checksum-algorithm", "x-amz-sdk-checksum-algorithm",
	}
	bodyHeaders   = join(checksumHeaders, []string{"x-amz-trailer", "x-amz-decoded-content-length"})
	lockHeaders   = []string{"x-amz-object-lock-*", "x-amz-bypass-governance-retention"}
	aclHeaders    = []string{"x-amz-acl", "x-amz-grant-*"}
	objectHeaders = join(sseHeaders, lockHeaders, aclHeaders, []string{
		"x-amz-meta-*", "x-amz-storage-class", "x-amz-tagging", "x-amz-website-redirect-location",
	})
	copySourceHeaders = []string{"x-amz-copy-source", "x-amz-copy-source-*"}
	readConditions    = []string{"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"}
	writeConditions   = []string{"if-match", "if-none-match"}
	sourceConditions  = []string{
		"x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match",
		"x-amz-copy-source-if-modified-since", "x-amz-copy-source-if-unmodified-since",
	}
	deleteConditions = []string{"if-match", ifMatchTime, ifMatchSize}
	readHeaders      = join(sseCustomerHeaders, []string{"x-amz-checksum-mode"})
)

// metadataParam asks for the metadata of every listed object.
const metadataParam = "metadata"

// Parameter groups of the table.
var (
	versionParam   = []string{"versionId"}
	responseParams = []string{
		"response-content-type", "response-content-language", "response-expires",
		"response-cache-control", "response-content-disposition", "response-content-encoding",
	}
	readParams = join(versionParam, responseParams, []string{"partNumber"})
	// Those of each listing on all of them: S3 passes over what the other
	// versions of a listing know, and clients count on it.
	listParams = []string{
		"prefix", "delimiter", "max-keys", "encoding-type", "marker", "continuation-token", "fetch-owner",
		"start-after", "key-marker", "version-id-marker", "allow-unordered",
	}
	// MinIO's own, which its clients use: metadata and tags of each object in
	// the listing, and no order. Other stores pass over them.
	minioListParams = []string{metadataParam, "unsorted"}
)

// operations gives the table. Rows are grouped by level and method; their order
// does not matter, because the most telling row wins.
func operations() []Operation {
	table := []Operation{
		// Service
		{Name: "ListBuckets", Method: "GET", Level: ServiceLevel, Action: gateway.List,
			Params: []string{"bucket-region", "continuation-token", "max-buckets", "prefix"}, handle: (*Door).listBuckets},

		// Objects
		{Name: "GetObject", LinkV2: true, Method: "GET", Level: ObjectLevel, Action: gateway.Read, VersionAction: gateway.ReadVersion, Shows: ShowsObject, Params: readParams, Headers: readHeaders,
			Conditions: readConditions, Link: true, Public: true},
		{Name: "HeadObject", LinkV2: true, Method: "HEAD", Level: ObjectLevel, Action: gateway.Read, VersionAction: gateway.ReadVersion, Shows: ShowsObject, Params: readParams, Headers: readHeaders,
			Conditions: readConditions, Link: true, Public: true, Cached: true},
		{Name: "PutObject", LinkV2: true, Method: "PUT", Level: ObjectLevel, Action: gateway.Write, Body: ObjectBody,
			Headers: join(objectHeaders, bodyHeaders), Conditions: writeConditions, Effect: ChangesObject, Link: true, handle: (*Door).putObject},
		{Name: "PostObject", LinkV2: true, Method: "POST", Level: BucketLevel, Action: gateway.Write, Body: ObjectBody,
			Headers: join(objectHeaders, checksumHeaders), Effect: ChangesObject, Link: true, handle: (*Door).postObject},
		{Name: "CopyObject", Method: "PUT", Level: ObjectLevel, TellingHeader: "x-amz-copy-source", Action: gateway.Write,
			Headers: join(objectHeaders, copySourceHeaders, []string{
				"x-amz-metadata-directive", "x-amz-tagging-directive", "x-amz-checksum-algorithm", "x-amz-source-expected-bucket-owner",
			}), Conditions: join(writeConditions, sourceConditions), Effect: ChangesObject, handle: (*Door).copyObject},
		{Name: "DeleteObject", LinkV2: true, Method: "DELETE", Level: ObjectLevel, Action: gateway.Delete, VersionAction: gateway.DeleteVersion,
			Params: versionParam, Headers: []string{"x-amz-mfa", "x-amz-bypass-governance-retention"},
			Conditions: deleteConditions, Effect: ChangesObject, handle: (*Door).deleteObject},
		{Name: "DeleteObjects", Method: "POST", Level: BucketLevel, Tells: []string{"delete"}, Action: gateway.Delete, Body: DocumentBody,
			Headers: join(checksumHeaders, []string{"x-amz-mfa", "x-amz-bypass-governance-retention"}), handle: (*Door).deleteObjects},
		{Name: "GetObjectAttributes", Method: "GET", Level: ObjectLevel, Tells: []string{"attributes"}, Action: gateway.Read, VersionAction: gateway.ReadVersion, Shows: ShowsAbout, Params: versionParam,
			Headers: join(sseCustomerHeaders, []string{"x-amz-object-attributes", "x-amz-max-parts", "x-amz-part-number-marker"})},
		{Name: "RestoreObject", Method: "POST", Level: ObjectLevel, Tells: []string{"restore"}, Action: gateway.Write, VersionAlso: gateway.ReadVersion, Body: DocumentBody,
			Params: versionParam, Headers: checksumHeaders, Effect: ChangesObject, handle: (*Door).restoreObject},
		{Name: "SelectObjectContent", Method: "POST", Level: ObjectLevel, Tells: []string{"select"}, Action: gateway.Read, Shows: ShowsAbout, Body: DocumentBody,
			Params: []string{"select-type"}, Headers: sseCustomerHeaders},

		// Multipart uploads
		{Name: "CreateMultipartUpload", Method: "POST", Level: ObjectLevel, Tells: []string{"uploads"}, Action: gateway.Write,
			Headers: join(objectHeaders, []string{"x-amz-checksum-algorithm", "x-amz-checksum-type"}), handle: (*Door).createMultipartUpload},
		{Name: "UploadPart", LinkV2: true, Method: "PUT", Level: ObjectLevel, Tells: []string{"partNumber", "uploadId"}, Action: gateway.Write, Body: ObjectBody,
			Headers: join(sseHeaders, bodyHeaders), handle: (*Door).uploadPart},
		{Name: "UploadPartCopy", Method: "PUT", Level: ObjectLevel, Tells: []string{"partNumber", "uploadId"}, TellingHeader: "x-amz-copy-source",
			Action: gateway.Write, Headers: join(sseHeaders, copySourceHeaders, []string{"x-amz-source-expected-bucket-owner"}),
			Conditions: sourceConditions, handle: (*Door).uploadPartCopy},
		{Name: "CompleteMultipartUpload", Method: "POST", Level: ObjectLevel, Tells: []string{"uploadId"}, Action: gateway.Write, Body: DocumentBody,
			Headers: join(checksumHeaders, sseHeaders, []string{"x-amz-mp-object-size"}), Conditions: writeConditions, Effect: ChangesObject, handle: (*Door).completeMultipartUpload},
		{Name: "AbortMultipartUpload", Method: "DELETE", Level: ObjectLevel, Tells: []string{"uploadId"}, Action: gateway.Write},
		{Name: "ListParts", Method: "GET", Level: ObjectLevel, handle: (*Door).named, Tells: []string{"uploadId"}, Action: gateway.Read,
			Params: []string{"max-parts", "part-number-marker", "encoding-type"}, Headers: sseCustomerHeaders},
		{Name: "ListMultipartUploads", Method: "GET", Level: BucketLevel, Tells: []string{"uploads"}, Action: gateway.List,
			Params: join(listParams, []string{"max-uploads", "upload-id-marker"}), handle: (*Door).list},

		// Buckets
		{Name: "CreateBucket", Method: "PUT", Level: BucketLevel, Action: gateway.Manage, Body: DocumentBody, Effect: ChangesBucket,
			Headers: join(aclHeaders, []string{"x-amz-bucket-object-lock-enabled", "x-amz-object-ownership"}), Reaches: opens, handle: (*Door).createBucket},
		{Name: "DeleteBucket", Method: "DELETE", Level: BucketLevel, Action: gateway.Manage, Effect: ChangesBucket, handle: (*Door).deleteBucket},
		{Name: "HeadBucket", Method: "HEAD", Level: BucketLevel, Action: gateway.List, Probe: true},
		{Name: "ListObjects", Method: "GET", Level: BucketLevel, Action: gateway.List, Params: listParams,
			Headers: []string{"x-amz-optional-object-attributes"}, handle: (*Door).list},
		{Name: "ListObjectsV2", Method: "GET", Level: BucketLevel, Tells: []string{"list-type"}, Action: gateway.List, MetadataAction: gateway.Read,
			Params:  join(listParams, minioListParams),
			Headers: []string{"x-amz-optional-object-attributes"}, handle: (*Door).list},
		{Name: "ListObjectVersions", Method: "GET", Level: BucketLevel, Tells: []string{"versions"}, Action: gateway.List, MetadataAction: gateway.ReadVersion,
			Params: join(listParams, minioListParams), Headers: []string{"x-amz-optional-object-attributes"}, handle: (*Door).list},
		{Name: "GetBucketLocation", Method: "GET", Level: BucketLevel, Tells: []string{"location"}, Action: gateway.List, Probe: true, handle: (*Door).bucketLocation},
	}
	table = append(table, objectSettings()...)
	return append(table, bucketSettings()...)
}

// opens are what an access rule lets others do.
var opens = []gateway.Action{gateway.List, gateway.Read, gateway.Write}

// objectSettings are the sub-resources of an object: read by GET, replaced by
// PUT with a small document.
func objectSettings() []Operation {
	var rows []Operation
	for _, s := range []struct {
		key, name    string
		read, change gateway.Action
		version      gateway.Action // to read or change that of a version
		deletable    bool
		headers      []string
		reaches      []gateway.Action
	}{
		{key: "tagging", name: "ObjectTagging", read: gateway.Read, change: gateway.Write, version: gateway.ReadVersion, deletable: true},
		{key: "acl", name: "ObjectAcl", read: gateway.Manage, change: gateway.Manage, headers: aclHeaders, reaches: []gateway.Action{gateway.Read, gateway.Write}},
		{key: "retention", name: "ObjectRetention", read: gateway.Manage, change: gateway.Manage, headers: lockHeaders},
		{key: "legal-hold", name: "ObjectLegalHold", read: gateway.Manage, change: gateway.Manage},
	} {
		tells := []string{s.key}
		rows = append(rows,
			Operation{Name: "Get" + s.name, Method: "GET", Level: ObjectLevel, Tells: tells, Action: s.read, VersionAction: s.version, Params: versionParam},
			Operation{Name: "Put" + s.name, Method: "PUT", Level: ObjectLevel, Tells: tells, Action: s.change, VersionAlso: s.version, Params: versionParam, Reaches: s.reaches,
				Body: DocumentBody, Headers: join(checksumHeaders, s.headers), Effect: ChangesObject})
		if s.deletable {
			rows = append(rows, Operation{Name: "Delete" + s.name, Method: "DELETE", Level: ObjectLevel, Tells: tells, Action: s.change, VersionAlso: s.version,
				Params: versionParam, Effect: ChangesObject})
		}
	}
	return rows
}

// Which methods a sub-resource of a bucket has.
const (
	canGet = 1 << iota
	canPut
	canDelete
	canList // GET without id lists
)

// bucketSettings are the configurations of a bucket; all of them need Manage.
func bucketSettings() []Operation {
	var rows []Operation
	for _, s := range []struct {
		key, name string
		methods   int
		effect    Effect
		headers   []string
		buckets   bool // the document names buckets
		reaches   []gateway.Action
		removed   string // what Delete removes, where that has another name
	}{
		{key: "accelerate", name: "BucketAccelerateConfiguration", methods: canGet | canPut},
		{key: "acl", name: "BucketAcl", methods: canGet | canPut, headers: aclHeaders, reaches: opens},
		{key: "analytics", name: "BucketAnalyticsConfiguration", methods: canGet | canPut | canDelete | canList, buckets: true},
		{key: "cors", name: "BucketCors", methods: canGet | canPut | canDelete},
		{key: "encryption", name: "BucketEncryption", methods: canGet | canPut | canDelete},
		{key: "intelligent-tiering", name: "BucketIntelligentTieringConfiguration", methods: canGet | canPut | canDelete | canList, reaches: []gateway.Action{gateway.Write}},
		{key: "inventory", name: "BucketInventoryConfiguration", methods: canGet | canPut | canDelete | canList, buckets: true, reaches: []gateway.Action{gateway.List}},
		{key: "lifecycle", name: "BucketLifecycleConfiguration", methods: canGet | canPut | canDelete, removed: "BucketLifecycle", headers: []string{"x-amz-transition-default-minimum-object-size"}, reaches: []gateway.Action{gateway.Delete}},
		{key: "logging", name: "BucketLogging", methods: canGet | canPut, buckets: true, reaches: []gateway.Action{gateway.List}},
		{key: "metrics", name: "BucketMetricsConfiguration", methods: canGet | canPut | canDelete | canList},
		{key: "notification", name: "BucketNotificationConfiguration", methods: canGet | canPut, headers: []string{"x-amz-skip-destination-validation"}, reaches: []gateway.Action{gateway.List}},
		{key: "object-lock", name: "ObjectLockConfiguration", methods: canGet | canPut, headers: []string{"x-amz-bucket-object-lock-token"}},
		{key: "ownershipControls", name: "BucketOwnershipControls", methods: canGet | canPut | canDelete, reaches: opens},
		{key: "policy", name: "BucketPolicy", methods: canGet | canPut | canDelete, headers: []string{"x-amz-confirm-remove-self-bucket-access"}, buckets: true, reaches: []gateway.Action{gateway.List, gateway.Read, gateway.ReadVersion, gateway.Write, gateway.Delete, gateway.DeleteVersion}},
		{key: "policyStatus", name: "BucketPolicyStatus", methods: canGet},
		{key: "publicAccessBlock", name: "PublicAccessBlock", methods: canGet | canPut | canDelete, reaches: opens},
		{key: "replication", name: "BucketReplication", methods: canGet | canPut | canDelete, headers: []string{"x-amz-bucket-object-lock-token"}, buckets: true, reaches: []gateway.Action{gateway.Read, gateway.ReadVersion}},
		{key: "requestPayment", name: "BucketRequestPayment", methods: canGet | canPut},
		{key: "tagging", name: "BucketTagging", methods: canGet | canPut | canDelete},
		{key: "versioning", name: "BucketVersioning", methods: canGet | canPut, effect: ChangesBucket, headers: []string{"x-amz-mfa"}},
		{key: "website", name: "BucketWebsite", methods: canGet | canPut | canDelete, reaches: []gateway.Action{gateway.Read}},
	} {
		tells, params := []string{s.key}, []string(nil)
		if s.methods&canList != 0 {
			rows = append(rows, Operation{Name: "List" + s.name + "s", Method: "GET", Level: BucketLevel, Tells: tells,
				Action: gateway.Manage, Params: []string{"continuation-token"}, NamesBuckets: s.buckets})
			tells = []string{s.key, "id"}
		}
		add := func(bit int, row Operation) {
			if s.methods&bit != 0 {
				row.Name += s.name
				row.Level, row.Tells, row.Action, row.Params = BucketLevel, tells, gateway.Manage, params
				rows = append(rows, row)
			}
		}
		add(canGet, Operation{Name: "Get", Method: "GET", NamesBuckets: s.buckets})
		put := Operation{Name: "Put", Method: "PUT", Body: DocumentBody, Effect: s.effect, Headers: join(checksumHeaders, s.headers), NamesBuckets: s.buckets, Reaches: s.reaches,
			ByRules: s.key == "lifecycle" || s.key == "replication"}
		if put.ByRules || s.buckets {
			put.handle = (*Door).putReaching
		}
		add(canPut, put)
		s.name = cmp.Or(s.removed, s.name)
		remove := Operation{Name: "Delete", Method: "DELETE", handle: (*Door).deleteSetting}
		if s.key == "publicAccessBlock" || s.key == "ownershipControls" {
			remove.Reaches = s.reaches // taking it away opens the bucket
		}
		add(canDelete, remove)
	}
	return rows
}

func join(groups ...[]string) []string {
	var all []string
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}
