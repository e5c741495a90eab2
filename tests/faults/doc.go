// Package faults runs the embedded store on disks that lose power, fill up,
// fail and decay, and kills the gateway at random.
//
// The tests are long. `make test-faults-short` runs a part of them in about
// five minutes, `make test-faults` everything. The flags of the package say how
// much of each.
package faults
