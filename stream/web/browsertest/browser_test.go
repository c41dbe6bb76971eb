package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience bounds every wait for something to appear on the page.
const patience = 20 * time.Second

// chromium finds the browser. Without one the tests are skipped, but not in CI,
// where a test that never ran would look like one that passed.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("SWAPCAST_CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if name == "" {
			continue
		}
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	const advice = "no Chromium: install it (Debian: apt-get install chromium) or name it in SWAPCAST_CHROMIUM"
	if os.Getenv("CI") == "true" {
		t.Fatal(advice)
	}
	t.Skip(advice)
	return ""
}

// shared is the one browser of all tests: starting it takes seconds.
var shared struct {
	once sync.Once
	ctx  context.Context
	stop []context.CancelFunc
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range shared.stop {
		stop()
	}
	os.Exit(code)
}

// browser returns the context of the running browser.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := chromium(t)
	shared.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path),
			chromedp.NoSandbox, // tests run as root in containers
			chromedp.Flag("disable-quic", true),
			chromedp.Flag("disable-component-update", true),
			chromedp.Flag("force-color-profile", "srgb"),
		)
		ctx, stopBrowser := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, closeTab := chromedp.NewContext(ctx)
		shared.ctx, shared.stop = ctx, []context.CancelFunc{closeTab, stopBrowser}
		shared.err = chromedp.Do(ctx) // starts it, and binds its life to this context
	})
	if shared.err != nil {
		t.Fatalf("start %s: %v", path, shared.err)
	}
	return shared.ctx
}

// tab is one page in a browser profile of its own.
type tab struct {
	t   *testing.T
	ctx context.Context

	// Guarded by mu.
	mu       sync.Mutex
	problems []string // what the console complained of
}

type look struct {
	width, height int64
	dark          bool
	phone         bool
}

// open loads the site in a profile of its own. Whatever the console complains of fails
// the test when it ends.
func open(t *testing.T, s *site, l look) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext())
	p := &tab{t: t, ctx: ctx}
	p.do("open a tab")
	console := chromedp.Console(ctx)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for m, err := range console {
			if err != nil {
				return
			}
			p.mu.Lock()
			if m.Type == "error" || m.Type == "warning" || m.IsException() {
				p.problems = append(p.problems, m.String())
			}
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		closeTab()
		<-heard
		if list := p.complaints(); len(list) > 0 {
			t.Errorf("the console says:\n%s", strings.Join(list, "\n"))
		}
	})
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	viewport := []chromedp.EmulateViewportOption{chromedp.EmulateScale(1)}
	if l.phone {
		viewport = []chromedp.EmulateViewportOption{chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait}
	}
	p.do("load the page",
		chromedp.EmulateViewport(l.width, l.height, viewport...),
		media("prefers-color-scheme", scheme),
		chromedp.Navigate(s.url),
	)
	return p
}

// media sets a CSS media feature.
func media(name, value string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: name, Value: value}},
		})
		return err
	})
}

// complaints returns what the console said.
func (p *tab) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.problems...)
}

// do runs steps within patience.
func (p *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if len(steps) == 0 { // the first call binds the tab's life to its context
		if err := chromedp.Do(p.ctx); err != nil {
			p.t.Fatalf("%s: %v", what, err)
		}
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// until waits for a JavaScript expression to become true; one that throws is
// not true yet.
func (p *tab) until(what, expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience+time.Second)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void]("(() => { try { return Boolean("+expression+") } catch { return false } })()", chromedp.WithPollingTimeout(patience)))
	if err != nil {
		text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.innerText.slice(0, 900).replaceAll('\\n', ' ')"))
		p.t.Fatalf("%s: waited in vain for %s: %v\nthe page reads: %s\nconsole: %q", what, expression, err, text, p.complaints())
	}
}

// eval returns a JavaScript expression's value.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// keys presses keys, one after the other. A printable one carries its text with
// the key, so that a page that handles the key keeps the text out, as it does
// for a person.
func (p *tab) keys(keys ...string) {
	p.t.Helper()
	for _, k := range keys {
		if len(k) > 1 || k < " " {
			p.do("press "+k, chromedp.KeyEvent(k))
			continue
		}
		p.do("type "+k, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			for _, typ := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
				params := input.DispatchKeyEventParams{Type: typ, Key: k}
				if typ == input.DispatchKeyEventTypeKeyDown {
					params.Text = k
				}
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, params); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// enter replaces what stands in the search field, and submits it.
func (p *tab) enter(text string) {
	p.t.Helper()
	p.search(text)
	p.keys(kb.Enter)
}

// search replaces what stands in the search field.
func (p *tab) search(text string) {
	p.t.Helper()
	p.do("empty the search field", chromedp.Evaluate[chromedp.Void](`(() => { const i = document.querySelector('#search-input'); i.focus(); i.value = ''; i.dispatchEvent(new Event('input')) })()`))
	p.keys(strings.Split(text, "")...)
	p.until("the text", fmt.Sprintf("document.querySelector('#search-input').value === %q", text))
}

// live waits until the page shows prices.
func (p *tab) live() {
	p.t.Helper()
	p.until("connect", `document.querySelector('#connection').dataset.state === 'open'`)
	p.until("first prices", `document.querySelectorAll('#rows tr').length > 5 && !/^–/.test(document.querySelector('#token-price').textContent)`)
}

// row is the JavaScript for a token's row.
func row(symbol string) string {
	for _, c := range coins() {
		if c.symbol == symbol {
			return fmt.Sprintf(`document.querySelector('#rows tr[data-mint="%s"]')`, c.mint)
		}
	}
	panic("no coin " + symbol)
}

// shoot writes a screenshot to the file that the environment variable names,
// if it names one.
func (p *tab) shoot(variable string) {
	p.t.Helper()
	file := os.Getenv(variable)
	if file == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatalf("screenshot: %v", err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
