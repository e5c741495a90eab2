package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Target is a store under test.
type Target struct {
	Name   string
	Client *s3.Client
	// Keys are the keys that programs use.
	Keys []string
	// MinPart is the least size of a part that is not the last one, in bytes.
	MinPart int64
	// Wait lets the store's clock advance; nil if it cannot be set. Programs on
	// such a store must not run side by side.
	Wait func(time.Duration)
	// Now returns the store's time; nil is time.Now.
	Now func() time.Time
	// Departures are the ways in which the store is known to differ from S3.
	Departures []Departure
}

func (t *Target) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

// Wait is the input of a step that is no request: time passes.
type Wait struct{ Hours int }

// Departure is a way in which a store differs from S3.
type Departure struct {
	// Name says what the store does.
	Name string
	// Reason says why it does, or where that is documented.
	Reason string
	// Skip reports whether a step is not sent, since the state would differ
	// afterwards. It may be nil.
	Skip func(m *Model, s Step) bool
	// Same reports whether a difference is this departure. It may be nil.
	Same func(s Step, d Difference) bool
}

// Failure is an answer that S3's rules forbid.
type Failure struct {
	Step        Step
	Differences []Difference
	// Final reports whether the step is one of those that compare the state at
	// the end.
	Final bool
}

// Kind returns the operation and the field: failures of one kind have one
// cause, mostly.
func (f *Failure) Kind() string {
	return f.Step.Operation() + " " + f.Differences[0].Path
}

func (f *Failure) String() string {
	var b strings.Builder
	if f.Final {
		b.WriteString("at the end: ")
	}
	fmt.Fprintln(&b, f.Step)
	for _, d := range f.Differences {
		fmt.Fprintln(&b, "     ", d)
	}
	return b.String()
}

// Totals counts what runs did. It may be used by several runs at once.
type Totals struct {
	Programs, Steps, Skipped, Checks atomic.Int64
	// Departed counts the departures, by their index in the target.
	Departed [64]atomic.Int64
}

// run is one run of a program.
type run struct {
	target *Target
	model  *Model
	bound  *bindings
	totals *Totals
}

// Run runs a program in buckets whose names begin with prefix, and returns the
// first answer that is not by S3's rules, nil if there is none.
func Run(ctx context.Context, t *Target, p Program, prefix string, totals *Totals) *Failure {
	r := &run{target: t, model: New(t.MinPart), bound: newBindings(prefix, t.now()), totals: totals}
	totals.Programs.Add(1)
	last := 0
	for _, s := range p.Steps {
		last = max(last, s.ID)
		totals.Steps.Add(1)
		if f := r.step(ctx, s); f != nil {
			return f
		}
	}
	return r.check(ctx, last+1)
}

// step sends a step and compares the answer.
func (r *run) step(ctx context.Context, s Step) *Failure {
	if in, ok := s.Input.(*Wait); ok {
		if _, ok := r.model.Apply(s); ok && r.target.Wait != nil {
			r.target.Wait(time.Duration(in.Hours) * time.Hour)
		}
		return nil
	}
	if i := r.target.skips(r.model, s); i >= 0 {
		r.totals.Departed[i].Add(1)
		return nil
	}
	want, ok := r.model.Apply(s)
	if !ok {
		r.totals.Skipped.Add(1)
		return nil
	}
	got, err := r.send(ctx, s)
	if err != nil {
		return &Failure{Step: s, Differences: []Difference{{Path: "answer", At: "answer", Want: "one", Got: err.Error()}}}
	}
	differences := r.tolerated(s, r.bound.compare(want, got))
	if len(differences) == 0 {
		return nil
	}
	return &Failure{Step: s, Differences: differences}
}

// skips returns the index of the departure for which a step is not sent, -1 if
// it is sent.
func (t *Target) skips(m *Model, s Step) int {
	for i, d := range t.Departures {
		if d.Skip != nil && d.Skip(m, s) {
			return i
		}
	}
	return -1
}

// tolerated returns the differences that are not known departures.
func (r *run) tolerated(s Step, all []Difference) (rest []Difference) {
next:
	for _, difference := range all {
		for i, d := range r.target.Departures {
			if d.Same != nil && d.Same(s, difference) {
				r.totals.Departed[i].Add(1)
				continue next
			}
		}
		rest = append(rest, difference)
	}
	return rest
}

// send sends a step. The error is one of the connection.
func (r *run) send(ctx context.Context, s Step) (Answer, error) {
	in := r.resolved(reflect.ValueOf(s.Input)).Interface()
	if f := reflect.ValueOf(in).Elem().FieldByName("Body"); f.IsValid() {
		f.Set(reflect.ValueOf(bytes.NewReader(s.Body)))
	}
	var options []func(*s3.Options)
	for name, value := range s.Header {
		options = append(options, s3.WithAPIOptions(smithyhttp.SetHeaderValue(name, value)))
	}
	out, metadata, err := calls[reflect.TypeOf(s.Input)](ctx, r.target.Client, in, options)
	if err != nil {
		return refused(err)
	}
	a := Answer{Out: out}
	if raw, ok := awsmiddleware.GetRawResponse(metadata).(*smithyhttp.Response); ok {
		a.Status = raw.StatusCode
	}
	if get, ok := out.(*s3.GetObjectOutput); ok {
		a.Body, err = io.ReadAll(get.Body)
		get.Body.Close()
	}
	return a, err
}

// refused returns the answer of an error.
func refused(err error) (Answer, error) {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) {
		return Answer{}, err
	}
	a := Answer{Status: response.HTTPStatusCode(), Code: "unreadable: " + err.Error(), Header: map[string]string{}}
	var api smithy.APIError
	if errors.As(err, &api) {
		a.Code = api.ErrorCode()
	}
	for name := range response.Response.Header {
		a.Header[name] = response.Response.Header.Get(name)
	}
	return a, nil
}

// resolved returns a copy of a request with values for its symbols.
func (r *run) resolved(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		if t, ok := v.Interface().(*time.Time); ok {
			return reflect.ValueOf(r.time(t))
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(r.resolved(v.Elem()))
		return out
	case reflect.String:
		s, _ := replaceSymbols(v.String(), func(name string) (string, bool) { return r.bound.values[name], true })
		return reflect.ValueOf(s).Convert(v.Type())
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(r.resolved(v.Index(i)))
		}
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && !v.Field(i).IsZero() {
				out.Field(i).Set(r.resolved(v.Field(i)))
			}
		}
		return out
	}
	return v
}

func (r *run) time(t *time.Time) *time.Time {
	at := *t
	if serial, _, ok := stamped(at); ok {
		at = r.bound.times[serial]
	} else if hours, ok := hoursOf(at); ok {
		at = r.bound.after(hours)
	}
	return &at
}

// call sends a request through the SDK.
type call func(ctx context.Context, c *s3.Client, in any, options []func(*s3.Options)) (any, middleware.Metadata, error)

func caller[I, O any](f func(*s3.Client, context.Context, *I, ...func(*s3.Options)) (*O, error)) call {
	return func(ctx context.Context, c *s3.Client, in any, options []func(*s3.Options)) (any, middleware.Metadata, error) {
		out, err := f(c, ctx, in.(*I), options...)
		if err != nil {
			return nil, middleware.Metadata{}, err
		}
		return out, reflect.ValueOf(out).Elem().FieldByName("ResultMetadata").Interface().(middleware.Metadata), nil
	}
}

// calls are the SDK's operations by their input.
var calls = map[reflect.Type]call{
	of[s3.AbortMultipartUploadInput]():       caller((*s3.Client).AbortMultipartUpload),
	of[s3.CompleteMultipartUploadInput]():    caller((*s3.Client).CompleteMultipartUpload),
	of[s3.CopyObjectInput]():                 caller((*s3.Client).CopyObject),
	of[s3.CreateBucketInput]():               caller((*s3.Client).CreateBucket),
	of[s3.CreateMultipartUploadInput]():      caller((*s3.Client).CreateMultipartUpload),
	of[s3.DeleteBucketInput]():               caller((*s3.Client).DeleteBucket),
	of[s3.DeleteObjectInput]():               caller((*s3.Client).DeleteObject),
	of[s3.DeleteObjectTaggingInput]():        caller((*s3.Client).DeleteObjectTagging),
	of[s3.DeleteObjectsInput]():              caller((*s3.Client).DeleteObjects),
	of[s3.GetBucketVersioningInput]():        caller((*s3.Client).GetBucketVersioning),
	of[s3.GetObjectAttributesInput]():        caller((*s3.Client).GetObjectAttributes),
	of[s3.GetObjectInput]():                  caller((*s3.Client).GetObject),
	of[s3.GetObjectLegalHoldInput]():         caller((*s3.Client).GetObjectLegalHold),
	of[s3.GetObjectLockConfigurationInput](): caller((*s3.Client).GetObjectLockConfiguration),
	of[s3.GetObjectRetentionInput]():         caller((*s3.Client).GetObjectRetention),
	of[s3.GetObjectTaggingInput]():           caller((*s3.Client).GetObjectTagging),
	of[s3.HeadBucketInput]():                 caller((*s3.Client).HeadBucket),
	of[s3.HeadObjectInput]():                 caller((*s3.Client).HeadObject),
	of[s3.ListBucketsInput]():                caller((*s3.Client).ListBuckets),
	of[s3.ListMultipartUploadsInput]():       caller((*s3.Client).ListMultipartUploads),
	of[s3.ListObjectVersionsInput]():         caller((*s3.Client).ListObjectVersions),
	of[s3.ListObjectsInput]():                caller((*s3.Client).ListObjects),
	of[s3.ListObjectsV2Input]():              caller((*s3.Client).ListObjectsV2),
	of[s3.ListPartsInput]():                  caller((*s3.Client).ListParts),
	of[s3.PutBucketVersioningInput]():        caller((*s3.Client).PutBucketVersioning),
	of[s3.PutObjectInput]():                  caller((*s3.Client).PutObject),
	of[s3.PutObjectLegalHoldInput]():         caller((*s3.Client).PutObjectLegalHold),
	of[s3.PutObjectLockConfigurationInput](): caller((*s3.Client).PutObjectLockConfiguration),
	of[s3.PutObjectRetentionInput]():         caller((*s3.Client).PutObjectRetention),
	of[s3.PutObjectTaggingInput]():           caller((*s3.Client).PutObjectTagging),
	of[s3.UploadPartCopyInput]():             caller((*s3.Client).UploadPartCopy),
	of[s3.UploadPartInput]():                 caller((*s3.Client).UploadPart),
}
