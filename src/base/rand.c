#include "base/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_bytes(void *to, size_t len)
{
	uint8_t *p = to;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abort(); /* no kernel randomness: nothing that follows would be safe */
		p += n;
		len -= (size_t)n;
	}
}

uint64_t rand_below(uint64_t below)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % below;
	uint64_t n;

	do
		rand_bytes(&n, sizeof(n));
	while (n >= limit);
	return n % below;
}
