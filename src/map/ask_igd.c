/*
 * Doors by UPnP: port mappings on an IPv4 place, pinholes on an IPv6 place.
 *
 *	add ──▶ granted ──▶ look it up ──▶ done
 *	 ▲ │
 *	 │ ├─ 725, 402, 501: leases are not for this router: for ever, or a week
 *	 │ ├─ 718: whose is it? ours of former days: delete it, once
 *	 │ └─ 718, 729, 724: another external port, unless it must be that one
 *	 └───┘
 */

#include <stdio.h>
#include <string.h>

#include "map/ask.h"
#include "map/refusal.h"

#define IGD_INVALID_ARGS	    402
#define IGD_ACTION_FAILED	    501
#define IGD_NOT_AUTHORIZED	    606
#define IGD_PINHOLE_FORBIDDEN	    703
#define IGD_NO_PINHOLE		    704
#define IGD_NO_ENTRY		    714
#define IGD_CONFLICT		    718
#define IGD_SAME_PORTS		    724
#define IGD_ONLY_PERMANENT	    725
#define IGD_CONFLICT_WITH_MECHANISM 729

#define HIGH_PORTS_FROM 49152 /* where another external port is looked for (RFC 6335 §6) */
#define HIGH_PORTS	16384

static const struct ipaddr *our_address(const struct ask *ask)
{
	return &router_place(ask->router)->address;
}

static void refuse(struct ask *ask, const struct igd_answer *answer, bool inbound_forbidden)
{
	char why[ASK_WHY_MAX];

	if (answer->r == -ERR_NOT_FOUND)
		router_find_igd(ask->router);
	refusal_igd(why, sizeof(why), answer, &ask->wish, inbound_forbidden);
	ask_finish(ask, answer->r, "%s", why);
}

/* An action that could not even be asked. */
static void check(struct ask *ask, int r, const struct err *e)
{
	if (r == 0)
		return;
	ask->call = NULL;
	if (r == -ERR_NOT_FOUND)
		router_find_igd(ask->router);
	ask_finish(ask, r == -ERR_NOT_FOUND ? r : -ERR_TIMEOUT, "UPnP: %s", e->text);
}

/* ── port mappings ── */

static void add(struct ask *ask);

static bool leads_to_us(const struct ask *ask, const struct igd_mapping *mapping)
{
	return ipaddr_same_host(&mapping->client, our_address(ask));
}

static bool is_this_door(const struct ask *ask, const struct igd_mapping *mapping)
{
	return leads_to_us(ask, mapping) && mapping->client.port == ask->wish.internal_port;
}

/* Of this homeport, now or in former days. */
static bool is_ours(const struct ask *ask, const struct igd_mapping *mapping)
{
	return strcmp(mapping->description, ask->id) == 0;
}

/* What the router has, behind what it said. */
static void on_read_back(void *arg, const struct igd_answer *answer)
{
	struct ask *ask = arg;

	ask->call = NULL;
	if (answer->r == 0 && !is_this_door(ask, &answer->mapping)) {
		ask_finish(ask, -ERR_REFUSED,
			   "UPnP: the router says that port %u is open, and "
			   "leads it elsewhere",
			   ask->port);
		return;
	}
	if (answer->r == 0 && answer->mapping.lease_s &&
	    (answer->mapping.lease_s < ask->lease_s || !ask->lease_s))
		ask->lease_s = answer->mapping.lease_s;
	ask->grant.lifetime_s = ask->lease_s;
	ask->grant.permanent = !ask->lease_s;
	ask->grant.external = (struct ipaddr){.port = ask->port};
	ask_finish(ask, 0, "%s", "");
}

static void read_back(struct ask *ask)
{
	const struct igd_then then = {on_read_back, ask};
	struct err e;

	check(ask,
	      igd_lookup(router_igd(ask->router), ask->wish.protocol, ask->port, then, &ask->call,
			 &e),
	      &e);
}

/* The same for the same door: a new one at each start would fill the router's table. */
static uint16_t another_port(const struct ask *ask)
{
	const struct ipaddr door = {.family = 4, .port = ask->wish.internal_port};
	uint64_t hash = ipaddr_hash(&door, ask->ports);

	return (uint16_t)(HIGH_PORTS_FROM + hash % HIGH_PORTS);
}

/* False: there is no other. */
static bool try_another_port(struct ask *ask, unsigned code)
{
	if (ask->wish.exactly || ask->ports >= ASK_PORTS_MAX)
		return false;
	if (code == IGD_SAME_PORTS && ask->port != ask->wish.internal_port)
		ask->port = ask->wish.internal_port;
	else
		ask->port = another_port(ask);
	ask->ports++;
	add(ask);
	return true;
}

static void on_old_deleted(void *arg, const struct igd_answer *answer)
{
	struct ask *ask = arg;

	ask->call = NULL;
	add(ask); /* if the router did not want to, it will say so now */
}

static void refuse_taken(struct ask *ask, const struct igd_mapping *mapping)
{
	char text[IPADDR_TEXT_MAX];
	struct ipaddr client = mapping->client;

	client.port = 0;
	if (is_ours(ask, mapping) && !leads_to_us(ask, mapping))
		ask_finish(ask, -ERR_REFUSED,
			   "UPnP: port %u still leads to this machine's former address %s, and the "
			   "router lets only that one give it back (718)",
			   ask->port, ipaddr_format(text, &client));
	else
		ask_finish(ask, -ERR_REFUSED, "UPnP: port %u is used by %s%s%s%s (718)", ask->port,
			   is_ours(ask, mapping)       ? "another door of this machine"
			   : leads_to_us(ask, mapping) ? "another program of this machine"
			   : client.family	       ? ipaddr_format(text, &client)
						       : "another device",
			   *mapping->description ? " (" : "", mapping->description,
			   *mapping->description ? ")" : "");
}

static void on_whose(void *arg, const struct igd_answer *answer)
{
	const struct igd_then then = {on_old_deleted, arg};
	struct ask *ask = arg;
	struct err e;

	ask->call = NULL;
	/* Not another door of ours: one that leads to another port of this machine. */
	if (answer->r == 0 && is_ours(ask, &answer->mapping) && !ask->again &&
	    (!leads_to_us(ask, &answer->mapping) || is_this_door(ask, &answer->mapping))) {
		ask->again = true;
		check(ask,
		      igd_delete_mapping(router_igd(ask->router), ask->wish.protocol, ask->port,
					 then, &ask->call, &e),
		      &e);
		return;
	}
	if (try_another_port(ask, IGD_CONFLICT))
		return;
	if (answer->r == 0)
		refuse_taken(ask, &answer->mapping);
	else
		ask_finish(ask, -ERR_REFUSED, "UPnP: port %u is used by another device (718)",
			   ask->port);
}

static void ask_whose(struct ask *ask)
{
	const struct igd_then then = {on_whose, ask};
	struct err e;

	check(ask,
	      igd_lookup(router_igd(ask->router), ask->wish.protocol, ask->port, then, &ask->call,
			 &e),
	      &e);
}

/* Routers that do not do leases say so in three ways. True: it goes on. */
static bool try_another_lease(struct ask *ask, unsigned code)
{
	if (code == IGD_INVALID_ARGS && !ask->lease_s) {
		ask->lease_s = MAP_LIFETIME_FORCED;
	} else if ((code == IGD_ONLY_PERMANENT || code == IGD_INVALID_ARGS ||
		    code == IGD_ACTION_FAILED) &&
		   ask->lease_s && ask->lease_s != MAP_LIFETIME_FORCED) {
		if (!ask->may_be_permanent) {
			ask_finish(ask, -ERR_AGAIN, "UPnP: the router opens ports only for ever");
			return true;
		}
		ask->lease_s = 0;
	} else {
		return false;
	}
	add(ask);
	return true;
}

static void on_added(void *arg, const struct igd_answer *answer)
{
	struct ask *ask = arg;
	unsigned code = answer->upnp_code;

	ask->call = NULL;
	if (answer->r == 0) {
		read_back(ask);
		return;
	}
	if (answer->r == -ERR_REFUSED) {
		if (try_another_lease(ask, code))
			return;
		if (code == IGD_CONFLICT) {
			ask_whose(ask);
			return;
		}
		if ((code == IGD_SAME_PORTS || code == IGD_CONFLICT_WITH_MECHANISM) &&
		    try_another_port(ask, code))
			return;
	}
	refuse(ask, answer, false);
}

static void add(struct ask *ask)
{
	struct igd_mapping mapping = {.protocol = ask->wish.protocol,
				      .external_port = ask->port,
				      .client = *our_address(ask),
				      .enabled = true,
				      .lease_s = ask->lease_s};
	const struct igd_then then = {on_added, ask};
	struct err e;

	mapping.client.port = ask->wish.internal_port;
	snprintf(mapping.description, sizeof(mapping.description), "%s", ask->id);
	check(ask, igd_add_mapping(router_igd(ask->router), &mapping, then, &ask->call, &e), &e);
}

/*
 * A router lets a machine overwrite what it has: the port of another program here would be taken from
 * it without a word.
 */
static void on_before(void *arg, const struct igd_answer *answer)
{
	struct ask *ask = arg;

	ask->call = NULL;
	if (answer->r == -ERR_NOT_FOUND) {
		refuse(ask, answer, false);
		return;
	}
	if (answer->r == 0 && leads_to_us(ask, &answer->mapping) &&
	    !is_this_door(ask, &answer->mapping)) {
		if (!try_another_port(ask, IGD_CONFLICT))
			refuse_taken(ask, &answer->mapping);
		return;
	}
	add(ask);
}

static void look_before(struct ask *ask)
{
	const struct igd_then then = {on_before, ask};
	struct err e;

	check(ask,
	      igd_lookup(router_igd(ask->router), ask->wish.protocol, ask->port, then, &ask->call,
			 &e),
	      &e);
}

/* miniupnpd 2.3.1 says 402 of a pinhole that it does not know, and 704 only if it knows of another. */
static bool is_gone(const struct ask *ask, const struct igd_answer *answer)
{
	return answer->r == -ERR_REFUSED &&
	       (answer->upnp_code == IGD_NO_ENTRY || answer->upnp_code == IGD_NO_PINHOLE ||
		(ask->wish.family == 6 && answer->upnp_code == IGD_INVALID_ARGS));
}

static void on_deleted(void *arg, const struct igd_answer *answer)
{
	struct ask *ask = arg;

	ask->call = NULL;
	if (answer->r == 0 || is_gone(ask, answer))
		ask_finish(ask, 0, "%s", "");
	else
		refuse(ask, answer, false);
}

/* Somebody else may have it by now: his is not ours to delete. */
static void on_to_delete(void *arg, const struct igd_answer *answer)
{
	const struct igd_then then = {on_deleted, arg};
	struct ask *ask = arg;
	struct err e;

	ask->call = NULL;
	if (answer->r == -ERR_REFUSED && answer->upnp_code == IGD_NO_ENTRY) {
		ask_finish(ask, 0, "%s", "");
		return;
	}
	if (answer->r == 0 && !is_this_door(ask, &answer->mapping) &&
	    (leads_to_us(ask, &answer->mapping) || !is_ours(ask, &answer->mapping))) {
		ask_finish(ask, 0, "%s", "");
		return;
	}
	if (answer->r != 0 && answer->r != -ERR_REFUSED) {
		refuse(ask, answer, false);
		return;
	}
	check(ask,
	      igd_delete_mapping(router_igd(ask->router), ask->wish.protocol, ask->port, then,
				 &ask->call, &e),
	      &e);
}

/* ── pinholes ── */

static void on_firewall(void *arg, const struct igd_answer *answer)
{
	struct ask *ask = arg;
	const struct igd_answer refusal = {.r = -ERR_REFUSED, .upnp_code = ask->code};

	ask->call = NULL;
	refuse(ask, &refusal, answer->r == 0 && !answer->firewall.inbound_allowed);
}

static void on_pinhole(void *arg, const struct igd_answer *answer)
{
	const struct igd_then then = {on_firewall, arg};
	struct ask *ask = arg;

	ask->call = NULL;
	if (answer->r == 0) {
		ask->grant.pinhole = answer->pinhole;
		ask->grant.lifetime_s = ask->lease_s;
		ask->grant.permanent = false;
		ask->grant.external = *our_address(ask);
		ask->grant.external.port = ask->wish.internal_port;
		ask_finish(ask, 0, "%s", "");
		return;
	}
	if (answer->r == -ERR_REFUSED && answer->upnp_code == IGD_NOT_AUTHORIZED) {
		ask->code = answer->upnp_code;
		if (igd_firewall_status(router_igd(ask->router), then, &ask->call, NULL) == 0)
			return;
		ask->call = NULL;
	}
	refuse(ask, answer, answer->upnp_code == IGD_PINHOLE_FORBIDDEN);
}

static void add_pinhole(struct ask *ask)
{
	const struct igd_then then = {on_pinhole, ask};
	struct err e;

	check(ask,
	      igd_add_pinhole(router_igd(ask->router), ask->wish.protocol, ask->wish.internal_port,
			      ask->lease_s, then, &ask->call, &e),
	      &e);
}

static void on_updated(void *arg, const struct igd_answer *answer)
{
	struct ask *ask = arg;

	ask->call = NULL;
	if (answer->r == 0) {
		ask->grant.lifetime_s = ask->lease_s;
		ask_finish(ask, 0, "%s", "");
	} else if (answer->r == -ERR_REFUSED) {
		add_pinhole(ask);
	} else {
		refuse(ask, answer, false);
	}
}

static void open_pinhole(struct ask *ask)
{
	const struct igd_then then = {on_updated, ask};
	struct err e;

	if (!ask->grant.external.port || !ask->grant.lifetime_s) {
		add_pinhole(ask);
		return;
	}
	check(ask,
	      igd_update_pinhole(router_igd(ask->router), ask->grant.pinhole, ask->lease_s, then,
				 &ask->call, &e),
	      &e);
}

/* ── the three questions ── */

void ask_igd_open(struct ask *ask)
{
	ask->lease_s = ask->wish.lifetime_s;
	if (ask->wish.family == 6) {
		open_pinhole(ask);
		return;
	}
	if (ask->must_be_permanent && !ask->may_be_permanent) {
		ask_finish(ask, -ERR_AGAIN, "UPnP: the router drops ports that are to expire");
		return;
	}
	if (ask->must_be_permanent)
		ask->lease_s = 0;
	if (ask->grant.external.port)
		add(ask); /* it is, or was, this door's */
	else
		look_before(ask);
}

void ask_igd_close(struct ask *ask)
{
	const struct igd_then deleted = {on_deleted, ask}, looked = {on_to_delete, ask};
	struct igd *igd = router_igd(ask->router);
	struct err e;
	int r;

	/* A pinhole whose number is not known: any other's must not be deleted for it. */
	if (ask->wish.family == 6 && !ask->grant.pinhole && !ask->grant.lifetime_s) {
		ask_finish(ask, 0, "%s", "");
		return;
	}
	if (ask->wish.family == 6)
		r = igd_delete_pinhole(igd, ask->grant.pinhole, deleted, &ask->call, &e);
	else
		r = igd_lookup(igd, ask->wish.protocol, ask->port, looked, &ask->call, &e);
	check(ask, r, &e);
}

static void on_looked(void *arg, const struct igd_answer *answer)
{
	struct ask *ask = arg;
	bool gone = is_gone(ask, answer);

	ask->call = NULL;
	if (answer->r == 0 && ask->wish.family == 4 && !is_this_door(ask, &answer->mapping))
		gone = true;
	if (gone)
		ask_finish(ask, -ERR_REFUSED, "UPnP: the router has lost port %u", ask->port);
	else if (answer->r == -ERR_REFUSED) /* it does not do this question: no news */
		ask_finish(ask, 0, "%s", "");
	else if (answer->r)
		refuse(ask, answer, false);
	else
		ask_finish(ask, 0, "%s", "");
}

void ask_igd_verify(struct ask *ask)
{
	const struct igd_then then = {on_looked, ask};
	struct igd *igd = router_igd(ask->router);
	struct err e;
	int r;

	if (ask->wish.family == 6)
		r = igd_pinhole_packets(igd, ask->grant.pinhole, then, &ask->call, &e);
	else
		r = igd_lookup(igd, ask->wish.protocol, ask->port, then, &ask->call, &e);
	check(ask, r, &e);
}
