package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the Makefile and the Dockerfile with -ldflags.
//
//nolint:gochecknoglobals // -ldflags -X can set package variables only
var (
	version = ""
	commit  = ""
)

// versionCmd is `swapcast version`.
type versionCmd struct{}

// Run prints one line.
func (versionCmd) Run(env *environ) error {
	v, c := buildInfo()
	_, err := fmt.Fprintf(env.Stdout, "swapcast %s commit %s %s %s/%s\n", v, c, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// buildInfo returns version and commit: as stamped, else as the Go toolchain
// recorded them, else "dev" and "unknown".
func buildInfo() (v, c string) {
	v, c = version, commit
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && c == "" {
				c = s.Value
			}
		}
	}
	if v == "" {
		v = "dev"
	}
	if c == "" {
		c = "unknown"
	}
	return v, c
}
