//go:build !linux

package stream

import "time"

func setUserTimeout(int, time.Duration) {}
