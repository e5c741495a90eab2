package backend

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
)

// ErrSecretsAway says that AWS Secrets Manager gave no answer: another time it may.
var ErrSecretsAway = errors.New("AWS Secrets Manager cannot be asked: set AWS_REGION and credentials, and see that it is reached")

// ReadSecret gives the text of an AWS Secrets Manager secret, by name or ARN,
// with the keys and the region of the SDK's default chain; an ARN names its own
// region. The error shows neither the secret nor its name.
func ReadSecret(ctx context.Context, id string) (string, error) {
	var options []func(*config.LoadOptions) error
	if parts := strings.Split(id, ":"); len(parts) > 3 && parts[0] == "arn" {
		options = append(options, config.WithRegion(parts[3]))
	}
	chain, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return "", errors.New("the AWS configuration cannot be read")
	}
	out, err := secretsmanager.NewFromConfig(chain).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(id)})
	var refused smithy.APIError
	switch {
	case errors.As(err, &refused):
		return "", fmt.Errorf("AWS Secrets Manager answers %s", refused.ErrorCode())
	case err != nil:
		return "", ErrSecretsAway
	case aws.ToString(out.SecretString) == "":
		return "", errors.New("the secret has no text")
	}
	return aws.ToString(out.SecretString), nil
}
