package main

import (
	"log/slog"

	"github.com/swapcast/swapcast/stream"
)

// tellOpenFiles tells how many files may be open and how many connections they
// leave room for.
func tellOpenFiles(log *slog.Logger, maxConnections int) {
	soft, hard, known := stream.OpenFiles()
	if !known {
		return
	}
	left := soft - stream.SpareFiles(soft)
	log.Info("open files", "soft_limit", soft, "hard_limit", hard, "for_clients", left)
	if left < maxConnections {
		log.Warn("fewer files may be open than --max-connections asks for: clients beyond them are refused with 503 (raise it with ulimit -Hn or LimitNOFILE= of systemd)",
			"max_connections", maxConnections, "for_clients", left)
	}
}
