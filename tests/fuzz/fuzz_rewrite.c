/* Heads of requests on their way to a local server: what is written anew has one meaning, the
 * original's, and nothing in it that the visitor says about himself. */
#include <assert.h>
#include <string.h>

#include "edge/rewrite.h"
#include "fuzz.h"

static bool is_claim(struct str name)
{
	char plain[64];

	if (!str_copy(plain, sizeof(plain), name))
		return false;
	for (char *c = plain; *c; c++)
		*c = *c == '_' ? '-' : str_lower(*c);
	return strncmp(plain, "x-forwarded", 11) == 0 || strcmp(plain, "forwarded") == 0 ||
	       strcmp(plain, "x-real-ip") == 0;
}

static void check(const struct httphead *from, const struct httphead *to)
{
	size_t claims = 0;

	assert(str_eq(from->method, to->method) && str_eq(from->path, to->path));
	assert(from->chunked == to->chunked && from->content_length == to->content_length);
	assert(from->expect_continue == to->expect_continue);
	assert(to->form != HTTPHEAD_ABSOLUTE && to->keep_alive);
	assert(!from->host[0] || strcmp(from->host, to->host) == 0);
	assert(to->upgrade == (edge_rewrite_upgrade(from).at != NULL));
	for (size_t i = 0; i < to->n_fields; i++)
		claims += is_claim(to->fields[i].name);
	assert(claims == (from->host[0] ? 3 : 2));
	assert(str_eq(httphead_field(to, STR("x-forwarded-for")), STR("192.0.2.7")));
	assert(str_eq(httphead_field(to, STR("x-forwarded-proto")), STR("https")));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct edge_rewrite how = {
		.fallback = "local.test",
		.visitor = {.family = 4, .bytes = {192, 0, 2, 7}},
		.proto = "https",
	};
	static struct httphead from, to;
	struct buf text = {.max = 2 * HTTPHEAD_MAX};
	struct err e = {0};
	int r;

	if (httphead_parse((const char *)bytes, len, &from, NULL) < 0)
		return 0;
	/* The rewritten head is a little longer: at the limits it need not be taken again. */
	if (from.len > HTTPHEAD_MAX - 512 || from.n_fields > HTTPHEAD_FIELDS_MAX - 8)
		return 0;
	r = edge_rewrite_request(&from, &how, &text);
	assert(r == 0);
	r = httphead_parse((const char *)buf_head(&text), buf_len(&text), &to, &e);
	assert(r == 0 && to.len == buf_len(&text));
	check(&from, &to);
	buf_done(&text);
	return 0;
}
