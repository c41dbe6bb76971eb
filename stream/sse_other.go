//go:build !linux

package stream

import "time"

func setUserTimeout(uintptr, time.Duration) {}
