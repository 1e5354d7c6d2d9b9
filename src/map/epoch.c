#include "map/epoch.h"

/*
 * RFC 6887 §8.5: a step back of one second is excused (replies overtake each other); 2 s are for
 * the two clocks' whole seconds; a sixteenth is for clocks that are bad.
 */
static bool went_on(int64_t client_delta, int64_t server_delta)
{
	if (server_delta < -1)
		return false;
	return client_delta + 2 >= server_delta - server_delta / 16 &&
	       server_delta + 2 >= client_delta - client_delta / 16;
}

bool epoch_note(struct epoch *epoch, usec_t now, uint32_t server_s)
{
	usec_t passed = now > epoch->at ? now - epoch->at : 0;
	bool lost = epoch->known &&
		    !went_on((int64_t)(passed / USEC_PER_S), (int64_t)server_s - epoch->server_s);

	*epoch = (struct epoch){.known = true, .server_s = server_s, .at = now};
	return lost;
}
