package api

import (
	"bytes"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Whatever order files came in, pages of a listing go by the bytes of their keys.
func TestListingsAreSortedByKey(t *testing.T) {
	b := newReal(t, 0)
	want := []string{"uploads/2026/01/15/B", "uploads/2026/01/15/a", "uploads/2026/01/15/a-b", "uploads/2026/01/15/a.b", "uploads/2026/01/16/a", "uploads/2026/02/01/a", "uploads/2026/02/01/é"}
	for _, i := range []int{4, 1, 6, 0, 3, 5, 2} {
		if _, err := b.bed.Client(t).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &b.bucket, Key: aws.String(want[i]), Body: bytes.NewReader([]byte("x"))}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for query := "?limit=2"; query != ""; {
		page := b.do("GET", Root+"/list"+query, nil, nil).json(t)
		for _, f := range page["files"].([]any) {
			got = append(got, f.(map[string]any)["file_id"].(string))
		}
		query = ""
		if next, more := page["next_cursor"].(string); more {
			query = "?limit=2&cursor=" + next
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v", got)
	}
}
