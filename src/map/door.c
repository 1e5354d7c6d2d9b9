#include "map/door.h"

#include <netinet/in.h>
#include <string.h>

static const struct {
	const char *name, *title;
} methods[] = {
#define X(name, word, title) [MAP_##name] = {word, title},
	MAP_METHODS(X)
#undef X
};

const char *map_method_name(enum map_method method)
{
	return method == MAP_NONE ? "none" : methods[method].name;
}

const char *map_method_title(enum map_method method)
{
	return method == MAP_NONE ? "nothing" : methods[method].title;
}

enum map_method map_method_parse(const char *name)
{
	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		if (strcmp(methods[i].name, name) == 0)
			return (enum map_method)i;
	return MAP_NONE;
}

const char *map_protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : "tcp";
}
