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
	// Subject is the issuer and the subject of the request's token (OpenID Connect
	// Core section 2); "" for keys and for tokens without a subject. Grants do not
	// depend on it.
	Subject string
	// Link is true when the request came with a link credential: the caller's
	// rights narrowed to what a link may do.
	Link bool
}

// Owner identifies who owns what a request makes and what only its maker finds
// again: unfinished uploads and idempotency keys. Two users whose tokens belong to
// one caller are two owners.
func (c Caller) Owner() string {
	if c.Subject == "" {
		return c.Name
	}
	return c.Name + "\x00" + c.Subject // no name has a NUL
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
