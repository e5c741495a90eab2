package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway/config"
)

// place is where in the text of the file an entry begins, from its Where.
func place(src, where string) (offset int, err error) {
	fields := strings.Split(where, ":")
	if len(fields) < 3 {
		return 0, errors.New("the entry has no place in the file")
	}
	line, err := strconv.Atoi(fields[len(fields)-2])
	column, err2 := strconv.Atoi(fields[len(fields)-1])
	if err = errors.Join(err, err2); err != nil {
		return 0, err
	}
	for ; line > 1; line-- {
		_, after, ok := strings.Cut(src[offset:], "\n")
		if !ok {
			return 0, errors.New("the entry is not in the file")
		}
		offset = len(src) - len(after)
	}
	for i := range src[offset:] { // columns count characters
		if column--; column == 0 {
			return offset + i, nil
		}
	}
	return 0, errors.New("the entry is not in the file")
}

// before gives the offset and text of the last character that is no space
// before an offset.
func before(src string, offset int) (int, string) {
	text := strings.TrimRight(src[:offset], " \t\r\n")
	if text == "" {
		return 0, ""
	}
	return len(text) - 1, text[len(text)-1:]
}

// addMember puts a member in front of the entry that begins at an offset; list
// texts are members with one item. All else stays as it is written.
func addMember(src string, offset int, block, flow string) string {
	if _, c := before(src, offset); c == "{" {
		return src[:offset] + flow + ", " + src[offset:]
	}
	indent := strings.Repeat(" ", offset-strings.LastIndex(src[:offset], "\n")-1)
	return src[:offset] + strings.ReplaceAll(block, "\n", "\n"+indent) + "\n" + indent + src[offset:]
}

// addItem puts an item in front of a list whose first item's first member begins
// at an offset. ok is false for a form of list that is not written by people.
func addItem(src string, offset int, item string) (edited string, ok bool) {
	at, c := before(src, offset)
	if c == "{" {
		offset = at
		at, c = before(src, offset)
	}
	switch c {
	case "[":
		return src[:offset] + item + ", " + src[offset:], true
	case "-":
		start := strings.LastIndex(src[:at], "\n") + 1
		if strings.TrimSpace(src[start:at]) != "" {
			return src, false
		}
		return src[:start] + src[start:at] + "- " + item + "\n" + src[start:], true
	}
	return src, false
}

// lockedFile is loadFile for an edit: nobody else edits the file until unlock was
// called. Two edits at once would lose one, and with it that a key is disabled.
func lockedFile(cli *commands, p process, file string) (cfg *config.Config, unlock func(), err error) {
	if cfg, err = loadFile(cli, p, file); err != nil {
		return nil, nil, err
	}
	for {
		f, err := os.Open(cfg.ConfigFile)
		if err != nil {
			return nil, nil, err
		}
		unlock = func() { _ = f.Close() }
		err = lockFile(f)
		mine, statErr := f.Stat()
		now, nowErr := os.Stat(cfg.ConfigFile)
		if err = errors.Join(err, statErr, nowErr); err != nil {
			unlock()
			return nil, nil, fmt.Errorf("the file cannot be locked: %w", err)
		}
		if !os.SameFile(mine, now) { // who held the lock has replaced it
			unlock()
			continue
		}
		if cfg, err = loadFile(cli, p, file); err != nil {
			unlock()
			return nil, nil, err
		}
		return cfg, unlock, nil
	}
}

// editLines has a text edited without what Windows editors put into it, and puts
// that back: the mark at the beginning, and line ends of two characters.
func editLines(src string, edit func(string) (string, error)) (string, error) {
	const mark = "\ufeff"
	text := strings.TrimPrefix(src, mark)
	lineEnd := "\n"
	if n := strings.Count(text, "\r\n"); n > 0 && n == strings.Count(text, "\n") {
		lineEnd = "\r\n"
	}
	edited, err := edit(strings.ReplaceAll(text, lineEnd, "\n"))
	return src[:len(src)-len(text)] + strings.ReplaceAll(edited, "\n", lineEnd), err
}

// editFile changes the file of a configuration: edit gives the new text, and
// what was read from it must pass check. The file is replaced as a whole, so a
// running gateway never reads half of it, and keeps its mode and owner.
func editFile(p process, cfg *config.Config, edit func(src string) (string, error), check func(*config.Config) error) error {
	path, err := filepath.EvalSymlinks(cfg.ConfigFile)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	edited, err := editLines(string(src), edit)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // gone when all went well
	if err := keepOwner(temp, info); err != nil {
		_ = temp.Close()
		return fmt.Errorf("the file is left as it is, because it would have another owner: %w", err)
	}
	_, err = temp.WriteString(edited)
	if err = errors.Join(err, temp.Chmod(info.Mode().Perm()), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	changed, _, err := (&commands{Config: temp.Name()}).load(p)
	if err == nil {
		err = check(changed)
	}
	if err != nil {
		return settingsError("the file is left as it is, because the change would not be taken: %w", err)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("the file is changed, but may not survive a crash: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
