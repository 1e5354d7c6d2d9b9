/*
 * A control message into every decoder. What one accepts is encoded, and that is decoded and
 * encoded to the same again.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "link/message.h"
#include "net/ndjson.h"

/* Decode and encode: NULL if the decoder refuses. */
static json_t *through_hello(const json_t *object)
{
	struct link_hello hello;
	json_t *made;

	if (link_hello_decode(object, &hello, &(struct err){0}) < 0)
		return NULL;
	made = link_hello_encode(&hello);
	link_hello_done(&hello);
	return made;
}

static json_t *through_services(const json_t *object)
{
	struct link_services services, copy;
	json_t *made;

	if (link_services_decode(object, &services, &(struct err){0}) < 0)
		return NULL;
	if (link_services_copy(&copy, &services) < 0)
		abort();
	link_services_done(&services);
	made = link_services_encode(&copy);
	link_services_done(&copy);
	return made;
}

static json_t *through_grants(const json_t *object)
{
	struct link_grants grants;
	json_t *made;

	if (link_grants_decode(object, &grants, &(struct err){0}) < 0)
		return NULL;
	made = link_grants_encode(&grants);
	link_grants_done(&grants);
	return made;
}

static json_t *through_welcome(const json_t *object)
{
	struct link_welcome welcome;
	json_t *made;

	if (link_welcome_decode(object, &welcome, &(struct err){0}) < 0)
		return NULL;
	made = link_welcome_encode(&welcome);
	link_welcome_done(&welcome);
	return made;
}

static json_t *through_refused(const json_t *object)
{
	struct link_refused refused;

	if (link_refused_decode(object, &refused, &(struct err){0}) < 0)
		return NULL;
	return link_refused_encode(refused.reason, refused.text);
}

static json_t *through_join(const json_t *object)
{
	uint8_t secret[LINK_SECRET_LEN];
	unsigned version;

	if (link_join_decode(object, &version, secret, &(struct err){0}) < 0 ||
	    version != LINK_VERSION)
		return NULL;
	return link_join_encode(secret);
}

static json_t *through_joined(const json_t *object)
{
	struct link_joined joined;
	json_t *made;

	if (link_joined_decode(object, &joined, &(struct err){0}) < 0)
		return NULL;
	made = link_joined_encode(&joined);
	link_joined_done(&joined);
	return made;
}

static int on_object(void *arg, json_t *object, struct err *e)
{
	static json_t *(*const through[])(const json_t *object) = {
		through_hello,	 through_services, through_grants, through_welcome,
		through_refused, through_join,	   through_joined,
	};
	enum link_message_type type;

	if (link_message_type(object, &type, e) < 0 && !e->text[0])
		abort();
	for (size_t i = 0; i < ARRAY_LEN(through); i++) {
		json_t *once = through[i](object), *twice;

		if (!once)
			continue;
		twice = through[i](once);
		if (!twice || !json_equal(once, twice))
			abort();
		json_decref(once);
		json_decref(twice);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct ndjson lines;
	struct err e = {0};

	ndjson_init(&lines, NDJSON_LINE_MAX);
	if (ndjson_feed(&lines, bytes, len, on_object, NULL, &e) == 0 &&
	    ndjson_feed(&lines, "\n", 1, on_object, NULL, &e) < 0 && !e.text[0])
		abort();
	ndjson_done(&lines);
	return 0;
}
