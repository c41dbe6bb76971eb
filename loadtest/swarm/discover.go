package swarm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Server asks a swapcast server, by its HTTP API, what there is to subscribe to.
type Server struct {
	base   string // http://host:port
	key    string
	client *http.Client
}

// NewServer makes one of the WebSocket's address.
func NewServer(ws, apiKey string) (*Server, error) {
	u, err := url.Parse(ws)
	if err != nil {
		return nil, err
	}
	return &Server{"http://" + u.Host, apiKey, &http.Client{Timeout: 10 * time.Second}}, nil
}

// Status is what a server says of itself.
type Status struct {
	Feed    string `json:"feed"`
	Message string `json:"message"`
	Limits  struct {
		MaxConnections   int `json:"maxConnections"`
		MaxSubscriptions int `json:"maxSubscriptions"`
	} `json:"limits"`
}

// Status asks for /v1/status.
func (s *Server) Status(ctx context.Context) (Status, error) {
	var st Status
	err := s.get(ctx, "/v1/status", &st)
	return st, err
}

// Assets returns up to n mints that have a price: the most liquid and traded first, then
// the newest.
func (s *Server) Assets(ctx context.Context, n int) ([]string, error) {
	found, err := s.priced(ctx, "/v1/prices")
	if err != nil {
		return nil, err
	}
	var fresh struct {
		Tokens []struct {
			AssetID string `json:"assetId"`
		} `json:"tokens"`
	}
	if err := s.get(ctx, "/v1/tokens?limit=200", &fresh); err != nil {
		return nil, err
	}
	var names []string
	for _, t := range fresh.Tokens {
		if !slices.Contains(found, t.AssetID) {
			names = append(names, t.AssetID)
		}
	}
	for part := range slices.Chunk(names, 100) { // of one request
		more, err := s.priced(ctx, "/v1/prices?assets="+strings.Join(part, ","))
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found[:min(len(found), n)], nil
}

// priced returns the mints of an answer with prices that have one.
func (s *Server) priced(ctx context.Context, path string) ([]string, error) {
	var prices struct {
		Prices []struct {
			AssetID string   `json:"assetId"`
			Price   *float64 `json:"price"`
		} `json:"prices"`
	}
	if err := s.get(ctx, path, &prices); err != nil {
		return nil, err
	}
	var found []string
	for _, p := range prices.Prices {
		if p.Price != nil {
			found = append(found, p.AssetID)
		}
	}
	return found, nil
}

// Wallets returns up to n owners that traded one of the assets lately.
func (s *Server) Wallets(ctx context.Context, assets []string, n int) ([]string, error) {
	var found []string
	seen := map[string]bool{}
	for _, a := range assets {
		var trades struct {
			Trades []struct {
				Trader string `json:"trader"`
			} `json:"trades"`
		}
		if err := s.get(ctx, "/v1/trades/"+a+"?limit=1000", &trades); err != nil {
			return nil, err
		}
		for _, t := range trades.Trades {
			if t.Trader != "" && !seen[t.Trader] {
				seen[t.Trader] = true
				if found = append(found, t.Trader); len(found) == n {
					return found, nil
				}
			}
		}
	}
	return found, nil
}

func (s *Server) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, http.NoBody)
	if err != nil {
		return err
	}
	if s.key != "" {
		request.Header.Set("Authorization", "Bearer "+s.key)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s: %s", s.base, path, answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 16<<20)).Decode(into); err != nil {
		return fmt.Errorf("%s%s: %w", s.base, path, err)
	}
	return nil
}
