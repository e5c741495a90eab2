// Package config reads the settings of the gateway once, checks them once and
// reports every problem at once.
//
// A setting comes from the environment, else from a .env file, else from a YAML
// file, else from its default. One table (settings) says of each its name,
// default, meaning and how its text is read; the reference, the output of
// `s3gateway config` and the checks all come from that table.
//
//	cfg, warnings, err := config.Load(config.Options{Environ: os.Environ()})
//
// Load fails only for what cannot be understood or must not be started with.
// What is merely missing (no bucket yet) is Config.Incomplete: the process stays
// up and answers 503 until it is there. No text of this package carries a secret.
package config
