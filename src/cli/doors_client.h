/*
 * The way of `homeport map` and `homeport ip` to doors: the running agent, over its control socket,
 * or, when there is none, doors of this process. Requests and answers are those of agent/doors_session.
 *
 *	doors_client_new(&client, loop, places, &local, &handler, x, &e);
 *	handler.on_ready: doors_client_send(client, request);
 *	handler.on_object at each answer and event
 *	doors_client_close(client);		handler.on_end when all is given back
 */
#pragma once

#include "agent/doors_session.h"
#include "cli/common.h"

struct doors_client;

/* Of doors of this process; httpc and uplink are made by the client. */
struct doors_local {
	struct doors_setup setup;
	const char *interface; /* doors are asked for there; NULL: where the way out is */
};

/* From the loop, never from inside a call. */
struct doors_client_handler {
	/* Requests may be sent. local: there is no agent, or it was not to be asked. */
	void (*on_ready)(void *arg, bool local);
	void (*on_object)(void *arg, const json_t *object); /* borrowed */
	/* The end: 0 after doors_client_close; -ERR_RESET: the agent is gone, its doors with it;
	 * others: e. Once. */
	void (*on_end)(void *arg, int r, const struct err *e);
};

/*
 * places   borrowed
 * local    borrowed; with a router or an interface the agent is not asked. NULL: the
 *          agent only, without one on_end is called with -ERR_REFUSED
 */
int doors_client_new(struct loop *loop, const struct places *places,
		     const struct doors_local *local, const struct doors_client_handler *handler,
		     void *arg, struct doors_client **ret_client, struct err *e) MUST_CHECK;
void doors_client_free(struct doors_client *client); /* NULL is fine */

/* Takes the reference. After on_ready. */
void doors_client_send(struct doors_client *client, json_t *request);

/* Give back what this client opened, 2 s at most. */
void doors_client_close(struct doors_client *client);
