/*
 * The map's inside: map.c has the doors, station.c the routers they stand on, leftover.c what
 * nobody wants any more.
 */
#pragma once

#include "map/announce.h"
#include "map/map.h"

/* A router, and how many leases stand on it: a former place's stays as long as it has some. */
struct station {
	struct list node; /* the map's */
	struct map *map;  /* borrowed */
	struct router *router;
	uint8_t family;
	bool current;
	usec_t swept_at;     /* orphans of this place were given back, or could not be; 0: never */
	usec_t restarted_at; /* the first of */
	unsigned restarts;   /* in RESTARTS_SPAN */
};

/* One lease of a door, or an orphan. */
struct holding {
	struct list node;      /* the door's, or the map's */
	struct map *map;       /* borrowed */
	struct map_door *door; /* NULL: an orphan */
	struct station *station;
	struct lease *lease; /* owned; NULL: none yet */
	bool retired;
};

struct map_door {
	struct list node; /* the map's */
	struct map *map;  /* borrowed */
	struct map_wish wish;
	void *arg;
	struct list holdings; /* the current one first, if there is one; then retired ones */
	bool closing;
	usec_t asked_at, took;
	struct timer
		home; /* what was not taken back at a former place has expired: its port is free */
	struct defer tell;	 /* of what is not a lease's */
	char why[LEASE_WHY_MAX]; /* without a lease */
};

struct map {
	struct loop *loop;   /* borrowed */
	struct httpc *httpc; /* borrowed */
	struct map_handler handler;
	void *arg;
	char id[IGD_DESCRIPTION_MAX];
	bool leave_leftovers;
	struct ledger *ledger;	   /* owned */
	struct announce *announce; /* owned */
	struct list stations, doors, orphans;
	size_t n_doors;
	struct timer hint; /* somebody announced that a router of ours has restarted */
	usec_t hinted_at;  /* when that was last looked into; 0: never */
	char lack[sizeof(((struct err *)0)->text)]; /* why a place could not be used; "" */
	uint8_t lack_family;
	struct timer sweep; /* what could not be closed is tried again */
	unsigned sweeps;    /* times in a row that not all could be closed */
	struct defer reap;  /* closed leases, doors without any, stations without any */
	bool stopping;
	void (*on_stopped)(void *arg);
	void *stopped_arg;
};

/* Of this family, where doors are asked for now; NULL: nowhere. */
struct station *station_of(const struct map *map, uint8_t family);
/* Looks for what routers offer where something was left; the first door does so otherwise. */
struct station *station_new(struct map *map, uint8_t family, const struct map_place *place,
			    struct err *e);
void station_free(struct station *station);
void station_each_lease(const struct station *station, void (*fn)(struct lease *));
/* announce_new's: a router announced that it is another one than before. arg: the map. */
void station_on_hint(void *arg, const struct ipaddr *who);
/* Timer: it is looked into. arg: the map. */
void station_on_hinted(void *arg);

/* One that is not in a list yet, without a lease; NULL: no memory. */
struct holding *holding_new(struct station *station, struct map_door *door);
void holding_free(struct holding *h);
/* lease_handler's: arg is a holding. */
void holding_on_lease(void *arg);
struct lease_ground station_ground(struct station *station);

/* Whether something was left at this place that is to be given back. */
bool leftover_any(const struct station *station);
/* Gives it back, if the router can be asked. */
void leftover_sweep(struct station *station);
/* One of them, whatever the reason. -ERR_NOT_FOUND: not known, or in use. */
int leftover_give_back(struct station *station, uint8_t protocol, uint16_t internal_port);
/* The router did not take it back: it is asked again, less and less often. */
void leftover_later(struct map *map);
/* Timer. arg: the map. */
void leftover_on_timer(void *arg);
/*
 * Places come and go, and what was open at a former one expires there by itself: what does so first
 * is forgotten when something else is to be remembered. False: there is nothing of the kind.
 */
bool leftover_forget_one(struct map *map);
