package proxy

import (
	"strconv"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/signer"
)

// putObject stores an object: size and type are judged before its first byte
// goes on, its proofs before its last.
func (d *Door) putObject(x *exchange) error {
	if err := d.pinWrite(x); err != nil {
		return err
	}
	if err := d.stamp(x); err != nil {
		return err
	}
	return d.receive(x, 0)
}

// uploadPart stores a part. The size limit is the object's, so a part alone
// must keep it; the first part shows the type.
func (d *Door) uploadPart(x *exchange) error {
	number, err := partNumber(x)
	if err != nil {
		return err
	}
	return d.receive(x, number)
}

func (d *Door) receive(x *exchange, part int) error {
	if x.r.ProtoMajor == 1 && x.r.ContentLength == 0 && len(x.r.Header["Content-Length"]) == 0 {
		// HTTP would read no length as none; S3 wants it said.
		return gateway.Errorf(gateway.MissingContentLength, "")
	}
	body, err := x.auth.OpenBody(x.r, signer.BodyOptions{VerifyPayloadHash: x.at.Backend.VerifyPayload})
	if err != nil {
		return err
	}
	defer body.Close()
	if part == 0 {
		if err := x.at.Backend.Room(x.r.Context(), x.at.Bucket, x.at.Key, body.Length()); err != nil {
			return err
		}
	}
	admitted, _, err := d.limits(x).Admit(policy.Upload{
		Caller: x.caller, Bucket: x.addr.Bucket, Key: x.addr.Key,
		ContentType: x.header.Get("Content-Type"), Size: body.Length(), Part: part,
	}, body)
	if err != nil {
		return err
	}
	return d.upload(x, body, admitted)
}

const maxPartNumber = 10000

func partNumber(x *exchange) (int, error) {
	n, err := strconv.ParseUint(get(x.query, "partNumber"), 10, 16) // no sign
	if err != nil || n < 1 || n > maxPartNumber {
		return 0, gateway.Errorf(gateway.InvalidArgument, "Part number must be an integer between 1 and %d, inclusive.", maxPartNumber).
			With("ArgumentName", "partNumber").With("ArgumentValue", get(x.query, "partNumber"))
	}
	return int(n), nil
}
