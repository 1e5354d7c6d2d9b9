/* Datagrams from rtnetlink: whatever is in them, a snapshot keeps to its bounds. */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/netstate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(netstate_done) struct netstate state = {0};

	if (netstate_decode(&state, bytes, len) < 0)
		abort();
	assert(state.n_links <= NETSTATE_LINKS_MAX && state.n_addresses <= NETSTATE_ADDRESSES_MAX &&
	       state.n_routes <= NETSTATE_ROUTES_MAX);
	for (size_t i = 0; i < state.n_links; i++) {
		const struct netstate_link *link = &state.links[i];

		assert(link->ifindex && strnlen(link->name, sizeof(link->name)) < IF_NAMESIZE &&
		       strnlen(link->kind, sizeof(link->kind)) < NETSTATE_KIND_MAX);
		assert(netstate_find_link(&state, link->ifindex));
	}
	for (size_t i = 0; i < state.n_addresses; i++) {
		const struct netstate_address *a = &state.addresses[i];

		assert(a->address.family == 4 || a->address.family == 6);
		assert(a->prefix_len <= (a->address.family == 4 ? 32 : 128));
	}
	for (size_t i = 0; i < state.n_routes; i++)
		assert(state.routes[i].ifindex && state.routes[i].family);
	return 0;
}
