#!/bin/sh
# Install what the client tests need and this machine lacks: programs by name
# from Debian (its release pins the versions), modules by npm (the lock file
# pins them). Go modules are fetched by the build itself.
set -eu
cd "$(dirname "$0")"

# program:package pairs; /usr/bin/python3 must see Debian's own boto3.
missing=""
for pair in /usr/bin/aws:awscli s3cmd:s3cmd rclone:rclone restic:restic s3fs:s3fs fusermount:fuse node:nodejs npm:npm chromium:chromium curl:curl; do
	command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
/usr/bin/python3 -c 'import boto3' 2>/dev/null || missing="$missing python3-boto3"

python3 -c 'import requests' 2>/dev/null || missing="$missing python3-requests"

if [ -n "$missing" ]; then
	if ! command -v apt-get >/dev/null; then
		echo "not installed, and there is no apt-get:$missing"
	else
		sudo=""
		[ "$(id -u)" = 0 ] || sudo="sudo"
		echo "installing$missing"
		$sudo apt-get -qq update
		# shellcheck disable=SC2086 # a list of words
		DEBIAN_FRONTEND=noninteractive $sudo apt-get -qq install -y --no-install-recommends $missing >/dev/null
	fi
fi

if command -v npm >/dev/null; then
	# Again only when the lock file is not the one that was installed.
	for folder in js browser tus; do
		if ! cmp -s $folder/package-lock.json $folder/node_modules/.installed; then
			(cd $folder && npm ci --silent --no-progress)
			cp $folder/package-lock.json $folder/node_modules/.installed
		fi
	done
fi
