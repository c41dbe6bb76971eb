// Package cachetest starts real Redis servers for tests: one, a cluster of three
// masters, or a master and its replica under three sentinels, on free ports of
// the loopback interface, in folders of their own, without persistence unless
// asked for. They end with their test, by their
// process. Faults can be made to happen to them: a restart, a pause, clients
// killed, and with Proxy connections that are cut.
//
// A test that needs redis-server is skipped where it is not installed, and
// fails where the environment has CI=true. `make test-deps` installs it.
package cachetest
