/* The inside of agent/names, for names.c and names_test.c. */
#pragma once

#include "agent/names.h"
#include "agent/names_events.h"
#include "dns/lookup.h"
#include "dns/observe.h"

struct names {
	struct loop *loop;		     /* borrowed */
	const struct agent_name *configured; /* borrowed */
	size_t n;
	struct dns_lookup_settings *lookups; /* owned: one for each of these */
	struct httpc *httpc;		     /* borrowed */
	struct uplink_watch *uplink;	     /* borrowed */
	struct dns_keeper *keeper;	     /* owned */
	struct dns_observer *observer;	     /* owned; NULL: nobody wants an IPv4 address */
	bool (*ask_router)(void *arg);
	void *arg;
	bool wants_ipv4;
	struct uplink_place place; /* of IPv4, the last there was; nearest is not used */
	struct timer router;	   /* its first word is waited for */
	bool router_told;
	struct ipaddr outside; /* by the router */
	struct {
		struct ipaddr address, local;
	} gateway[2]; /* what it sees: IPv4, IPv6 */
	struct timer observe;
	usec_t doubt;	    /* how long until they are asked again; 0: there is none */
	bool gateway_knows; /* it sees our IPv4 address outside */
	struct names_events events;
	bool only_look; /* nothing is sent: for names_test alone */
	/* Bits of the sources that can be asked, and of those that have said what they know. */
	unsigned others, told;
	char **left_out;   /* owned, and each: why configured[i] is; NULL: it is not */
	struct list tests; /* of struct names_test */
};

/* One of them has said what it knows. */
void names_tests_look(struct names *names);

/* The names go: all tests end. */
void names_tests_end(struct names *names);

/* Whether somebody else is yet to say which IPv4 address is ours. */
bool names_await(const struct names *names);
