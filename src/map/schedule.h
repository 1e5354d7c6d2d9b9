/*
 * When to renew, and when to ask again: spans from what happened to what is next. Pure; each caller
 * brings 32 random bits, which stand for a fraction from 0 to nearly 1.
 */
#pragma once

#include <stdint.h>

#include "base/ustime.h"

#define SCHEDULE_NEVER USEC_MAX

/* A longer lease is renewed as if it were this long: who promises more has not thought about it. */
#define SCHEDULE_LIFETIME_MAX_S (7 * 86400)

/* Between two requests about the same mapping, RFC 6887 §11.2.1. */
#define SCHEDULE_RENEWAL_GAP (4 * USEC_PER_S)

/*
 * When to renew a lease (RFC 6887 §11.2.1): at 1/2 to 5/8 of its lifetime, without an answer at 3/4
 * to 13/16, at 7/8 to 29/32 and so on, but never sooner than SCHEDULE_RENEWAL_GAP after the request
 * before.
 *
 * lifetime_s   as granted
 * age          of the lease when last asked about: 0 when it was just granted, then the age at the
 *              renewal that got no answer
 *
 * Returns the age for the next request. It is beyond the lifetime only for the first one of a lease
 * too short for the gap, which then is asked for anew. SCHEDULE_NEVER: it ends before the next may
 * be sent; or lifetime_s is 0, which does not end.
 */
usec_t schedule_renewal(uint32_t lifetime_s, usec_t age, uint32_t random);

/*
 * How long to wait for an answer after a request was sent for the sent'th time, from 1: 250 ms,
 * doubling. SCHEDULE_NEVER: over SCHEDULE_SENDS_MAX, by when it is silence. Faster than RFC 6887
 * §8.1.1 (3 s at first): somebody sits in front of it. What follows keeps the RFC's pace.
 */
#define SCHEDULE_SENDS_MAX 4
usec_t schedule_resend(unsigned sent);

/* How long to leave a silent router alone that failed `failures` times (from 1): 3 s, doubling, at
 * most 1024 s; ± 10 % (RFC 6887 §8.1.1). */
usec_t schedule_retry(unsigned failures, uint32_t random);

/* How long to leave a router alone that refused and asked for a pause (0: did not): 30 s to 30
 * min. */
usec_t schedule_refused(uint32_t asked_s);

/*
 * How long to wait before creating all mappings of a restarted router again. RFC 6887 §8.5 spreads
 * clients over 5 s; homes have few, and 5 s are when all doors are to be open again.
 */
#define SCHEDULE_RECREATE_MAX (2 * USEC_PER_S)
usec_t schedule_recreate(uint32_t random);
