/*
 * `homeport map`, while it runs: map.c reads what was typed and leads the conversation with whoever keeps
 * the doors, map_hold.c tells of a door that is held, map_look.c prints what there is.
 */
#pragma once

#include "base/ipclass.h"
#include "cli/common.h"
#include "cli/doors_client.h"

struct map_options {
	struct common common;
	int64_t external;
	const char *lifetime, *router, *source, *interface;
	bool udp, ipv4, ipv6, json;
};

enum map_verb { VERB_HOLD, VERB_LIST, VERB_PROBE, VERB_DELETE };

struct map_run {
	const struct map_options *options; /* borrowed */
	enum map_verb verb;
	uint16_t port; /* 0: none was named */
	struct places places;
	struct doors_local local;
	uint32_t lifetime_s;
	struct loop *loop;
	struct doors_client *client;
	struct timer network; /* patience for it */
	unsigned lacking;     /* families without one: bit 0 IPv4, bit 1 IPv6 */
	struct err why[2];    /* of these */
	int exit_code;
	bool acked;  /* the first answer has come */
	bool probed; /* the routers' answers are there: now the list */
	bool leaving;
	unsigned wanted;  /* doors, likewise */
	unsigned open;	  /* of them, at least once */
	unsigned warned;  /* likewise: nothing listens there */
	unsigned refused; /* likewise: and never open */
	bool hinted;	  /* that Ctrl-C closes them */
	char *told[2];	  /* owned: the last line of each family's door */
};

/* Ends the conversation: what is open is given back. */
void map_leave(struct map_run *run);

/* Without a place for doors; why: a sentence, or "". */
void map_fail_without_network(struct map_run *run, const char *why);

/* By which protocol, for people. */
const char *map_title_of(const json_t *object);
/* address: with a port or without; *ret has family 0 when it is none. */
enum ipclass map_class_of(const char *address, struct ipaddr *ret);

/* Who is ready to keep doors is asked to. */
void map_hold_start(struct map_run *run);
/* {"event":"door",...}, or another event. */
void map_hold_on_event(struct map_run *run, const json_t *object);
/* Timer: NETWORK_PATIENCE is over. arg: the run. */
void map_hold_on_no_network(void *arg);

/* The answer to map-probe. */
void map_look_probed(struct map_run *run, const json_t *answer);
/* The answer to map-list; NULL: no agent runs. */
void map_look_list(struct map_run *run, const json_t *answer);
