// Command versitygw runs versitygw's own integration cases against the endpoint
// in S3_ENDPOINT, one after another, and prints a line of verdict, name and
// reason, separated by tabs, for each. Cases that need versitygw's own IAM
// service, its admin API or its website endpoint are left out.
package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/versity/versitygw/tests/integration"
)

// foreign are the cases about what is not S3: versitygw's users and website.
var foreign = regexp.MustCompile(`^(IAM|S3IAM|WebsiteHosting)|_iam_`)

// caseTime bounds one case; the slowest honest one takes a few seconds.
const caseTime = time.Minute

func main() {
	out := os.Stdout
	// The cases print their progress, and in colours; the reason is in their error.
	os.Stdout, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	chosen := regexp.MustCompile(os.Getenv("CASE"))
	conf := integration.NewS3Conf(
		integration.WithEndpoint(os.Getenv("S3_ENDPOINT")),
		integration.WithAccess(os.Getenv("S3_ACCESS_KEY")),
		integration.WithSecret(os.Getenv("S3_SECRET_KEY")),
		integration.WithRegion(os.Getenv("S3_REGION")),
		integration.WithVersioningEnabled(),
	)
	cases := integration.GetIntTests()
	var names []string
	for name := range cases {
		if !foreign.MatchString(name) && chosen.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	w := bufio.NewWriter(out)
	for _, name := range names {
		verdict, reason := "ok", ""
		if err := run(cases[name], conf); err != nil {
			verdict, reason = "fail", strings.Join(strings.Fields(err.Error()), " ")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", verdict, name, reason)
		w.Flush()
	}
}

// run gives the error of a case. One that panics or hangs has failed, and the
// others go on.
func run(test integration.IntTest, conf *integration.S3Conf) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("panic: %v", p)
			}
		}()
		done <- test(conf)
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(caseTime):
		return fmt.Errorf("no end after %v", caseTime)
	}
}
