/*
 * Datagrams that somebody sends to a search. The first byte says who: the router, a neighbour,
 * somebody from elsewhere. Whatever is believed leads back to him, and he is on the link.
 */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "map/search.h"

enum who {
	ROUTER,
	NEIGHBOUR,
	STRANGER,
	ROUTER6,
	NEIGHBOUR6,
	NEIGHBOUR6_LOCAL,
	OTHER_LINK6,
	WHO_MAX
};

#define IFINDEX 3

static const struct map_place home = {
	.ifindex = IFINDEX,
	.ifname = "eth0",
	.address = {.family = 4, .bytes = {192, 168, 1, 10}},
	.prefix_len = 24,
	.router = {.family = 4, .bytes = {192, 168, 1, 1}},
};
static const struct map_place home6 = {
	.ifindex = IFINDEX,
	.ifname = "eth0",
	.address = {.family = 6, .bytes = {0x20, 1, 0x0d, 0xb8, [15] = 0x50}},
	.prefix_len = 64,
	.router = {.family = 6, .bytes = {0xfe, 0x80, [15] = 1}, .scope = IFINDEX},
};
static const struct ipaddr from[WHO_MAX] = {
	[ROUTER] = {.family = 4, .bytes = {192, 168, 1, 1}},
	[NEIGHBOUR] = {.family = 4, .bytes = {192, 168, 1, 2}},
	[STRANGER] = {.family = 4, .bytes = {192, 0, 2, 1}},
	[ROUTER6] = {.family = 6, .bytes = {0xfe, 0x80, [15] = 1}, .scope = IFINDEX},
	[NEIGHBOUR6] = {.family = 6, .bytes = {0x20, 1, 0x0d, 0xb8, [15] = 2}},
	[NEIGHBOUR6_LOCAL] = {.family = 6, .bytes = {0xfe, 0x80, [15] = 2}, .scope = IFINDEX},
	[OTHER_LINK6] = {.family = 6, .bytes = {0xfe, 0x80, [15] = 1}, .scope = IFINDEX + 1},
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct search_answers answers = {0};
	struct search_answer answer;
	enum who who;

	if (len == 0)
		return 0;
	who = bytes[0] % WHO_MAX;
	if (search_believe(who < ROUTER6 ? &home : &home6, &from[who], bytes + 1, len - 1, &answer,
			   NULL) < 0)
		return 0;
	assert(who != STRANGER && who != OTHER_LINK6);
	assert(answer.other == (who != ROUTER && who != ROUTER6));
	assert(answer.at.family == from[who].family && answer.at.scope == from[who].scope);
	assert(memcmp(answer.at.bytes, from[who].bytes, sizeof(answer.at.bytes)) == 0);
	assert(answer.at.port != 0);
	assert(answer.path[0] == '/' && strlen(answer.path) < SEARCH_PATH_MAX);
	for (const char *p = answer.path; *p; p++)
		assert(*p > ' ' && *p <= '~');
	for (const char *p = answer.server; *p; p++)
		assert((unsigned char)*p >= 0x20 && *p != 0x7f);
	for (unsigned i = 0; i < 2 * SEARCH_ANSWERS_MAX; i++) {
		answer.at.port = (uint16_t)(1 + bytes[i % len]);
		answer.rank = (enum search_rank)(bytes[(i + 1) % len] % (SEARCH_ELSE + 1));
		search_keep(&answers, &answer);
		assert(answers.n >= 1 && answers.n <= SEARCH_ANSWERS_MAX);
	}
	for (unsigned i = 1; i < answers.n; i++)
		assert(answers.list[i - 1].rank <= answers.list[i].rank);
	return 0;
}
