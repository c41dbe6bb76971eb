package api_test

import (
	"net/http"
	"testing"

	"github.com/swapcast/swapcast/api"
)

func TestCORS(t *testing.T) {
	for name, c := range map[string]struct {
		allowed []string
		origin  string
		want    string
	}{
		"default is every page":   {nil, "https://anyone.example", "*"},
		"star is every page":      {[]string{"a.example", "*"}, "https://anyone.example", "*"},
		"listed with scheme":      {[]string{"https://a.example"}, "https://a.example", "https://a.example"},
		"other scheme":            {[]string{"https://a.example"}, "http://a.example", ""},
		"listed host, any scheme": {[]string{"a.example"}, "http://a.example", "http://a.example"},
		"upper case":              {[]string{"A.Example"}, "https://a.EXAMPLE", "https://a.EXAMPLE"},
		"subdomain":               {[]string{"*.a.example"}, "https://x.a.example", "https://x.a.example"},
		"not a subdomain":         {[]string{"*.a.example"}, "https://a.example", ""},
		"suffix trick":            {[]string{"a.example"}, "https://a.example.evil", ""},
		"prefix trick":            {[]string{"a.example"}, "https://evila.example", ""},
		"null origin":             {[]string{"a.example"}, "null", ""},
		"no origin":               {[]string{"a.example"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.AllowedOrigins = c.allowed
			var headers []string
			if c.origin != "" {
				headers = []string{"Origin", c.origin}
			}
			for _, method := range []string{http.MethodGet, http.MethodOptions} {
				for _, path := range []string{"/v1/status", "/v1/nothing"} {
					response, _ := do(t, api.New(o), method, path, headers...)
					if got := response.Header.Get("Access-Control-Allow-Origin"); got != c.want {
						t.Errorf("%s %s: allowed %q; want %q", method, path, got, c.want)
					}
					if varies := response.Header.Get("Vary") == "Origin"; varies != (c.want != "*") {
						t.Errorf("%s %s: Vary %q", method, path, response.Header.Get("Vary"))
					}
				}
			}
		})
	}
	response, _ := do(t, api.New(options()), http.MethodOptions, "/v1/prices", "Origin", "https://a.example", "Access-Control-Request-Method", "GET")
	if response.StatusCode != http.StatusNoContent || response.Header.Get("Access-Control-Allow-Methods") != "GET, HEAD, OPTIONS" {
		t.Errorf("preflight: %s %v", response.Status, response.Header)
	}
}
