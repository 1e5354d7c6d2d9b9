/*
 * The routing table of a public side: host names to services. Shared by all threads of a gateway:
 * readers take a read lock for the time of a copy, writers replace all routes of one owner at once.
 *
 *	r = front_routes_set(routes, agent_id, list, n, &conflict, &e);
 *	front_routes_set_online(routes, agent_id, true, 0);
 *	r = front_routes_find(routes, STR("blog.example.org"), &route);
 *
 * A name may be "*.x.y": everything below x.y that has no route of its own, or a nearer "*.".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define FRONT_NAME_MAX		   256
#define FRONT_SERVICE_MAX	   64
#define FRONT_ROUTES_PER_OWNER_MAX 256

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
void front_routes_free(struct front_routes *routes); /* NULL is fine */

/*
 * Replace all routes of `owner`.
 *
 * list         in:  routes[i].owner == owner; names in any case; may be NULL when n is 0, which
 *                   forgets the owner
 * ret_conflict out: on -ERR_EXISTS and -ERR_INVALID, which of the new routes it was; may be NULL
 *
 * 0; -ERR_EXISTS: a name is another owner's, or twice in the list for the same protocol;
 * -ERR_INVALID: not a host name; -ERR_LIMIT: over FRONT_ROUTES_PER_OWNER_MAX; -ERR_NOMEM. On
 * failure nothing is changed.
 */
int front_routes_set(struct front_routes *routes, uint64_t owner, const struct front_route *list,
		     size_t n, size_t *ret_conflict, struct err *e) MUST_CHECK;

/* Mark the owner's routes as online, or offline since now (wall clock; kept when they were offline
 * before). */
void front_routes_set_online(struct front_routes *routes, uint64_t owner, bool online,
			     uint64_t now_wall);

/*
 * The route of a host name (any case, no port): the name itself, else the nearest "*." above it. Of
 * a name with a route for each protocol it is the one that serves one of `serves`; of a name
 * without such a one it is what there is. -ERR_NOT_FOUND.
 */
int front_routes_find(struct front_routes *routes, struct str host, unsigned serves,
		      struct front_route *ret) MUST_CHECK;

/* How many names have a route. */
size_t front_routes_count(struct front_routes *routes);
