package signer

import (
	"crypto/hmac"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// formSignatures are the fields of a form's signature by version, in the order
// in which S3 misses them. A form has all of one or none.
var formSignatures = [][]string{
	{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature"},
	{"AWSAccessKeyId", "Signature"},
}

func absentFields(field func(name string) string, names []string) (absent []string) {
	for _, name := range names {
		if field(strings.ToLower(name)) == "" {
			absent = append(absent, name)
		}
	}
	return absent
}

// MissingFormField refuses a form that lacks a field before its file: S3 reads
// none behind it.
func MissingFormField(name string) error {
	return gateway.Errorf(gateway.InvalidArgument, "Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.", name).
		With("ArgumentName", name).With("ArgumentValue", "")
}

// VerifyForm proves the policy of a browser's POST form
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html):
// the signature is over the base64 text of the field "policy". field gives a
// form field by its lower-case name. The policy's expiration and conditions are
// the caller's to apply; a form has no other clock. The Auth has no signed
// headers and an unsigned payload.
//
// A form with the fields of Signature Version 2 is proven by those where V2 is set.
func (v *Verifier) VerifyForm(field func(name string) string) (*Auth, error) {
	c := &claim{presigned: true, date: field("x-amz-date"), signature: field("x-amz-signature")}
	policy := field("policy")
	for _, names := range formSignatures {
		absent := absentFields(field, names)
		if len(absent) == 0 {
			break
		}
		if len(absent) < len(names) {
			return nil, MissingFormField(absent[0])
		}
	}
	if v.V2 && policy != "" && c.signature == "" && field("signature") != "" {
		return v.verifyFormV2(field)
	}
	if policy == "" || c.signature == "" {
		return nil, gateway.Errorf(gateway.AccessDenied, "A POST form needs the signed fields policy, x-amz-algorithm, x-amz-credential, x-amz-date and x-amz-signature.")
	}
	switch field("x-amz-algorithm") {
	case algorithm:
	case algorithmECDSA:
		return nil, errECDSA()
	default:
		return nil, errSignatureV2()
	}
	if field("x-amz-security-token") != "" {
		return nil, errToken()
	}
	if err := c.parseCredential(field("x-amz-credential")); err != nil {
		return nil, err
	}
	if err := c.presignedDate(); err != nil {
		return nil, err
	}
	if err := v.checkScope(c, false); err != nil {
		return nil, err
	}
	if err := v.checkDate(c); err != nil {
		return nil, err
	}
	key, known := v.keyFor(c)
	sum := key.sign([]byte(policy))
	switch matches := hmac.Equal(sum[:], decodeSignature(c.signature)); {
	case !known:
		return nil, errUnknownKey(c)
	case !matches:
		return nil, gateway.Errorf(gateway.SignatureDoesNotMatch, "The request signature we calculated does not match the signature you provided. Check your key and signing method.").
			With("AWSAccessKeyId", c.accessKeyID).With("StringToSign", policy).With("SignatureProvided", c.signature)
	}
	return &Auth{AccessKeyID: c.accessKeyID, Time: c.time, PayloadHash: UnsignedPayload}, nil
}
