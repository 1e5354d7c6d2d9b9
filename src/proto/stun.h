/*
 * STUN (RFC 8489): what does my address look like from there? One question, the binding request, and
 * its answer; no authentication, no ICE.
 *
 *	rand_bytes(id, sizeof(id));
 *	stun_encode_request(pkt, id);
 *	...
 *	r = stun_decode_answer(bytes, n, id, &answer, &e);
 *	if (r == 0 && !answer.error)
 *		use(answer.mapped);
 *
 * The id is all that tells an answer from a stranger's datagram: random for each server, the same when
 * a request is repeated.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ipaddr.h"

#define STUN_PORT	 3478
#define STUN_REQUEST_LEN 20
#define STUN_ID_LEN	 12
#define STUN_ANSWER_MAX	 1280 /* longer is none: nobody sends fragments */

struct stun_answer {
	struct ipaddr mapped; /* address and port as the server sees them; family 0: an error */
	/* It came in clear, as RFC 3489 has it: a router may have put another address there. */
	bool clear;
	uint16_t error; /* 300..699; 0: success */
};

/* Encode a binding request (§5, §6.2.1). Cannot fail. */
void stun_encode_request(uint8_t pkt[static STUN_REQUEST_LEN],
			 const uint8_t id[static STUN_ID_LEN]);

/*
 * Decode the answer to the request with this id (§6.3.3, §6.3.4, §14.2).
 *
 * ret   out: written on success only
 *
 * 0: a success with an address, or an error with its number; -ERR_INVALID: no answer to this, e says
 * why: go on listening.
 */
int stun_decode_answer(const uint8_t *bytes, size_t len, const uint8_t id[static STUN_ID_LEN],
		       struct stun_answer *ret, struct err *e) MUST_CHECK;
