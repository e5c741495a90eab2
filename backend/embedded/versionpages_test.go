package embedded

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// However many entries a page has, all pages together list each version once.
func TestPagesOfVersionsAreTheWholeListing(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			c, bucket := client(t, startForm(t, form)), aws.String("files")
			for _, key := range []string{"a", "dir/b", "dir/c", "e"} {
				put(t, c, key, "null")
			}
			put(t, c, "folder/", "")
			setVersioning(t, c, types.BucketVersioningStatusEnabled)
			for _, key := range []string{"a", "a", "dir/b", "dir/b", "e", "f", "f"} {
				put(t, c, key, "x")
			}
			setVersioning(t, c, types.BucketVersioningStatusSuspended)
			for _, key := range []string{"dir/b", "f"} {
				put(t, c, key, "null again")
			}
			setVersioning(t, c, types.BucketVersioningStatusEnabled)
			for _, key := range []string{"dir/b", "f", "f"} {
				put(t, c, key, "y")
			}
			if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("a")}); err != nil {
				t.Fatal(err)
			}
			list := func(most int32, delimiter string) (versions, markers, folders []string) {
				t.Helper()
				in := &s3.ListObjectVersionsInput{Bucket: bucket, MaxKeys: &most, Delimiter: &delimiter}
				for range 50 {
					out, err := c.ListObjectVersions(t.Context(), in)
					if err != nil {
						t.Fatal(err)
					}
					if n := len(out.Versions) + len(out.DeleteMarkers) + len(out.CommonPrefixes); n > int(most) {
						t.Errorf("%d entries on a page of %d", n, most)
					}
					for _, v := range out.Versions {
						versions = append(versions, fmt.Sprint(*v.Key, " ", *v.VersionId, " ", *v.IsLatest))
					}
					for _, m := range out.DeleteMarkers {
						markers = append(markers, fmt.Sprint(*m.Key, " ", *m.VersionId, " ", *m.IsLatest))
					}
					for _, p := range out.CommonPrefixes {
						folders = append(folders, *p.Prefix)
					}
					if !aws.ToBool(out.IsTruncated) {
						return versions, markers, folders
					}
					in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
				}
				t.Fatalf("pages of %d have no end", most)
				return nil, nil, nil
			}
			for _, delimiter := range []string{"", "/"} {
				versions, markers, folders := list(1000, delimiter)
				if want := map[string]int{"": 16, "/": 10}[delimiter]; len(versions) != want || len(markers) != 1 {
					t.Fatalf("%v %v", versions, markers)
				}
				for most := range int32(8) {
					v, m, f := list(most+1, delimiter)
					if !slices.Equal(v, versions) || !slices.Equal(m, markers) || !slices.Equal(f, folders) {
						t.Errorf("pages of %d, delimiter %q:\n%v %v %v\ninstead of\n%v %v %v", most+1, delimiter, v, m, f, versions, markers, folders)
					}
				}
			}
		})
	}
}
