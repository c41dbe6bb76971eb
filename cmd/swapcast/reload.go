package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// reloadOnHangup reads the API keys again on SIGHUP until it is stopped.
func (s *server) reloadOnHangup() (stop func()) {
	hangups := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	var loop sync.WaitGroup
	loop.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-hangups:
				if err := s.stream.ReloadKeys(); err != nil {
					s.log.Error("api keys kept as they were", "error", err)
					continue
				}
				s.log.Info("api keys read again", "file", s.config.APIKeysFile)
			}
		}
	})
	return func() {
		signal.Stop(hangups)
		close(done)
		loop.Wait()
	}
}
