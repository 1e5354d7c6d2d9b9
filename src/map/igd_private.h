/* Between the parts of map/igd: igd.c finds, igd_call.c asks, igd_action.c knows what to ask. */
#pragma once

#include "base/buf.h"
#include "map/description.h"
#include "map/igd.h"
#include "map/soap.h"

struct httpc_answer;
struct httpc_call;

/* ── calls: one at a time, to one device ── */

#define IGD_VALUES_MAX 5

/* An action of a service, and how its answer is read. */
struct igd_action {
	const char *name;
	const char *values[IGD_VALUES_MAX]; /* that are asked for */
	/* False: they make no sense. */
	bool (*read)(const struct soap_value *values, struct igd_answer *answer);
};

struct igd_line {
	/* configuration */
	struct loop *loop;	      /* borrowed */
	struct httpc *httpc;	      /* borrowed */
	struct ipaddr source;	      /* who asks */
	const struct ipaddr *control; /* borrowed: who is asked */
	void (*on_moved)(void *arg);  /* nobody is there any more; before the callers are told */
	void *arg;
	/* state */
	struct list calls; /* the first is under way when it has a request */
	struct list ended; /* not to be asked any more, but told */
	unsigned n;	   /* in both */
	struct defer tell; /* ended */
};

void igd_line_init(struct igd_line *line);
void igd_line_done(struct igd_line *line);

/* All calls end with -ERR_NOT_FOUND, told later. */
void igd_line_end(struct igd_line *line, const char *why);

/* Stand in line. service must stay until the call is gone. begun: what is known of the answer before
 * it comes; NULL: nothing. */
int igd_call_new(struct igd_line *line, const struct description_service *service,
		 const struct igd_action *action, const struct soap_arg *args, size_t n,
		 const struct igd_answer *begun, struct igd_then then, struct igd_call **ret_call,
		 struct err *e) MUST_CHECK;

/* A GET of a path, out of line. */
int igd_line_get(struct igd_line *line, const char *path,
		 void (*on_done)(void *arg, const struct httpc_answer *answer), void *arg,
		 struct httpc_call **ret_call, struct err *e) MUST_CHECK;

/* ── actions ── */

extern const struct igd_action igd_get_external_address, igd_get_status;

/* ── the device ── */

/* The chosen ones, while there is a device; NULL: it has none. */
const struct description_service *igd_connection(const struct igd *igd);
const struct description_service *igd_firewall(const struct igd *igd);
struct igd_line *igd_line(struct igd *igd);
const struct map_place *igd_place(const struct igd *igd);
