package main

import (
	"log/slog"

	"github.com/swapcast/swapcast/stream"
)

// raiseOpenFiles lets the process open as many files as it may, and tells how many
// those are and how many connections they leave room for.
func raiseOpenFiles(log *slog.Logger, maxConnections int) {
	if err := stream.RaiseOpenFiles(); err != nil {
		log.Warn("the limit of open files could not be raised", "err", err)
	}
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
