/*
 * The gateway's numbers as Prometheus reads them (text format, version 0.0.4): names begin with
 * homeport_, counters end in _total, units are bytes and seconds.
 *
 * Bounded: an agent has the few series of agent_families, and at most EXPOSITION_AGENTS_MAX agents
 * have any; how many were left out is a number, too.
 */
#pragma once

#include "base/buf.h"
#include "gateway/report.h"

#define EXPOSITION_AGENTS_MAX 1000
#define EXPOSITION_MAX	      ((size_t)2 * 1024 * 1024) /* bytes */

/* Append all of it. -ERR_NOMEM, -ERR_LIMIT. */
int exposition_format(struct buf *to, const struct report *report,
		      const struct worker_shared *shared) MUST_CHECK;
