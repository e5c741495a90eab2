// Package conformance pins what minio-go's functional tests import: they are one
// file of its module, built as a program by run.py.
package conformance

import (
	_ "github.com/dustin/go-humanize"
	_ "github.com/google/uuid"
	_ "github.com/minio/minio-go/v7"
	_ "github.com/minio/minio-go/v7/pkg/cors"
	_ "github.com/minio/minio-go/v7/pkg/credentials"
	_ "github.com/minio/minio-go/v7/pkg/encrypt"
	_ "github.com/minio/minio-go/v7/pkg/notification"
	_ "github.com/minio/minio-go/v7/pkg/tags"
)
