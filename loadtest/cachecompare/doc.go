// Package cachecompare measures package cache beside other caches, in one run
// and on one machine: `make bench-cache`. It is a module of its own, so that
// what it compares with is no dependency of the product. BentoCache runs on
// Node.js, from the packages of node/package-lock.json.
package cachecompare
