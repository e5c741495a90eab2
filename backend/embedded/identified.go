//go:build !slim

package embedded

import (
	"context"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// The forms in which the store makes its IDs: a UUID for an upload, a ULID for a
// version. It uses both as names of files without a look at them, so "../.." for
// an upload would remove whatever is there.
var (
	uploadIDForm  = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	versionIDForm = regexp.MustCompile(`^([0-7][0-9A-HJKMNP-TV-Z]{25}|null)?$`)
)

// knownIDs refuses every ID that the store cannot have made, before it becomes
// a path. A batch delete carries its IDs in its body: those are identified's.
func knownIDs(ctx fiber.Ctx) error {
	for name, value := range ctx.Request().URI().QueryArgs().All() {
		switch {
		case string(name) == "uploadId" && !uploadIDForm.Match(value):
			return answerError(ctx, s3err.GetNoSuchUploadErr(string(value)))
		case string(name) == "versionId" && !versionIDForm.Match(value):
			return answerError(ctx, s3err.GetInvalidArgumentErr(s3err.InvalidArgVersionId, string(value)))
		}
	}
	if source := ctx.Get("X-Amz-Copy-Source"); !plainSource(source) {
		return answerError(ctx, s3err.GetInvalidArgumentErr(s3err.InvalidArgVersionId, source))
	}
	return ctx.Next()
}

// plainSource reports a copy source with a version of the store's own, if it has
// one, and a key that the store does not take for one: it decodes the header
// before it looks for the version.
func plainSource(source string) bool {
	const mark = "?versionId="
	raw, version, _ := strings.Cut(source, mark)
	key, err := url.QueryUnescape(raw)
	return err != nil || // refused by the store in its own words
		versionIDForm.MatchString(version) && !strings.Contains(key, mark)
}

func answerError(ctx fiber.Ctx, err s3err.S3Error) error {
	ctx.Set(fiber.HeaderContentType, fiber.MIMEApplicationXML)
	return ctx.Status(err.StatusCode()).Send(err.XMLBody("", ""))
}

// identified is a store that takes IDs of its own form only.
type identified struct{ backend.Backend }

// DeleteObjects answers for versions that cannot be, and deletes the others.
func (s identified) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	var known []types.ObjectIdentifier
	var refused []types.Error
	for _, o := range in.Delete.Objects {
		if version := aws.ToString(o.VersionId); versionIDForm.MatchString(version) {
			known = append(known, o)
		} else {
			refused = append(refused, s3err.ObjectDeleteError(o.Key, o.VersionId, s3err.GetInvalidArgumentErr(s3err.InvalidArgVersionId, version)))
		}
	}
	in.Delete.Objects = known
	result, err := s.Backend.DeleteObjects(ctx, in)
	result.Error = append(result.Error, refused...)
	return result, err
}

// HeadObject finds the version "null" where GetObject does: an object that was
// stored while versions were off has no ID at all on disk.
func (s identified) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	out, err := s.Backend.HeadObject(ctx, in)
	if err == nil || aws.ToString(in.VersionId) != "null" {
		return out, err
	}
	current := *in
	current.VersionId = nil
	if found, failed := s.Backend.HeadObject(ctx, &current); failed == nil {
		if version := aws.ToString(found.VersionId); version == "" || version == "null" {
			return found, nil
		}
	}
	return out, err
}
