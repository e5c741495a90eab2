package gateway

// Door is one of the two interfaces of the gateway.
type Door string

// The two doors.
const (
	DoorREST Door = "rest"
	DoorS3   Door = "s3"
)

// Caller is who was authenticated. The zero value is an anonymous caller, which
// may do nothing unless a bucket is declared public.
type Caller struct {
	// Name identifies the caller in grants, limits and logs.
	Name string
	// Link is true when the request came with a link credential: the caller's
	// rights narrowed to what a link may do.
	Link bool
}

// Anonymous reports whether nobody was authenticated.
func (c Caller) Anonymous() bool { return c.Name == "" }

// Action is a class of operations that a grant allows or denies.
type Action string

// The actions. Read is about current versions; ReadVersion is needed where a
// client names a version, the current one and null included. DeleteVersion is
// deleting by versionId. Manage is every change or reading of access rules and
// bucket configuration.
const (
	List          Action = "list"
	Read          Action = "read"
	ReadVersion   Action = "read-version"
	Write         Action = "write"
	Delete        Action = "delete"
	DeleteVersion Action = "delete-version"
	Manage        Action = "manage"
)

// ReservedPrefix is the part of every bucket that belongs to the gateway
// itself: neither door shows it or lets anyone write there.
const ReservedPrefix = ".s3gateway/"
