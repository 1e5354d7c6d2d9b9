/*
 * A visitor between the link and a service: connects him to the service's edge, or to the process
 * that lends the service, and turns him away when that fails.
 *
 *	CONNECTING ──▶ JOINED ──▶ gone		the link drives both streams while he is joined
 *	     └────────────────▶ turned away
 */
#pragma once

#include "agent/service.h"

/* Who lends a service gets his visitors so: one Forwarded element and '\n' before their bytes. */
#define VISIT_LINE_MAX (FORWARDED_TEXT_MAX + 1)

/* Takes charge of v until it is gone. */
void visit_start(struct service *service, struct link_visitor *v, const struct forwarded *who);

/* The same visitor, for the edge. */
void visit_describe(const struct forwarded *who, struct edge_visitor *ret);

/* End all visitors of the service. */
void visits_end(struct service *service);
