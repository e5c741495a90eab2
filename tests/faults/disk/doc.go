// Package disk models a disk that can lose power.
//
// A Disk holds two states of every file and folder: what a process sees and
// what survives a power cut. Sync moves a file's bytes from the first to the
// second, SyncFolder the entries of one folder. Between syncs the disk may
// keep, lose, reorder or tear anything: Cut returns what one power cut leaves.
//
// A Disk can also refuse operations (Inject), fill up (SetCapacity) and stop at
// a chosen operation (SetTrap), where a test looks at it, cuts it, or kills the
// process that waits for the answer.
package disk
