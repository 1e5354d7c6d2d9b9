#include "agent/joined.h"

#include <jansson.h>
#include <stdio.h>

#include "base/baseenc.h"
#include "state/folder.h"

static bool get_text(const json_t *object, const char *field, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text && *text && str_copy(to, size, str_of(text));
}

static bool get_key(const json_t *object, const char *field, struct tls_key_hash *to)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text && hex_decode(str_of(text), to->bytes, sizeof(to->bytes)) == 0;
}

static bool decode(const json_t *object, struct joined *j)
{
	json_int_t port = json_integer_value(json_object_get(object, "port"));

	if (port < 1 || port > UINT16_MAX)
		return false;
	j->port = (uint16_t)port;
	j->has_next = json_object_get(object, "next") != NULL;
	return get_text(object, "host", j->host, sizeof(j->host)) &&
	       get_text(object, "agent", j->agent, sizeof(j->agent)) &&
	       get_text(object, "domain", j->domain, sizeof(j->domain)) &&
	       get_key(object, "gateway", &j->gateway) &&
	       (!j->has_next || get_key(object, "next", &j->next));
}

int joined_load(const char *folder, struct joined *ret, struct err *e)
{
	AUTO(buf_donep) struct buf text = {0};
	struct joined j = {0};
	json_error_t error;
	json_t *object;
	int r = state_read(folder, JOINED_FILE, &text, e);
	bool good;

	if (r < 0)
		return r;
	object = json_loadb((const char *)buf_head(&text), buf_len(&text), JSON_REJECT_DUPLICATES,
			    &error);
	good = json_is_object(object) && decode(object, &j);
	json_decref(object);
	if (!good)
		return err_set(e, ERR_INVALID,
			       "%s/" JOINED_FILE
			       " is damaged; join again with: homeport join (a new code of the "
			       "gateway's owner)",
			       folder);
	*ret = j;
	return 0;
}

static json_t *encode(const struct joined *j)
{
	char gateway[HEX_TEXT_LEN(TLS_KEY_HASH_LEN)], next[HEX_TEXT_LEN(TLS_KEY_HASH_LEN)];
	json_t *object;

	hex_encode(gateway, j->gateway.bytes, sizeof(j->gateway.bytes));
	hex_encode(next, j->next.bytes, sizeof(j->next.bytes));
	object = json_pack("{s:s s:i s:s s:s s:s}", "host", j->host, "port", (int)j->port,
			   "gateway", gateway, "agent", j->agent, "domain", j->domain);
	if (object && j->has_next && json_object_set_new(object, "next", json_string(next)) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

int joined_store(const char *folder, const struct joined *joined, struct err *e)
{
	json_t *object = encode(joined);
	AUTO(freep) char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;

	json_decref(object);
	if (!text)
		return err_set(e, ERR_NOMEM, JOINED_FILE);
	return state_write(folder, JOINED_FILE, str_of(text), e);
}

int joined_take_new_key(const char *folder, struct err *e)
{
	AUTO(freep) char *from = NULL;
	AUTO(freep) char *to = NULL;

	if (asprintf(&from, "%s/" JOINED_NEW_KEY_FILE, folder) < 0 ||
	    asprintf(&to, "%s/" JOINED_KEY_FILE, folder) < 0)
		return err_set(e, ERR_NOMEM, JOINED_KEY_FILE);
	return rename(from, to) < 0 ? err_set_errno(e, ERR_FAILED, "%s", to) : 0;
}
