package cache

import (
	"context"
)

// InvalidateTag drops every value that has one of the tags, here before it
// returns. A load that is under way is not disturbed, but what it gives reaches
// only callers who asked before.
func (c *Cache) InvalidateTag(ctx context.Context, tags ...string) error {
	if c == nil || len(tags) == 0 {
		return nil
	}
	c.stamps.invalidate(tags)
	c.metrics.invalidated("local", len(tags))
	return nil
}

// Flush drops everything, as InvalidateTag does for a tag that everything has.
func (c *Cache) Flush(ctx context.Context) error {
	if c == nil {
		return nil
	}
	c.stamps.invalidateAll()
	c.metrics.invalidated("flush", 1)
	return nil
}
