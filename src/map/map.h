/*
 * Doors at the router: opened when asked for, kept open, closed when not wanted any more. IPv4 ports
 * by PCP, NAT-PMP and UPnP, IPv6 pinholes by PCP and UPnP, whichever the router offers.
 *
 *	map_new(loop, &setup, &handler, x, &map, &e);
 *	map_set_place(map, 4, &place);		from uplink, at every change; NULL: none now
 *	map_open(map, &wish, x, &door, &e);
 *	...					handler.on_door: look at door_info
 *	map_close(door);			handler.on_closed
 *	map_stop(map, on_stopped, x);		all doors are given back
 *	map_free(map);
 *
 * A router's "success" is not proof that visitors get through: that is for others to try.
 */
#pragma once

#include "map/lease.h"
#include "map/place.h"

struct httpc;
struct map;
struct map_door;

struct map_setup {
	struct httpc *httpc;  /* borrowed */
	const char *state;    /* the state folder; NULL: nothing is remembered */
	bool leave_leftovers; /* what former processes left is given back by map_delete only */
	const char *id; /* ours among the router's UPnP entries, at most IGD_DESCRIPTION_MAX - 1
			      * ASCII characters; copied */
};

/* From the loop, never from inside a call. Doors may be opened and closed in them. */
struct map_handler {
	/* map_door_info tells what is new. */
	void (*on_door)(void *arg, struct map_door *door);
	/* Given back, or not: then map_door_info's why tells. The door is gone after this. */
	void (*on_closed)(void *arg, struct map_door *door);
	/* What the router offers or says of the outside address is another thing, or known now. */
	void (*on_router)(void *arg, uint8_t family);
	/* What a former process left (family, protocol and internal_port of wish) is given back, or
	 * could not be: it stays remembered. NULL: nobody wants to know. */
	void (*on_leftover)(void *arg, const struct map_wish *wish, bool gone);
};

/* Reads what former processes left: at start-up. -ERR_DENIED, -ERR_FAILED: the state folder. */
int map_new(struct loop *loop, const struct map_setup *setup, const struct map_handler *handler,
	    void *arg, struct map **ret_map, struct err *e) MUST_CHECK;
/* Doors that are open stay so until they expire. NULL is fine. */
void map_free(struct map *map);

/*
 * Where doors are asked for. Those of another IPv4 address are moved: given back there if that still
 * works, asked for here. IPv6 doors of the former address stay until they expire (visitors still
 * have it), new ones are asked for. With NULL they wait.
 */
void map_set_place(struct map *map, uint8_t family, const struct map_place *place);

/*
 * arg       kept for the caller (map_door_arg)
 *
 * -ERR_EXISTS: a door of this family, protocol and internal port; -ERR_LIMIT; -ERR_NOMEM. IPv6:
 * external_port is the internal one.
 */
int map_open(struct map *map, const struct map_wish *wish, void *arg, struct map_door **ret_door,
	     struct err *e) MUST_CHECK;
void map_close(struct map_door *door);

/* Give back what a former process left, or nobody: -ERR_NOT_FOUND when nothing is remembered of it.
 * handler.on_leftover tells within LEASE_CLOSE_TIME how it went, unless the same door is opened. */
int map_delete(struct map *map, uint8_t family, uint8_t protocol, uint16_t internal_port,
	       struct err *e) MUST_CHECK;

/* Give everything back; on_stopped(arg) when it is done, or LEASE_CLOSE_TIME later. Then free it. */
void map_stop(struct map *map, void (*on_stopped)(void *arg), void *arg);

/* Time jumped: what was refused is asked for again, and routers that may have restarted meanwhile are
 * asked for their epoch. A change of the network is map_set_place's. */
void map_wake(struct map *map);

/* ── looks ── */

struct map_door_info {
	const struct map_wish *wish;
	enum lease_state state;	       /* PROBING also while there is no place */
	const struct map_place *place; /* NULL: none */
	struct map_grant grant;	       /* OPEN */
	struct ipaddr external; /* OPEN: address and port; family 0: the address is not told */
	usec_t expires;		/* OPEN: boot-time clock; USEC_MAX: never */
	usec_t retry_at;	/* REFUSED */
	usec_t took;		/* from the first question to the first grant; 0: not yet */
	const char *why;	/* "" or a sentence */
};

void map_door_info(const struct map_door *door, struct map_door_info *ret);
void *map_door_arg(const struct map_door *door);
/* All in order: start with NULL; NULL behind the last. */
struct map_door *map_next_door(const struct map *map, const struct map_door *after);

/* NULL: no place of that family. What is borrowed lives until the handler is called. */
struct router *map_router(const struct map *map, uint8_t family);

/*
 * The external IPv4 address by the latest of what the router said, and by which method; MAP_NONE and
 * family 0: it did not say. That it has none is family 0 with a method.
 */
enum map_method map_outside(const struct map *map, struct ipaddr *ret);
