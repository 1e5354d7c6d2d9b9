/*
 * Why there is no door, for people: one sentence without its end, such as
 *
 *	UPnP: the router refuses ports below 1024 (606)
 *
 * Codes stay in it, for those who look them up. What came from the router is printable.
 */
#pragma once

#include "map/door.h"
#include "map/igd.h"
#include "map/pmp.h"

void refusal_pmp(char *text, size_t size, enum map_method method, const struct pmp_answer *answer,
		 const struct map_wish *wish);

/* Of an action that failed; inbound_forbidden: the device's firewall allows no pinholes. */
void refusal_igd(char *text, size_t size, const struct igd_answer *answer,
		 const struct map_wish *wish, bool inbound_forbidden);
