package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/alecthomas/kong"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/config"
)

// commands is the command line.
type commands struct {
	Config string `help:"YAML file with settings (CONFIG_FILE); the environment and .env count before it." placeholder:"FILE" type:"path"`

	Serve    serveCommand    `cmd:"" default:"1" help:"Serve both doors (the default)."`
	Settings settingsCommand `cmd:"" name:"config" help:"Print the effective settings and where each comes from; secrets are redacted."`
	Doctor   doctorCommand   `cmd:"" help:"Check the settings and whether the storage backend accepts them."`
	Policy   policyCommand   `cmd:"" help:"Explain the policy."`
	Keys     keysCommand     `cmd:"" help:"Make keys for callers."`
	Store    storeCommand    `cmd:"" help:"Check and compact the embedded store, while the gateway is stopped."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

const description = `An upload API and an S3 endpoint in front of an S3 bucket, with one policy over both.

Without any setting it stores files on local disk under ./data. To put it in front of a real S3 set S3_ENABLED=true, S3_BUCKET_NAME and S3_REGION (and S3_ENDPOINT_URL for MinIO and others).

All settings are environment variables; a .env file in the working directory and a YAML file work too. "s3gateway config" prints what is in force.`

type (
	serveCommand    struct{}
	settingsCommand struct {
		Reference bool `help:"Print every setting with its default and meaning instead, as a Markdown table."`
	}
	doctorCommand  struct{}
	versionCommand struct{}
)

// run executes one command line and gives the exit code.
func run(ctx context.Context, p process) int {
	var cli commands
	code := -1
	parser, err := kong.New(&cli, kong.Name("s3gateway"), kong.Description(description),
		kong.Writers(p.stdout, p.stderr), kong.Exit(func(c int) { code = c }), kong.UsageOnError())
	if err != nil {
		fmt.Fprintln(p.stderr, "s3gateway:", err)
		return exitFailed
	}
	command, err := parser.Parse(p.args)
	if code >= 0 { // --help has been printed
		return code
	}
	if err != nil {
		fmt.Fprintln(p.stderr, "s3gateway:", err, "(see s3gateway --help)")
		return exitSettings
	}
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(&cli, p); err != nil {
		fmt.Fprintln(p.stderr, "s3gateway:", err)
		if e := (*exitError)(nil); errors.As(err, &e) {
			return e.code
		}
		return exitFailed
	}
	return exitOK
}

// secretsTimeout bounds how long AWS Secrets Manager may take for all secrets of
// a configuration.
const secretsTimeout = 15 * time.Second

// load reads the settings; every problem is reported at once. Where all of them
// are that AWS Secrets Manager is away, starting again may help.
func (c *commands) load(p process) (*config.Config, []config.Warning, error) {
	ctx, cancel := context.WithTimeout(context.Background(), secretsTimeout)
	defer cancel()
	away := 0
	cfg, warnings, err := config.Load(config.Options{Environ: p.environ, ConfigFile: c.Config, ReadSecret: func(id string) (string, error) {
		secret, err := backend.ReadSecret(ctx, id)
		if errors.Is(err, backend.ErrSecretsAway) {
			away++
		}
		return secret, err
	}})
	var problems config.Problems
	if errors.As(err, &problems) && len(problems) == away {
		return nil, warnings, &exitError{code: exitFailed, err: fmt.Errorf("the settings cannot be read now:\n%w", err)}
	}
	if err != nil {
		return nil, warnings, settingsError("the settings cannot be used:\n%w", err)
	}
	return cfg, warnings, nil
}

// Run prints the settings.
func (s *settingsCommand) Run(cli *commands, p process) error {
	if s.Reference {
		return config.Reference(p.stdout)
	}
	cfg, warnings, err := cli.load(p)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintln(p.stderr, "warning:", w)
	}
	return cfg.Write(p.stdout)
}

// Run prints the version that the Go toolchain recorded.
func (versionCommand) Run(p process) error {
	_, err := fmt.Fprintln(p.stdout, "s3gateway", version())
	return err
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = s.Value[:min(12, len(s.Value))]
		}
	}
	return v + " " + info.GoVersion
}
