package proxy

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/fairshare"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/signer"
)

// formTime is how long the fields of a form may take: at most 20 KB, or 84 KB with
// a small file. Until they are there nobody is authenticated.
const formTime = 20 * time.Second

func errFormTime() *gateway.Error {
	return gateway.Errorf(gateway.StreamEnded, "The fields of the form took too long: nobody is known before the last of them.")
}

// readForm takes the place of the signature check for a browser's form, whose
// signature is in its body. Until it is checked nothing of the form counts.
func (d *Door) readForm(x *exchange) (err error) {
	if x.r.Header.Get("Authorization") != "" {
		return gateway.Errorf(gateway.InvalidArgument, "Only one auth mechanism allowed.").With("ArgumentName", "Authorization")
	}
	stop := fairshare.From(x.r.Context()).EndAfter(cmp.Or(d.FormTime, formTime), errFormTime())
	x.form, err = openForm(x.r)
	stop()
	if err != nil {
		return err
	}
	key := x.form.value("key")
	if key == "" {
		return signer.MissingFormField("key")
	}
	if x.auth, err = d.Verifier.VerifyForm(x.form.value); err != nil {
		return err
	}
	if err := checkPostPolicy(x.form, x.addr.Bucket, x.form.file.size, d.Verifier.Now()); err != nil {
		return err
	}
	if x.form.tags, err = formTags(x.form); err != nil {
		return err
	}
	x.addr.Key = key
	gateway.RecordFrom(x.r.Context()).Update(func(f *gateway.Fields) { f.Key = key })
	return checkObjectName(key)
}

// formTags reads the field "tagging", a document where a PUT has a header.
func formTags(f *form) (string, error) {
	raw := f.value("tagging")
	if raw == "" {
		return "", nil
	}
	if f.value("x-amz-tagging") != "" {
		return "", gateway.Errorf(gateway.InvalidArgument, "The form has both tagging and x-amz-tagging.").With("ArgumentName", "tagging")
	}
	if err := checkXML([]byte(raw)); err != nil {
		return "", err
	}
	var doc struct {
		XMLName xml.Name                      `xml:"Tagging"`
		Tags    []struct{ Key, Value string } `xml:"TagSet>Tag"`
	}
	if err := (document{raw: []byte(raw)}).parse(&doc); err != nil {
		return "", err
	}
	pairs := make([]string, 0, len(doc.Tags))
	for _, tag := range doc.Tags {
		pairs = append(pairs, url.QueryEscape(tag.Key)+"="+url.QueryEscape(tag.Value))
	}
	return strings.Join(pairs, "&"), nil
}

// formHeaders are the headers of the PUT that a form stands for. The fields of
// the signature itself are not among them. A field may hold any bytes, a header
// may not.
func (x *exchange) formHeaders() (http.Header, error) {
	h := http.Header{}
	for _, field := range x.form.fields {
		switch field.name {
		case "tagging":
			h.Set("X-Amz-Tagging", x.form.tags)
		case "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token":
		case "acl":
			h.Set("X-Amz-Acl", field.value)
		case "cache-control", "content-type", "content-disposition", "content-encoding", "content-language", "content-md5", "expires":
			h.Set(field.name, field.value)
		default:
			if strings.HasPrefix(field.name, "x-amz-") {
				h.Set(field.name, field.value)
			}
		}
	}
	for name, values := range h {
		if !signer.ValidHeader(name, values[0]) {
			return nil, gateway.Errorf(gateway.InvalidArgument, "The form field %q cannot stand for a header.", strings.ToLower(name))
		}
	}
	return h, nil
}

// postObject stores a form's file as a PUT would.
func (d *Door) postObject(x *exchange) error {
	if x.form == nil {
		return gateway.Errorf(gateway.PreconditionFailed, "Bucket POST must be of the enclosure-type multipart/form-data.")
	}
	file := x.form.file
	var err error
	if file.proofs, err = signer.Proofs(x.form.value); err != nil {
		return err
	}
	admitted, _, err := d.limits(x).Admit(policy.Upload{
		Caller: x.caller, Bucket: x.addr.Bucket, Key: x.addr.Key,
		ContentType: x.header.Get("Content-Type"), Size: file.size,
	}, file)
	if err != nil {
		return err
	}
	if err := d.stamp(x); err != nil {
		return err
	}
	req := x.request()
	req.Method, req.Query = http.MethodPut, nil
	req.Body, req.Length, req.PayloadHash = readCloser{admitted, file}, file.size, signer.UnsignedPayload
	x.prove(&req)
	resp, err := d.sendChange(x, req)
	if cause := file.Err(); cause != nil {
		if resp != nil {
			resp.Body.Close()
		}
		return cause
	}
	if err != nil {
		return err
	}
	resp.Body.Close()
	x.dropProof(req, resp.Header)
	return d.answerForm(x, resp.Header)
}

// postResponse is the answer to a form that asked for 201.
type postResponse struct {
	XMLName  xml.Name `xml:"PostResponse"`
	Location string
	Bucket   string
	Key      string
	ETag     string
}

// answerForm answers as the form asked: a redirect, or one of three statuses.
func (d *Door) answerForm(x *exchange, stored http.Header) error {
	etag := stored.Get("Etag")
	h := x.w.Header()
	copyAmz(h, stored)
	h.Set("Etag", etag)
	location := strings.TrimSuffix(d.objectURL(x), "/") + "/" + signer.EncodePath(x.addr.Key)
	redirect := x.form.value("success_action_redirect")
	if redirect == "" {
		redirect = x.form.value("redirect")
	}
	if to, err := url.Parse(redirect); err == nil && redirect != "" && (to.Scheme == "http" || to.Scheme == "https") {
		query := to.Query()
		query.Set("bucket", x.addr.Bucket)
		query.Set("key", x.addr.Key)
		query.Set("etag", etag)
		to.RawQuery = query.Encode()
		h.Set("Location", to.String())
		x.w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	h.Set("Location", location)
	switch x.form.value("success_action_status") {
	case "200":
		x.w.WriteHeader(http.StatusOK)
	case "201":
		return x.answerXML(http.StatusCreated, postResponse{Location: location, Bucket: x.addr.Bucket, Key: x.addr.Key, ETag: etag})
	default:
		x.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}
