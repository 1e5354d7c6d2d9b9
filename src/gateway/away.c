#include "gateway/away.h"

#include <stdio.h>

#include "front/routes.h"
#include "gateway/registry.h"

int away_routes_set(struct front_routes *routes, struct registry *registry, const char *domain,
		    uint64_t agent, usec_t since_wall, struct err *e)
{
	AUTO(freep) struct front_route *list = calloc(FRONT_ROUTES_PER_OWNER_MAX, sizeof(*list));
	AUTO(freep) struct store_name *names = NULL;
	struct registry_agent info;
	size_t n_names, n = 0;
	int r = registry_find(registry, agent, &info);

	if (r < 0)
		return err_set(e, -r, "no such agent");
	if (!list || registry_names_of(registry, agent, &names, &n_names) < 0)
		return err_set(e, ERR_NOMEM, "routes");
	for (size_t i = 0; i < n_names && n + 1 < FRONT_ROUTES_PER_OWNER_MAX; i++)
		strcpy(list[n++].name, names[i].name);
	if (snprintf(list[n].name, FRONT_NAME_MAX, "*.%s.%s", info.name, domain) < FRONT_NAME_MAX)
		n++;
	for (size_t i = 0; i < n; i++) {
		list[i].owner = agent;
		list[i].serves = FRONT_SERVES_HTTP | FRONT_SERVES_TLS;
		list[i].offline_since_wall = since_wall;
	}
	r = front_routes_set(routes, agent, list, n, NULL, e);
	return r == -ERR_NOMEM ? r : 0;
}
