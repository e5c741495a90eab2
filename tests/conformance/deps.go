// Package conformance pins what run.py builds out of other modules: minio-go's
// functional tests are one file of it, built as a program; rclone's and
// distribution's tests of S3 are those of the packages.
package conformance

import (
	_ "github.com/distribution/distribution/v3/registry/storage/driver/s3-aws"
	_ "github.com/dustin/go-humanize"
	_ "github.com/google/uuid"
	_ "github.com/minio/minio-go/v7"
	_ "github.com/minio/minio-go/v7/pkg/cors"
	_ "github.com/minio/minio-go/v7/pkg/credentials"
	_ "github.com/minio/minio-go/v7/pkg/encrypt"
	_ "github.com/minio/minio-go/v7/pkg/notification"
	_ "github.com/minio/minio-go/v7/pkg/tags"
	_ "github.com/rclone/rclone/backend/s3"
)
