// Package cache is a cache for what is dear to compute: in memory, and in Redis
// where there is one.
package cache
