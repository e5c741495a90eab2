module github.com/codeguardians/s3gateway/tests/clients

go 1.26
