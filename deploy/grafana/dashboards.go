package main

// Grafana's names of units.
const (
	seconds   = "s"
	perSecond = "ops"
	size      = "bytes"
	share     = "percentunit"
	count     = "short"
)

func dashboards() []dashboard {
	return []dashboard{overview(), streams(), quotes(), caches(), machines(), load()}
}

// total is how much of a counter there is a second, by the labels that are named.
func total(by, metric, more string) string {
	return "sum" + grouped(by) + " (rate(" + metric + "{" + selected + more + "}[$__rate_interval]))"
}

func grouped(by string) string {
	if by == "" {
		return ""
	}
	return " by (" + by + ")"
}

// one is a query with a legend.
func one(legend, expr string) []query { return []query{{expr, legend}} }

// quantiles are those of a histogram that the legends name, by more labels.
func quantiles(histogram, more string) []query {
	var list []query
	for _, q := range []struct{ at, name string }{{"0.5", "p50"}, {"0.95", "p95"}, {"0.99", "p99"}, {"0.999", "p99.9"}} {
		list = append(list, query{quantile(q.at, histogram, "le", more), q.name})
	}
	return list
}

func quantile(at, histogram, by, more string) string {
	return "histogram_quantile(" + at + ", " + total(by, histogram+"_bucket", more) + ")"
}

// gauge adds up a gauge, by the labels that are named.
func gauge(by, metric, more string) string {
	return "sum" + grouped(by) + " (" + metric + "{" + selected + more + "})"
}

// Pictures that are on more than one page.

func connections() panel {
	return panel{title: "Connections", unit: count, queries: []query{
		{gauge("instance", "swapcast_ws_connections", ""), "WebSocket {{instance}}"},
		{gauge("instance", "swapcast_sse_connections", ""), "server-sent events {{instance}}"},
	}}
}

func sent() panel {
	return panel{title: "Messages sent", unit: perSecond, stacked: true, queries: one("{{channel}}", total("channel", "swapcast_ws_messages_sent_total", ""))}
}

func delivery() panel {
	return panel{
		title: "Receipt to socket", about: "From the receipt of a transaction to the sockets of a shard.", unit: seconds,
		queries: quantiles("swapcast_stage_latency_seconds", `, stage="total"`),
	}
}

func processor() panel {
	return panel{title: "CPU", about: "1 is one core.", unit: count, queries: one("{{instance}}", total("instance", "process_cpu_seconds_total", `, job="swapcast"`))}
}

func memory() panel {
	return panel{title: "Memory", unit: size, queries: []query{
		{gauge("instance", "process_resident_memory_bytes", `, job="swapcast"`), "resident {{instance}}"},
		{gauge("instance", "go_memstats_heap_alloc_bytes", `, job="swapcast"`), "heap {{instance}}"},
		{gauge("instance", "go_memstats_stack_inuse_bytes", `, job="swapcast"`), "stacks {{instance}}"},
	}}
}

func files() panel {
	return panel{title: "Open files", unit: count, queries: []query{
		{gauge("instance", "process_open_fds", `, job="swapcast"`), "open {{instance}}"},
		{gauge("instance", "process_max_fds", `, job="swapcast"`), "limit {{instance}}"},
	}}
}

func goroutines() panel {
	return panel{title: "Goroutines", unit: count, queries: one("{{instance}}", gauge("instance", "go_goroutines", `, job="swapcast"`))}
}

func collections() panel {
	return panel{title: "Garbage collection", about: "Time a second that the world stood still.", unit: share, queries: one("{{instance}}", total("instance", "go_gc_duration_seconds_sum", `, job="swapcast"`))}
}

func closes() panel {
	return panel{title: "Connections closed", about: "By close code; 4408 are clients that are too slow, 1011 faults of the server.", unit: perSecond, queries: one("{{code}}", total("code", "swapcast_ws_closed_total", ""))}
}

func conflation() panel {
	const conflated, out = "swapcast_ws_conflated_total", "swapcast_ws_messages_sent_total"
	skipped := total("", conflated, "")
	return panel{
		title: "Conflated", about: "Part of the prices and candles that gave way to newer ones: slow clients, or windows.", unit: share,
		queries: one("of all updates", skipped+" / ("+skipped+" + "+total("", out, `, channel=~"prices|candles"`)+")"),
	}
}

func overview() dashboard {
	stat := func(title, unit, expr string) panel {
		return panel{title: title, unit: unit, single: true, queries: one("", expr)}
	}
	return dashboard{"overview", "swapcast / overview", "Whether all is well, on one page.", []row{
		{"Now", []panel{
			stat("Connections", count, gauge("", "swapcast_ws_connections", "")),
			stat("Messages a second", perSecond, total("", "swapcast_ws_messages_sent_total", "")),
			stat("Receipt to socket, p99", seconds, quantile("0.99", "swapcast_stage_latency_seconds", "le", `, stage="total"`)),
			stat("Sources connected", count, gauge("", "swapcast_geyser_connected", "")),
			stat("Slot", count, "max (swapcast_geyser_slot{"+selected+"})"),
			stat("Slots lost in a day", count, "sum (increase(swapcast_geyser_gap_slots_total{"+selected+"}[1d]))"),
		}},
		{"Clients", []panel{connections(), sent(), delivery(), conflation(), closes(), {
			title: "Refused", about: "Connections and requests.", unit: perSecond, queries: one("{{reason}}", total("reason", "swapcast_ws_refused_total", "")),
		}}},
		{"Chain", []panel{
			{title: "Updates received", unit: perSecond, queries: one("{{endpoint}} {{kind}}", total("endpoint, kind", "swapcast_geyser_updates_total", `, kind=~"tx|slot|block"`))},
			{title: "Lag of the endpoints", about: "From an update's making to its receipt, by two clocks.", unit: seconds, queries: quantiles("swapcast_stage_latency_seconds", `, stage="chain"`)},
			{title: "Swaps", unit: perSecond, stacked: true, queries: one("{{dex}}", "topk(12, "+total("dex", "swapcast_swaps_total", "")+")")},
			{title: "Not readable", about: "What should be a swap and could not be read.", unit: perSecond, queries: one("{{dex}} {{reason}}", total("dex, reason", "swapcast_parse_errors_total", ""))},
			{title: "Slots lost", unit: count, queries: one("{{instance}}", "increase(swapcast_geyser_gap_slots_total{"+selected+"}[$__rate_interval])")},
			{title: "Missing slots that are being fetched", unit: count, queries: one("{{instance}}", gauge("instance", "swapcast_ledger_missing_slots", ""))},
		}},
		{"Process", []panel{processor(), memory(), files(), goroutines(), collections(), {
			title: "Sentry events", unit: perSecond, queries: []query{
				{total("kind", "swapcast_sentry_events_total", ""), "sent {{kind}}"},
				{total("kind, reason", "swapcast_sentry_dropped_total", ""), "dropped {{kind}} {{reason}}"},
			},
		}}},
	}}
}

func streams() dashboard {
	return dashboard{"streams", "swapcast / streams", "From the chain to the sockets, stage by stage.", []row{
		{"Clients", []panel{connections(), {
			title: "Subscriptions", unit: count, queries: one("{{channel}}", gauge("channel", "swapcast_ws_subscriptions", "")),
		}, sent(), conflation(), {
			title: "Dropped", about: "Each is told to its subscribers as a gap.", unit: perSecond, queries: one("{{channel}} {{reason}}", total("channel, reason", "swapcast_ws_dropped_total", "")),
		}, closes(), {
			title: "Resumed", unit: perSecond, queries: one("{{channel}} {{outcome}}", total("channel, outcome", "swapcast_ws_resumed_total", "")),
		}, {
			title: "From the history", unit: perSecond, queries: []query{
				{total("", "swapcast_ws_replayed_total", ""), "given out"},
				{total("", "swapcast_ws_deferred_total", ""), "found no room in a shard's queue"},
			},
		}, {
			title: "Messages a write", about: "How much leaves at once: 1 when idle, more under load.", unit: count,
			queries: one("{{instance}}", total("instance", "swapcast_ws_messages_sent_total", "")+" / "+total("instance", "swapcast_ws_writes_total", "")),
		}, {
			title: "Bytes written", unit: "Bps", queries: one("{{instance}}", total("instance", "swapcast_ws_written_bytes_total", "")),
		}}},
		{"Latency by stage", []panel{
			{title: "p50", unit: seconds, queries: one("{{stage}}", quantile("0.5", "swapcast_stage_latency_seconds", "le, stage", ""))},
			{title: "p99", unit: seconds, queries: one("{{stage}}", quantile("0.99", "swapcast_stage_latency_seconds", "le, stage", ""))},
			delivery(),
		}},
		{"Sources", []panel{
			{title: "Connected", unit: count, queries: one("{{endpoint}}", gauge("endpoint", "swapcast_geyser_connected", ""))},
			{title: "Streams replaced", unit: perSecond, queries: one("{{endpoint}} {{reason}}", total("endpoint, reason", "swapcast_geyser_reconnects_total", ""))},
			{title: "Breaker", about: "0 closed, 1 half open, 2 open.", unit: count, queries: one("{{endpoint}}", gauge("endpoint", "swapcast_geyser_breaker_state", ""))},
			{title: "Slots behind the newest", unit: count, queries: one("{{instance}} {{endpoint}}", "max by (instance) (swapcast_geyser_slot{"+selected+"}) - on (instance) group_right swapcast_geyser_endpoint_slot{"+selected+"}")},
			{title: "Held back by the pipeline", about: "Time a second that a subscriber waited for room.", unit: share, queries: one("{{endpoint}}", total("endpoint", "swapcast_geyser_blocked_seconds_total", ""))},
			{title: "Pipeline queue", unit: count, queries: one("{{instance}}", gauge("instance", "swapcast_pipeline_queue_length", ""))},
		}},
		{"Ledger", []panel{
			{title: "First to bring a transaction", unit: perSecond, queries: one("{{endpoint}}", total("endpoint", "swapcast_ledger_first_total", ""))},
			{title: "Not counted", unit: perSecond, queries: one("{{reason}}", total("reason", "swapcast_ledger_refused_total", ""))},
			{title: "Confirmed behind processed", about: "Slots.", unit: count, queries: one("{{instance}}", "swapcast_geyser_slot{"+selected+"} - on (instance) swapcast_ledger_confirmed_slot{"+selected+"}")},
			{title: "Slots confirmed without proof", unit: perSecond, queries: one("{{instance}}", total("instance", "swapcast_ledger_unproved_slots_total", ""))},
			{title: "Trades taken back", unit: perSecond, queries: one("{{instance}}", total("instance", "swapcast_market_retracted_swaps_total", ""))},
			{title: "Kept in the market", unit: count, queries: []query{
				{gauge("", "swapcast_market_mints", ""), "mints"}, {gauge("", "swapcast_market_pools", ""), "pools"}, {gauge("", "swapcast_market_candles", ""), "candles"},
			}},
		}},
	}}
}

func quotes() dashboard {
	return dashboard{"quotes", "swapcast / quotes", "Quotes, their sources, and the transactions made of them.", []row{
		{"Requests", []panel{
			{title: "Requests", unit: perSecond, stacked: true, queries: one("{{outcome}}", total("outcome", "swapcast_quote_requests_total", ""))},
			{title: "Time to the answer", unit: seconds, queries: quantiles("swapcast_quote_seconds", "")},
			{title: "Joined another request", unit: perSecond, queries: one("{{instance}}", total("instance", "swapcast_quote_merged_total", ""))},
		}},
		{"Sources", []panel{
			{title: "Breaker", about: "0 closed, 1 half open, 2 open.", unit: count, queries: one("{{source}}", "max by (source) (swapcast_breaker_state{"+selected+"})")},
			{title: "Time of a call, p95", unit: seconds, queries: one("{{source}}", quantile("0.95", "swapcast_quote_source_seconds", "le, source", ""))},
			{title: "Further calls within a request", unit: perSecond, queries: one("{{source}}", total("source", "swapcast_quote_retries_total", ""))},
			{title: "Answered", unit: perSecond, queries: one("{{source}}", total("source", "swapcast_quote_source_requests_total", `, outcome="ok"`))},
			{title: "Did not answer", unit: perSecond, queries: one("{{source}} {{outcome}}", total("source, outcome", "swapcast_quote_source_requests_total", `, outcome!~"ok|off|skipped"`))},
		}},
		{"Transactions", []panel{
			{title: "Made", unit: perSecond, queries: one("{{source}} {{outcome}}", total("source, outcome", "swapcast_swap_builds_total", ""))},
			{title: "Forwarded", unit: perSecond, queries: one("{{outcome}}", total("outcome", "swapcast_transactions_forwarded_total", ""))},
			{title: "Time to the confirmation", unit: seconds, queries: quantiles("swapcast_transactions_confirmed_seconds", "")},
		}},
	}}
}

func caches() dashboard {
	const requests = "swapcast_cache_requests_total"
	hits := func(layer string) query {
		return query{
			total("", requests, `, layer="`+layer+`", outcome="hit"`) + " / " + total("", requests, `, layer="`+layer+`", outcome=~"hit|miss|stale"`), layer,
		}
	}
	return dashboard{"cache", "swapcast / cache", "Memory, Redis, and whether the servers agree.", []row{
		{"Use", []panel{
			{title: "Found", about: "l1 is memory, l2 Redis.", unit: share, queries: []query{hits("l1"), hits("l2")}},
			{title: "Memory", unit: perSecond, stacked: true, queries: one("{{outcome}}", total("outcome", requests, `, layer="l1"`))},
			{title: "Redis", unit: perSecond, queries: one("{{layer}} {{outcome}}", total("layer, outcome", requests, `, layer=~"l2|l2_store"`))},
			{title: "Loaded", unit: perSecond, queries: one("{{namespace}}", total("namespace", "swapcast_cache_computes_total", ""))},
			{title: "Outcome of the loads", unit: perSecond, queries: one("{{outcome}}", total("outcome", requests, `, layer="load"`))},
			{title: "Shared another's load", unit: perSecond, queries: one("{{instance}}", total("instance", "swapcast_cache_coalesced_total", ""))},
		}},
		{"Agreement", []panel{
			{title: "Invalidations", unit: perSecond, queries: one("{{origin}}", total("origin", "swapcast_cache_invalidations_total", ""))},
			{title: "Messages of the others", unit: perSecond, queries: one("{{kind}}", total("kind", "swapcast_cache_bus_messages_total", ""))},
			{title: "Other servers", unit: count, queries: one("{{instance}} {{state}}", gauge("instance, state", "swapcast_cache_instances", ""))},
			{title: "Bus lost", about: "1 while nothing proves that it is heard.", unit: count, queries: one("{{instance}}", gauge("instance", "swapcast_cache_bus_lost", ""))},
			{title: "Redis's breaker", about: "0 closed, 1 half open, 2 open.", unit: count, queries: one("{{instance}}", gauge("instance", "swapcast_cache_breaker_state", ""))},
			{title: "Values not believed", about: "An invalidation has not reached Redis yet.", unit: perSecond, queries: one("{{instance}}", total("instance", requests, `, layer="l2", outcome="unbelieved"`))},
		}},
	}}
}

func machines() dashboard {
	stat := func(title, unit, expr string) panel {
		return panel{title: title, unit: unit, single: true, queries: one("", expr)}
	}
	role := func(name string) string { return gauge("", "swapcast_relay_role", `, role="`+name+`"`) }
	return dashboard{"machines", "swapcast / several machines", "Ingests, edges, and the Redis between them.", []row{
		{"Now", []panel{
			stat("Ingests that lead", count, gauge("", "swapcast_relay_leader", "")),
			stat("Ingests", count, role("ingest")),
			stat("Edges", count, role("edge")),
			stat("Without Redis", count, "count (swapcast_relay_role{"+selected+"}) - "+gauge("", "swapcast_relay_redis_up", "")),
			stat("Waits for Redis", seconds, "max (swapcast_relay_backlog_seconds{"+selected+"})"),
			stat("Trades lost in a day", count, "sum (increase(swapcast_relay_lost_total{"+selected+`, kind="trade"}[1d]))`),
		}},
		{"Ingests", []panel{
			{title: "Leads", about: "One of them publishes, the others follow the chain as well.", unit: count, stacked: true, queries: one("{{instance}}", gauge("instance", "swapcast_relay_leader", ""))},
			{title: "Published", unit: perSecond, queries: one("{{kind}}", total("kind", "swapcast_relay_published_total", ""))},
			{title: "Waits for Redis", about: "Age of the oldest update that is to be published.", unit: seconds, queries: one("{{instance}}", gauge("instance", "swapcast_relay_backlog_seconds", ""))},
			{title: "Dropped", about: "No room while Redis took none.", unit: perSecond, queries: one("{{instance}} {{kind}}", total("instance, kind", "swapcast_relay_dropped_total", ""))},
			{title: "Taking over", unit: perSecond, queries: []query{
				{total("instance", "swapcast_relay_takeovers_total", ""), "came to lead {{instance}}"},
				{total("instance", "swapcast_relay_fenced_total", ""), "refused {{instance}}"},
			}},
			{title: "Told already", about: "What the ingest before had told, when another one took over.", unit: perSecond, queries: one("{{reason}}", total("reason", "swapcast_relay_skipped_total", ""))},
		}},
		{"Edges", []panel{
			connections(), sent(),
			{title: "Received", unit: perSecond, queries: one("{{instance}} {{kind}}", total("instance, kind", "swapcast_relay_received_total", ""))},
			{title: "Receipt at the ingest to socket, p99", about: "By two clocks.", unit: seconds, queries: one("{{instance}}", quantile("0.99", "swapcast_stage_latency_seconds", "le, instance", `, stage="total"`))},
			{title: "Followed", about: "Mints and wallets that clients listen to, and how many of them lack something.", unit: count, queries: []query{
				{gauge("instance", "swapcast_relay_followed", ""), "{{instance}}"}, {gauge("instance", "swapcast_relay_behind", ""), "behind {{instance}}"},
			}},
			{title: "Missed", about: "Repaired is read from Redis's log; lost it has no more: of prices the next one covers it.", unit: perSecond, queries: []query{
				{total("instance", "swapcast_relay_repaired_total", ""), "repaired {{instance}}"},
				{total("instance, kind", "swapcast_relay_lost_total", ""), "lost {{kind}} {{instance}}"},
				{total("instance", "swapcast_relay_duplicates_total", ""), "given again {{instance}}"},
			}},
		}},
		{"Redis", []panel{
			{title: "Answers", unit: count, queries: one("{{instance}}", gauge("instance", "swapcast_relay_redis_up", ""))},
			{title: "Failed calls", about: "Each is made again.", unit: perSecond, queries: one("{{instance}} {{operation}}", total("instance, operation", "swapcast_relay_errors_total", ""))},
			{title: "Subscribed again, not readable", unit: perSecond, queries: []query{
				{total("instance", "swapcast_relay_resubscribed_total", ""), "subscribed again {{instance}}"},
				{total("instance", "swapcast_relay_unread_total", ""), "not readable {{instance}}"},
			}},
		}},
	}}
}

func load() dashboard {
	return dashboard{"load", "swapcast / load test", "What a load test does to a server: the bottleneck is what bends first.", []row{
		{"Load", []panel{connections(), sent(), {
			title: "Came and went", unit: perSecond, queries: []query{
				{total("", "swapcast_ws_closed_total", ""), "closed"},
				{total("", "swapcast_ws_refused_total", `, reason=~"overloaded|too_many_connections|out_of_files|draining"`), "turned away"},
			},
		}}},
		{"Latency", []panel{delivery(), {
			title: "Published to taken up by a shard", unit: seconds, queries: quantiles("swapcast_stage_latency_seconds", `, stage="hub"`),
		}, {
			title: "Taken up to on the sockets", unit: seconds, queries: quantiles("swapcast_stage_latency_seconds", `, stage="write"`),
		}, conflation(), {
			title: "Dropped", unit: perSecond, queries: one("{{channel}} {{reason}}", total("channel, reason", "swapcast_ws_dropped_total", "")),
		}, {
			title: "CPU of a message", about: "Seconds of CPU for each message sent.", unit: seconds,
			queries: one("{{instance}}", total("instance", "process_cpu_seconds_total", `, job="swapcast"`)+" / "+total("instance", "swapcast_ws_messages_sent_total", "")),
		}}},
		{"Process", []panel{processor(), memory(), {
			title: "Memory of a connection", about: "Resident memory by connections: of use with many.", unit: size,
			queries: one("{{instance}}", gauge("instance", "process_resident_memory_bytes", `, job="swapcast"`)+" / "+gauge("instance", "swapcast_ws_connections", "")),
		}, files(), goroutines(), collections()}},
	}}
}
