#include "map/schedule.h"

#include <assert.h>

#include "base/cleanup.h"

#define RESEND_FIRST (250 * USEC_PER_MS)
#define RETRY_FIRST  (3 * USEC_PER_S)
#define RETRY_MOST   (1024 * USEC_PER_S)
#define REFUSED_MIN  (30 * USEC_PER_S)
#define REFUSED_MAX  (1800 * USEC_PER_S)

/* span * random / 2^32; the product alone needs more than 64 bits. */
static usec_t fraction(usec_t span, uint32_t random)
{
	return (span >> 32) * random + (((span & UINT32_MAX) * random) >> 32);
}

usec_t schedule_renewal(uint32_t lifetime_s, usec_t age, uint32_t random)
{
	usec_t lifetime = MIN(lifetime_s, SCHEDULE_LIFETIME_MAX_S) * USEC_PER_S;
	usec_t left = lifetime / 2; /* behind the beginning of the window */
	usec_t next;

	if (lifetime == 0)
		return SCHEDULE_NEVER;
	while (left > 0 && age >= lifetime - left)
		left /= 2;
	next = lifetime - left + fraction(left / 4, random);
	next = MAX(next, age + SCHEDULE_RENEWAL_GAP);
	return next < lifetime || age == 0 ? next : SCHEDULE_NEVER;
}

usec_t schedule_resend(unsigned sent)
{
	assert(sent > 0);
	return sent > SCHEDULE_SENDS_MAX ? SCHEDULE_NEVER : RESEND_FIRST << (sent - 1);
}

usec_t schedule_retry(unsigned failures, uint32_t random)
{
	usec_t span = RETRY_FIRST;

	assert(failures > 0);
	while (failures-- > 1 && span < RETRY_MOST)
		span *= 2;
	span = MIN(span, RETRY_MOST);
	return span - span / 10 + fraction(span / 5, random);
}

usec_t schedule_refused(uint32_t asked_s)
{
	usec_t asked = asked_s * USEC_PER_S;

	return MAX(REFUSED_MIN, MIN(asked, REFUSED_MAX));
}

usec_t schedule_recreate(uint32_t random)
{
	return fraction(SCHEDULE_RECREATE_MAX, random);
}
