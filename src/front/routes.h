/*
 * The routing table of a public side: host names and public ports to services. Shared by all
 * threads of a gateway: readers take a read lock for the time of a copy, writers replace all routes
 * of one owner at once.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define FRONT_NAME_MAX	  256
#define FRONT_SERVICE_MAX 64

enum front_serves {
	FRONT_SERVES_HTTP = 1, /* plain HTTP on the http port, by Host */
	FRONT_SERVES_TLS = 2,  /* TLS on the https port, by server name, passed through */
};

struct front_route {
	uint64_t owner;			 /* whose service: an agent's number at the gateway */
	char service[FRONT_SERVICE_MAX]; /* the owner's name for it */
	char name[FRONT_NAME_MAX];	 /* lower case; "*.x.y" for everything below x.y */
	unsigned serves;		 /* FRONT_SERVES_* */
	bool online;			 /* somebody is there to take visitors */
	uint64_t offline_since_wall;	 /* usec since 1970; 0: never seen */
};

struct front_routes;

int front_routes_new(struct front_routes **ret_routes, struct err *e) MUST_CHECK;
void front_routes_free(struct front_routes *routes);

/*
 * Replace all routes of `owner` (routes[i].owner == owner). -ERR_EXISTS: a name is another owner's;
 * nothing is changed then, *ret_conflict (may be NULL) tells which of the new routes it was.
 * -ERR_NOMEM.
 */
int front_routes_set(struct front_routes *routes, uint64_t owner, const struct front_route *list,
		     size_t n, size_t *ret_conflict, struct err *e) MUST_CHECK;

/* Mark the owner's routes as online, or offline since now (wall clock). */
void front_routes_set_online(struct front_routes *routes, uint64_t owner, bool online,
			     uint64_t now_wall);

/* The route of a host name (any case, no port): the name itself, else the nearest "*." above it.
 * -ERR_NOT_FOUND. */
int front_routes_find(struct front_routes *routes, struct str host,
		      struct front_route *ret) MUST_CHECK;
