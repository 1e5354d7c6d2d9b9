/*
 * Has a router forgotten what it promised? Each of its replies carries the seconds since it knows
 * what it knows; when they do not go on as our clock does, it started anew, and all mappings are
 * gone (RFC 6887 §8.5; NAT-PMP's replies have the same field, RFC 6886 §3.6).
 *
 *	if (epoch_note(&router->epoch, loop_now(loop), reply.epoch_s))
 *		create_all_again(router);
 *
 * One struct for each server and protocol, zeroed at first and when another server is asked.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ustime.h"

struct epoch {
	bool known;	   /* there was a reply */
	uint32_t server_s; /* what the last one said */
	usec_t at;	   /* when it came */
};

/* Note what a reply says. True: the server lost its state since the last one; never for the first. */
bool epoch_note(struct epoch *epoch, usec_t now, uint32_t server_s);
