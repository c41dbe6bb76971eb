package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// healthcheckCmd is `swapcast healthcheck`.
type healthcheckCmd struct {
	URL     string        `help:"Address to ask; /readyz instead of /healthz asks whether the stream is fresh." default:"http://127.0.0.1:8080/healthz"`
	Timeout time.Duration `help:"Give up after this long." default:"3s"`
}

// Run asks once. The reason of a refusal is part of the error.
func (h *healthcheckCmd) Run(ctx context.Context, env *environ) error {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, http.NoBody)
	if err != nil {
		return usagef("--url %q: %v", h.URL, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return fmt.Errorf("healthcheck: read the answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: %s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	_, err = fmt.Fprintln(env.Stdout, "ok")
	return err
}
