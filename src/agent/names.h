/*
 * The names at DNS providers, as a running homeport has them: uplink, gateway and router say which
 * address is ours, dns/keeper tells the providers.
 *
 *	names_new(loop, &setup, &names, &e);
 *	names_look(names);				uplink's view has changed
 *	names_gateway(names, 4, &observed, &local);	at every change, likewise:
 *	names_router(names, true, &outside);
 *	names_free(names);
 *
 * Requests over the control socket:
 *
 *	{"command":"dns-status"}			{"ok":true,"names":[…]} as of dns_keeper_status
 *	{"command":"dns-update","name":TEXT,"force":BOOL}	all without a name; {"ok":true}
 *	{"command":"dns-confirmed","name":TEXT}		a person has confirmed it at the provider's
 *	{"command":"dns-test","name":TEXT,"send":BOOL,"force":BOOL}	all without a name: for each of
 *		them {"ok":true,"tested":…} as of dns/trial, then {"ok":true,"end":true}
 */
#pragma once

#include "agent/hook.h"
#include "agent/name.h"
#include "agent/observing.h"
#include "agent/webhook.h"
#include "dns/trial.h"
#include "uplink/watch.h"

struct names;

/* All of it is borrowed, for as long as the names are there; the state folder's name is copied. */
struct names_setup {
	struct httpc *httpc;
	struct uplink_watch *uplink; /* its owner calls names_look */
	struct hooks *hooks;
	struct webhooks *webhooks;
	const char *state; /* folder */
	bool only_look; /* nothing is sent or stored, and there are no hooks: for names_test alone */
	/* One whose secret cannot be read is left out, and logged. */
	const struct agent_name *configured;
	size_t n;
	const struct agent_observe_section *others; /* whom to ask where nobody near knows */
	/* Ask the router for its address outside: names_router follows, unless it is silent. False:
	 * there is none to be asked. */
	bool (*ask_router)(void *arg);
	void *arg;
};

/* Blocks for a moment: secrets, and what is remembered. -ERR_FAILED, -ERR_NOMEM. */
int names_new(struct loop *loop, const struct names_setup *setup, struct names **ret_names,
	      struct err *e) MUST_CHECK;
void names_free(struct names *names); /* NULL is fine */

/* The addresses of this machine are others (uplink/watch). */
void names_look(struct names *names);

/*
 * Our address as the gateway sees it; family 0: it does not (any more). local: ours at that connection,
 * family 0: not known. Seen by another interface than the way out of that family it does not count: a
 * VPN or a second line has another address outside.
 */
void names_gateway(struct names *names, int family, const struct ipaddr *address,
		   const struct ipaddr *local);

/* What the router says of its IPv4 address outside; family 0: that it has none. Not told: it does not
 * say. */
void names_router(struct names *names, bool told, const struct ipaddr *outside);

/* Time jumped, or somebody says that the network is another one. */
void names_wake(struct names *names);

/* Whether it is one of the commands above but dns-test; the answer, a new reference. */
bool names_knows(const char *command);
json_t *names_request(struct names *names, const json_t *request);

/* For agent/names_txt. Borrowed. */
struct dns_keeper *names_keeper(struct names *names);

/* What `homeport status` shows. A new reference. */
json_t *names_json(struct names *names);

/* ── would it work? ── */

struct names_test;

/*
 * name  in: a section or host; NULL: all
 * how   in: DNS_TRIAL_*
 * told  called for each of them, later; with tested NULL once at the end, and the test is gone then: end says
 *       why, code 0: that was all. It may cancel the test; tested is its own.
 *
 * -ERR_NOT_FOUND: no such name; -ERR_LIMIT, -ERR_NOMEM. When the names go the test ends with -ERR_RESET.
 */
int names_test_start(struct names *names, const char *name, unsigned how,
		     void (*told)(void *arg, json_t *tested, const struct err *end), void *arg,
		     struct names_test **ret_test, struct err *e) MUST_CHECK;
void names_test_cancel(struct names_test *test); /* NULL is fine */
