package proxy

import (
	"strings"
	"testing"
)

// Every operation with an XML document has its root element in the table, and a
// document of another operation, or none, never reaches the backend.
func TestADocumentIsTheOneOfItsOperation(t *testing.T) {
	for _, op := range NewTable().all {
		if op.Body != DocumentBody || op.Name == "PutBucketPolicy" {
			continue
		}
		root := documentRoots[op.Name]
		if root == "" {
			t.Errorf("%s has no root element in the table", op.Name)
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			c := call{method: op.Method, path: "/bucket/key"}
			if op.Level == BucketLevel {
				c.path = "/bucket"
			}
			query := []string{}
			for _, tell := range op.Tells {
				if tell == "id" || tell == "uploadId" {
					tell += "=x"
				}
				query = append(query, tell)
			}
			c.query = strings.Join(query, "&")
			for _, body := range []string{"<Other></Other>", "<x:Other xmlns:x=\"y\"><" + root + "/></x:Other>", ""} {
				if body == "" && mayBeEmpty[op.Name] {
					continue
				}
				r := newRig(t)
				c.body = body
				r.refused(r.do(c), 400, "MalformedXML", "")
				r.untouched()
			}
			if op.handle != nil {
				return // what it makes of a good document has its own tests
			}
			r := newRig(t)
			c.body = `<?xml version="1.0"?><!-- c --><s3:` + root + ` xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/"></s3:` + root + `>`
			if a := r.do(c); a.status != 200 || r.only().Body != c.body {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}
