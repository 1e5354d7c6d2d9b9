/*
 * What `homeport share` tells while it runs: addresses and finished requests on stdout, trouble on
 * stderr; or everything as JSON objects, one a line, on stdout:
 *
 *	{"event":"url","service":ID,"url":URL}
 *	{"event":"state","state":STATE,"text":SENTENCE}	of the link
 *	{"event":"target","reachable":BOOL,"text":SENTENCE}
 *	{"event":"request","time":RFC3339,"service":ID,"visitor":IP,"method":…,"target":…,"host":…,
 *	 "status":N,"bytes_in":N,"bytes_out":N,"duration_ms":N,"note":TEXT or null}
 *	{"event":"left-out","lines":N}			here, because nobody read them in time
 *	{"event":"error","text":SENTENCE}		the last one
 */
#pragma once

#include "agent/origin.h"
#include "agent/outage.h"
#include "cli/outlet.h"

struct live {
	struct loop *loop;	  /* borrowed; from live_start */
	struct outlet *out, *err; /* owned; NULL before live_start */
	bool json;
	const char *id;		     /* of the service; borrowed */
	const struct target *target; /* borrowed */
	char **urls;		     /* owned: those told */
	size_t n_urls;
	enum origin_reach reach; /* as told */
	bool reached;		 /* at least once */
	bool link_down;		 /* as told */
	struct outage outage;
};

/* Nothing of it waits for whoever reads: see outlet. */
int live_start(struct live *live, struct loop *loop, struct err *e) MUST_CHECK;
void live_done(struct live *live); /* also if it was not started */

/* Where the service is. Whether that is news: it is told then. */
bool live_urls(struct live *live, const char *const *urls, size_t n);
void live_reach(struct live *live, enum origin_reach reach, const char *why);
void live_link(struct live *live, const char *state, const char *why);
void live_request(const struct live *live, const struct edge_request *request);
void live_warning(const struct live *live, const char *text);

/* The end, for a reason. */
void live_error(const struct live *live, const char *text);
