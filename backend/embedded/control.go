package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// controlLimit bounds one call to the store by the supervisor.
const controlLimit = 5 * time.Second

// control makes the supervisor's own calls: does the store answer, make its
// first bucket. It keeps no connection.
type control struct {
	client      *http.Client
	credentials aws.Credentials
	now         func() time.Time
}

func newControl(socket string, credentials aws.Credentials, now func() time.Time) *control {
	var dialer net.Dialer
	return &control{
		client: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", socket)
			},
			DisableKeepAlives: true,
		}},
		credentials: credentials,
		now:         now,
	}
}

// answers is nil when the store answers a signed request.
func (c *control) answers(ctx context.Context) error {
	status, _, err := c.call(ctx, http.MethodHead, "s3gateway-probe")
	if err != nil {
		return err
	}
	if status != http.StatusNotFound && status != http.StatusOK {
		return fmt.Errorf("the store answers with status %d", status)
	}
	return nil
}

// makeBucket creates bucket unless it is there.
func (c *control) makeBucket(ctx context.Context, bucket string) error {
	status, _, err := c.call(ctx, http.MethodHead, bucket)
	if err != nil || status == http.StatusOK {
		return err
	}
	status, text, err := c.call(ctx, http.MethodPut, bucket)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", status, text)
	}
	return err
}

func (c *control) call(ctx context.Context, method, bucket string) (status int, text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, controlLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://embedded/"+bucket, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	empty := sha256.Sum256(nil)
	hash := hex.EncodeToString(empty[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	err = v4.NewSigner().SignHTTP(ctx, c.credentials, req, hash, "s3", Region, c.now())
	if err != nil {
		return 0, "", err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return resp.StatusCode, string(body), errors.Join(err, resp.Body.Close())
}
