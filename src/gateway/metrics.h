/*
 * A small web server for Prometheus, on the main loop: GET /metrics, and nothing else. For this
 * machine or a network that is trusted: it asks nobody who he is.
 */
#pragma once

#include "gateway/worker.h"

#define METRICS_CONNECTIONS_MAX 16

struct metrics;

struct metrics_config {
	struct loop *loop;	      /* borrowed: of worker 0 */
	const struct sock_addr *at;   /* copied */
	struct worker_shared *shared; /* borrowed */
	const char *version;	      /* borrowed */
};

/* Errors as sock_listen. */
int metrics_new(const struct metrics_config *config, struct metrics **ret_metrics,
		struct err *e) MUST_CHECK;

/* Stop answering. What waits for the workers is freed when they have answered, which must be while
 * the loop runs. NULL is fine. */
void metrics_free(struct metrics *metrics);
