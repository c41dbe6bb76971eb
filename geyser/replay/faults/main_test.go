package faults_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func clock() time.Duration { return 0 }

func now() time.Time { return time.Unix(1_700_000_000, 0) }
