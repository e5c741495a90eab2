package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// CredentialSource says where the keys for the backend come from. The first
// that is set counts: static keys, then a secret, then the SDK's default chain
// (environment, shared profile, web identity, ECS, EC2).
type CredentialSource struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	// SecretID is the name or ARN of an AWS Secrets Manager secret.
	SecretID string
	// Region is where the secret lives and where STS is asked.
	Region string
	// Now is the clock of the secret's refresh.
	Now func() time.Time
}

// Format prints nothing of the keys, for every verb.
func (CredentialSource) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "[credentials]") }

// NewCredentials gives a provider that refreshes what expires before it does.
// It asks nobody yet: wrong keys show at the first request.
func NewCredentials(ctx context.Context, s CredentialSource) (aws.CredentialsProvider, error) {
	if s.AccessKeyID != "" {
		return credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, s.SessionToken), nil
	}
	chain, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.Region))
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	if s.SecretID == "" {
		return chain.Credentials, nil
	}
	secret := &secretProvider{id: s.SecretID, client: secretsmanager.NewFromConfig(chain), now: s.Now}
	return aws.NewCredentialsCache(secret, func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow = refreshBefore
	}), nil
}

const (
	// secretLife is how long keys from a secret without an expiry of its own
	// are used: a rotated secret is picked up within it.
	secretLife = 15 * time.Minute
	// refreshBefore is how long before their end keys are renewed.
	refreshBefore = 2 * time.Minute
	// refreshAgain is how long it takes until a secret that could not be read
	// is asked for again.
	refreshAgain = 30 * time.Second
)

// secretReader is the part of Secrets Manager that is used
// (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html).
type secretReader interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

var _ secretReader = (*secretsmanager.Client)(nil)

// secretProvider reads the keys from one secret.
type secretProvider struct {
	id     string
	client secretReader
	now    func() time.Time

	mu   sync.Mutex
	ends time.Time // of the last keys read, by their own word; zero for never
}

// Retrieve reads the secret's current version.
func (p *secretProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	out, err := p.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(p.id)})
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("read the secret of S3_CREDENTIALS_SECRET_ID: %w", err)
	}
	c, err := parseSecret(aws.ToString(out.SecretString))
	if err != nil {
		return aws.Credentials{}, err
	}
	p.mu.Lock()
	p.ends = c.Expires
	p.mu.Unlock()
	if c.Expires.IsZero() {
		c.Expires = p.now().Add(secretLife + refreshBefore)
	}
	c.CanExpire = true
	return c, nil
}

// HandleFailToRefresh keeps the keys in use while Secrets Manager is away: the
// keys of a secret do not end because nobody could read it again. Keys with an
// end of their own are used to that end and not beyond.
func (p *secretProvider) HandleFailToRefresh(_ context.Context, old aws.Credentials, err error) (aws.Credentials, error) {
	if !old.HasKeys() {
		return aws.Credentials{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if !p.ends.IsZero() && !now.Before(p.ends) {
		return aws.Credentials{}, err
	}
	next := now.Add(refreshAgain)
	if !p.ends.IsZero() && p.ends.Before(next) {
		next = p.ends
	}
	old.Expires = next.Add(refreshBefore) // the cache takes it off again
	return old, nil
}

// secretNames are the member names met for each part of a key pair.
var secretNames = map[string][]string{
	"id":      {"S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID", "aws_access_key_id", "access_key_id", "AccessKeyId", "accessKeyId"},
	"secret":  {"S3_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "secret_access_key", "SecretAccessKey", "secretAccessKey"},
	"token":   {"S3_SESSION_TOKEN", "AWS_SESSION_TOKEN", "aws_session_token", "session_token", "SessionToken", "sessionToken"},
	"expires": {"Expiration", "expiration", "expires"},
}

var errSecretForm = errors.New(`the secret of S3_CREDENTIALS_SECRET_ID must be a JSON object of strings with "access_key_id" and "secret_access_key" (and "session_token", "expiration" if they apply)`)

// parseSecret reads the JSON of a secret. Its errors never quote the secret.
func parseSecret(text string) (aws.Credentials, error) {
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return aws.Credentials{}, errSecretForm
	}
	find := func(part string) string {
		for _, name := range secretNames[part] {
			if v, ok := members[name].(string); ok && v != "" {
				return v
			}
		}
		return ""
	}
	c := aws.Credentials{AccessKeyID: find("id"), SecretAccessKey: find("secret"), SessionToken: find("token"), Source: "SecretsManager"}
	if !c.HasKeys() {
		return aws.Credentials{}, errSecretForm
	}
	if at := find("expires"); at != "" {
		t, err := time.Parse(time.RFC3339, at)
		if err != nil {
			return aws.Credentials{}, errSecretForm
		}
		c.Expires = t
	}
	return c, nil
}
