/* What people are told of the running gateway: the answers to agents, names and status. */
#pragma once

#include <jansson.h>

#include "gateway/worker.h"

struct registry;

/* What the workers know, added up; report_collect runs on each one's thread. Zero it first. */
struct report {
	struct link_hub_info links;
	struct front_counters connections;
	struct front_udp_counters udp;
	struct handshakes_counters handshakes;
	json_t *services; /* owned; of services_describe */

	const char *version; /* borrowed; for report_status */
	uint64_t uptime_s;
};

/* services: names and ports of the agents too, which is more work. */
void report_collect(struct report *report, struct worker *worker, bool services);
void report_done(struct report *report);

/* New lists; NULL without memory. */
json_t *report_agents(struct registry *registry);
json_t *report_names(const struct report *report, const struct worker_shared *shared);

/* A new object with "ok". */
json_t *report_status(const struct report *report, const struct worker_shared *shared);
