//go:build slim

package embedded

import (
	"context"
	"errors"
)

// missingError says that this binary holds no store.
func missingError() error {
	return errors.New("embedded store: this binary was built without it (tag slim): set S3_ENABLED=true and the S3_* variables")
}

func serve(context.Context, childConfig) error { return missingError() }
