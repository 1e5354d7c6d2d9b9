/*
 * Who asks for doors: one connection to the control socket, or `homeport map` itself when there is no
 * agent. What it opens lives as long as it.
 *
 *	doors_session_new(doors, emit, client, &session);
 *	doors_session_request(session, request);
 *
 * Requests, and what is told:
 *
 *	{"command":"map","doors":[{"family":4,"protocol":"tcp","internal_port":8000,
 *	 "external_port":80,"exactly":true,"lifetime_s":7200}]}
 *		{"ok":true}, then at every change {"event":"door", …}, last with "state":"closed"
 *	{"command":"map-close"}		all that this session opened
 *		{"ok":true}, and {"event":"closed"} when they are
 *	{"command":"map-list"}		or with "entry":{"protocol":"tcp","external_port":80}
 *		{"ok":true,"pid":…,"doors":[…],"entry":{…}}
 *	{"command":"map-probe"}
 *		{"ok":true,"routers":[…]}, within 3.3 s
 *	{"command":"map-delete","family":4,"protocol":"tcp","port":8000}
 *		{"ok":true}: what an earlier process left, or the router's UPnP entry for that port,
 *		if it leads to this machine, is given back
 *
 * or {"ok":false,"error":SENTENCE}. Doors and routers are those of agent/doors_json.
 */
#pragma once

#include <jansson.h>

#include "agent/doors.h"

#define DOORS_SESSION_MAX 16 /* doors of one session */

struct doors_session;

/* emit(arg, object): takes the reference; from the loop or from inside doors_session_request.
 * -ERR_NOMEM. */
int doors_session_new(struct doors *doors, void (*emit)(void *arg, json_t *object), void *arg,
		      struct doors_session **ret_session) MUST_CHECK;

/* Whether it is one of the commands above. */
bool doors_session_knows(const char *command);
void doors_session_request(struct doors_session *session, const json_t *request);

/* Its doors are given back. NULL is fine. */
void doors_session_free(struct doors_session *session);
