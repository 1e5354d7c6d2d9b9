#include "link/message.h"

#include <stdio.h>

#include "base/baseenc.h"
#include "base/secret.h"

/* ── the structs ── */

static void texts_done(char ***texts, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		free((*texts)[i]);
	free(*texts);
	*texts = NULL;
	*n = 0;
}

int link_texts_add(char ***texts, size_t *n, struct str text)
{
	char **grown, *copy;

	if (*n >= LINK_NAMES_MAX)
		return -ERR_LIMIT;
	grown = realloc(*texts, (*n + 1) * sizeof(**texts));
	if (!grown)
		return -ERR_NOMEM;
	*texts = grown;
	copy = str_dup(text);
	if (!copy)
		return -ERR_NOMEM;
	grown[(*n)++] = copy;
	return 0;
}

void link_services_done(struct link_services *services)
{
	for (size_t i = 0; i < services->n; i++)
		texts_done(&services->list[i].names, &services->list[i].n_names);
	free(services->list);
	*services = (struct link_services){0};
}

void link_grants_done(struct link_grants *grants)
{
	for (size_t i = 0; i < grants->n; i++) {
		texts_done(&grants->list[i].names, &grants->list[i].n_names);
		texts_done(&grants->list[i].urls, &grants->list[i].n_urls);
	}
	free(grants->list);
	*grants = (struct link_grants){0};
}

struct link_service *link_services_add(struct link_services *services, struct str id)
{
	struct link_service service = {0};
	struct link_service *grown;

	if (services->n >= LINK_SERVICES_MAX || !str_copy(service.id, sizeof(service.id), id))
		return NULL;
	grown = realloc(services->list, (services->n + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	services->list = grown;
	grown[services->n] = service;
	return &grown[services->n++];
}

struct link_grant *link_grants_add(struct link_grants *grants, struct str id)
{
	struct link_grant grant = {0};
	struct link_grant *grown;

	if (grants->n >= LINK_SERVICES_MAX || !str_copy(grant.id, sizeof(grant.id), id))
		return NULL;
	grown = realloc(grants->list, (grants->n + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	grants->list = grown;
	grown[grants->n] = grant;
	return &grown[grants->n++];
}

int link_services_copy(struct link_services *to, const struct link_services *from)
{
	struct link_services copy = {.revision = from->revision};

	for (size_t i = 0; i < from->n; i++) {
		const struct link_service *one = &from->list[i];
		struct link_service *made = link_services_add(&copy, str_of(one->id));

		for (size_t j = 0; made && j < one->n_names; j++)
			if (link_texts_add(&made->names, &made->n_names, str_of(one->names[j])) < 0)
				made = NULL;
		if (!made) {
			link_services_done(&copy);
			return -ERR_NOMEM;
		}
		made->kind = one->kind;
		made->port = one->port;
	}
	*to = copy;
	return 0;
}

int link_grants_copy(struct link_grants *to, const struct link_grants *from)
{
	struct link_grants copy = {.revision = from->revision};

	for (size_t i = 0; i < from->n; i++) {
		const struct link_grant *one = &from->list[i];
		struct link_grant *made = link_grants_add(&copy, str_of(one->id));
		int r = made ? 0 : -ERR_NOMEM;

		if (r == 0) {
			made->granted = one->granted;
			made->port = one->port;
			memcpy(made->reason, one->reason, sizeof(made->reason));
			memcpy(made->text, one->text, sizeof(made->text));
		}
		for (size_t j = 0; r == 0 && j < one->n_names; j++)
			r = link_texts_add(&made->names, &made->n_names, str_of(one->names[j]));
		for (size_t j = 0; r == 0 && j < one->n_urls; j++)
			r = link_texts_add(&made->urls, &made->n_urls, str_of(one->urls[j]));
		if (r < 0) {
			link_grants_done(&copy);
			return r;
		}
	}
	*to = copy;
	return 0;
}

const struct link_service *link_services_find(const struct link_services *services, const char *id)
{
	for (size_t i = 0; i < services->n; i++)
		if (strcmp(services->list[i].id, id) == 0)
			return &services->list[i];
	return NULL;
}

bool link_service_id_valid(struct str id)
{
	if (id.len == 0 || id.len > LINK_SERVICE_ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		char c = id.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

void link_hello_done(struct link_hello *hello)
{
	link_services_done(&hello->services);
}

void link_welcome_done(struct link_welcome *welcome)
{
	link_grants_done(&welcome->grants);
}

void link_joined_done(struct link_joined *joined)
{
	texts_done(&joined->names, &joined->n_names);
}

/* ── fields ── */

static struct str json_str(const json_t *value)
{
	return str_n(json_string_value(value), json_string_length(value));
}

/* A string field into an array; optional ones leave "" when absent. */
static int get_text(const json_t *object, const char *key, bool required, char *to, size_t size,
		    struct err *e)
{
	const json_t *value = json_object_get(object, key);

	to[0] = '\0';
	if (!value && !required)
		return 0;
	if (!json_is_string(value) || !str_copy(to, size, json_str(value)))
		return err_set(e, ERR_INVALID,
			       "field \"%s\": a text of at most %zu bytes is wanted", key,
			       size - 1);
	return 0;
}

/* A number field in 0..max; absent: *ret stays. */
static int get_number(const json_t *object, const char *key, uint64_t max, uint64_t *ret,
		      struct err *e)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > max)
		return err_set(e, ERR_INVALID, "field \"%s\": a number from 0 to %llu is wanted",
			       key, (unsigned long long)max);
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int get_unsigned(const json_t *object, const char *key, unsigned max, unsigned *ret,
			struct err *e)
{
	uint64_t n = *ret;
	int r = get_number(object, key, max, &n, e);

	*ret = (unsigned)n;
	return r;
}

/* absent: false, unless it is required. */
static int get_bool(const json_t *object, const char *key, bool required, bool *ret, struct err *e)
{
	const json_t *value = json_object_get(object, key);

	*ret = false;
	if (!value && !required)
		return 0;
	if (!json_is_boolean(value))
		return err_set(e, ERR_INVALID, "field \"%s\": true or false is wanted", key);
	*ret = json_is_true(value);
	return 0;
}

/* An optional array of texts. lower: host names, checked and put into lower case. */
static int get_texts(const json_t *object, const char *key, bool host_names, char ***texts,
		     size_t *n, struct err *e)
{
	const json_t *array = json_object_get(object, key);
	const json_t *value;
	size_t i;

	if (!array)
		return 0;
	if (!json_is_array(array) || json_array_size(array) > LINK_NAMES_MAX)
		return err_set(e, ERR_INVALID, "field \"%s\": a list of at most %d is wanted", key,
			       LINK_NAMES_MAX);
	json_array_foreach(array, i, value)
	{
		char text[2 * LINK_TEXT_MAX]; /* a URL is a name of 253 bytes and more */

		if (!json_is_string(value) || !str_copy(text, sizeof(text), json_str(value)) ||
		    (host_names && !hostname_valid(str_of(text))))
			return err_set(e, ERR_INVALID, "field \"%s\": entry %zu is not usable", key,
				       i + 1);
		for (char *p = text; host_names && *p; p++)
			*p = str_lower(*p);
		if (link_texts_add(texts, n, str_of(text)) < 0)
			return err_set(e, ERR_NOMEM, "field \"%s\"", key);
	}
	return 0;
}

static json_t *texts_encode(char *const *texts, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_string(texts[i]));
	return array;
}

/* ── types ── */

static const struct {
	const char *name;
	enum link_message_type type;
} types[] = {
	{"hello", LINK_MESSAGE_HELLO},	   {"welcome", LINK_MESSAGE_WELCOME},
	{"refused", LINK_MESSAGE_REFUSED}, {"services", LINK_MESSAGE_SERVICES},
	{"drain", LINK_MESSAGE_DRAIN},	   {"replaced", LINK_MESSAGE_REPLACED},
	{"notice", LINK_MESSAGE_NOTICE},   {"join", LINK_MESSAGE_JOIN},
	{"joined", LINK_MESSAGE_JOINED},
};

int link_message_type(const json_t *object, enum link_message_type *ret, struct err *e)
{
	const json_t *value = json_object_get(object, "type");

	if (!json_is_string(value))
		return err_set(e, ERR_INVALID, "control message without \"type\"");
	*ret = LINK_MESSAGE_UNKNOWN;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].name, json_string_value(value)) == 0)
			*ret = types[i].type;
	return 0;
}

static const char *const kind_names[] = {[LINK_HTTP] = "http",
					 [LINK_TLS] = "tls",
					 [LINK_TCP] = "tcp",
					 [LINK_UDP] = "udp",
					 [LINK_OTHER] = "other"};

const char *link_kind_name(enum link_kind kind)
{
	return kind_names[kind];
}

/* ── services and hello: from the agent ── */

static int service_decode(const json_t *object, void *to, struct err *e)
{
	struct link_services *services = to;
	const json_t *id = json_object_get(object, "id");
	const json_t *kind = json_object_get(object, "kind");
	struct link_service *service;
	unsigned port = 0, k;
	int r;

	if (!json_is_string(id) || !link_service_id_valid(json_str(id)))
		return err_set(e, ERR_INVALID, "a service's \"id\" has 1 to 63 of a-z 0-9 - _");
	if (link_services_find(services, json_string_value(id)))
		return err_set(e, ERR_INVALID, "service \"%s\" is there twice",
			       json_string_value(id));
	if (!json_is_string(kind))
		return err_set(e, ERR_INVALID, "service \"%s\": \"kind\" is http, tls, tcp or udp",
			       json_string_value(id));
	for (k = 0; k < LINK_OTHER; k++)
		if (strcmp(json_string_value(kind), kind_names[k]) == 0)
			break;
	service = link_services_add(services, json_str(id));
	if (!service)
		return err_set(e, ERR_NOMEM, "services");
	service->kind = (enum link_kind)k;
	r = get_texts(object, "names", true, &service->names, &service->n_names, e);
	if (r == 0)
		r = get_unsigned(object, "port", 65535, &port, e);
	service->port = (uint16_t)port;
	return r;
}

/* "revision" and the array "services", whose entries go to `one`, in `to`. */
static int list_decode(const json_t *object, uint64_t *revision,
		       int (*one)(const json_t *entry, void *to, struct err *e), void *to,
		       struct err *e)
{
	const json_t *array = json_object_get(object, "services");
	const json_t *entry;
	size_t i;
	int r = get_number(object, "revision", INT64_MAX, revision, e);

	if (r < 0 || !array)
		return r;
	if (!json_is_array(array) || json_array_size(array) > LINK_SERVICES_MAX)
		return err_set(e, ERR_INVALID, "field \"services\": a list of at most %d is wanted",
			       LINK_SERVICES_MAX);
	json_array_foreach(array, i, entry)
	{
		r = one(entry, to, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int services_decode(const json_t *object, struct link_services *services, struct err *e)
{
	return list_decode(object, &services->revision, service_decode, services, e);
}

int link_services_decode(const json_t *object, struct link_services *ret, struct err *e)
{
	struct link_services services = {0};
	int r = services_decode(object, &services, e);

	if (r < 0)
		link_services_done(&services);
	else
		*ret = services;
	return r;
}

static int hello_decode(const json_t *object, struct link_hello *hello, struct err *e)
{
	uint8_t instance[LINK_INSTANCE_LEN / 2];
	int r = get_unsigned(object, "version", INT32_MAX, &hello->version, e);

	if (r < 0 ||
	    hello->version !=
		    LINK_VERSION) /* another version's other fields are none of our business */
		return r;
	r = get_text(object, "instance", true, hello->instance, sizeof(hello->instance), e);
	if (r < 0)
		return r;
	if (hex_decode(str_of(hello->instance), instance, sizeof(instance)) < 0)
		return err_set(e, ERR_INVALID,
			       "field \"instance\": 32 hexadecimal digits are wanted");
	r = get_unsigned(object, "carrier", LINK_CARRIERS_MAX - 1, &hello->carrier, e);
	if (r == 0)
		r = get_unsigned(object, "resets_per_s", 1000000, &hello->resets_per_s, e);
	return r < 0 ? r : services_decode(object, &hello->services, e);
}

int link_hello_decode(const json_t *object, struct link_hello *ret, struct err *e)
{
	struct link_hello hello = {.resets_per_s = 30};
	int r = hello_decode(object, &hello, e);

	if (r < 0)
		link_hello_done(&hello);
	else
		*ret = hello;
	return r;
}

static int services_encode_into(json_t *object, const struct link_services *services)
{
	json_t *array = json_array();

	for (size_t i = 0; i < services->n; i++) {
		const struct link_service *service = &services->list[i];
		json_t *one = json_pack("{s:s, s:s}", "id", service->id, "kind",
					link_kind_name(service->kind));

		if (service->n_names)
			json_object_set_new(one, "names",
					    texts_encode(service->names, service->n_names));
		if (service->port)
			json_object_set_new(one, "port", json_integer(service->port));
		json_array_append_new(array, one);
	}
	json_object_set_new(object, "revision", json_integer((json_int_t)services->revision));
	return json_object_set_new(object, "services", array);
}

json_t *link_hello_encode(const struct link_hello *hello)
{
	json_t *object = json_pack("{s:s, s:i, s:s, s:i, s:s, s:i}", "type", "hello", "version",
				   (int)hello->version, "instance", hello->instance, "carrier",
				   (int)hello->carrier, "software", "homeport", "resets_per_s",
				   (int)hello->resets_per_s);

	if (object)
		services_encode_into(object, &hello->services);
	return object;
}

json_t *link_services_encode(const struct link_services *services)
{
	json_t *object = json_pack("{s:s}", "type", "services");

	if (object)
		services_encode_into(object, services);
	return object;
}

/* ── grants and welcome: from the gateway ── */

static int grant_decode(const json_t *object, void *to, struct err *e)
{
	struct link_grants *grants = to;
	const json_t *id = json_object_get(object, "id");
	struct link_grant *grant;
	unsigned port = 0;
	int r;

	if (!json_is_string(id) || !link_service_id_valid(json_str(id)))
		return err_set(e, ERR_INVALID, "a grant without a service's \"id\"");
	grant = link_grants_add(grants, json_str(id));
	if (!grant)
		return err_set(e, ERR_NOMEM, "grants");
	r = get_bool(object, "granted", true, &grant->granted, e);
	if (r == 0)
		r = get_text(object, "reason", false, grant->reason, sizeof(grant->reason), e);
	if (r == 0)
		r = get_text(object, "text", false, grant->text, sizeof(grant->text), e);
	if (r == 0)
		r = get_texts(object, "names", true, &grant->names, &grant->n_names, e);
	if (r == 0)
		r = get_texts(object, "urls", false, &grant->urls, &grant->n_urls, e);
	if (r == 0)
		r = get_unsigned(object, "port", 65535, &port, e);
	grant->port = (uint16_t)port;
	return r;
}

static int grants_decode(const json_t *object, struct link_grants *grants, struct err *e)
{
	return list_decode(object, &grants->revision, grant_decode, grants, e);
}

int link_grants_decode(const json_t *object, struct link_grants *ret, struct err *e)
{
	struct link_grants grants = {0};
	int r = grants_decode(object, &grants, e);

	if (r < 0)
		link_grants_done(&grants);
	else
		*ret = grants;
	return r;
}

static int welcome_decode(const json_t *object, struct link_welcome *welcome, struct err *e)
{
	char text[LINK_TEXT_MAX];
	int r = get_text(object, "agent", false, welcome->agent, sizeof(welcome->agent), e);

	if (r == 0)
		r = get_text(object, "domain", false, welcome->domain, sizeof(welcome->domain), e);
	if (r == 0)
		r = get_text(object, "observed", false, text, sizeof(text), e);
	if (r < 0)
		return r;
	if (text[0] && ipaddr_parse_port(str_of(text), &welcome->observed) < 0)
		return err_set(e, ERR_INVALID,
			       "field \"observed\": an address with port is wanted");
	r = get_text(object, "next_key", false, text, sizeof(text), e);
	if (r < 0)
		return r;
	welcome->has_next_key = text[0] != '\0';
	if (text[0] && hex_decode(str_of(text), welcome->next_key.bytes, TLS_KEY_HASH_LEN) < 0)
		return err_set(e, ERR_INVALID,
			       "field \"next_key\": 64 hexadecimal digits are wanted");
	r = get_bool(object, "conflict", false, &welcome->conflict, e);
	return r < 0 ? r : grants_decode(object, &welcome->grants, e);
}

int link_welcome_decode(const json_t *object, struct link_welcome *ret, struct err *e)
{
	struct link_welcome welcome = {0};
	int r = welcome_decode(object, &welcome, e);

	if (r < 0)
		link_welcome_done(&welcome);
	else
		*ret = welcome;
	return r;
}

static json_t *grant_encode(const struct link_grant *grant)
{
	json_t *one = json_pack("{s:s, s:b}", "id", grant->id, "granted", (int)grant->granted);

	if (!grant->granted) {
		json_object_set_new(one, "reason", json_string(grant->reason));
		json_object_set_new(one, "text", json_string(grant->text));
		return one;
	}
	if (grant->n_names)
		json_object_set_new(one, "names", texts_encode(grant->names, grant->n_names));
	if (grant->port)
		json_object_set_new(one, "port", json_integer(grant->port));
	json_object_set_new(one, "urls", texts_encode(grant->urls, grant->n_urls));
	return one;
}

static void grants_encode_into(json_t *object, const struct link_grants *grants)
{
	json_t *array = json_array();

	for (size_t i = 0; i < grants->n; i++)
		json_array_append_new(array, grant_encode(&grants->list[i]));
	json_object_set_new(object, "revision", json_integer((json_int_t)grants->revision));
	json_object_set_new(object, "services", array);
}

json_t *link_grants_encode(const struct link_grants *grants)
{
	json_t *object = json_pack("{s:s}", "type", "services");

	if (object)
		grants_encode_into(object, grants);
	return object;
}

json_t *link_welcome_encode(const struct link_welcome *welcome)
{
	char observed[IPADDR_TEXT_MAX], key[HEX_TEXT_LEN(TLS_KEY_HASH_LEN)];
	json_t *object =
		json_pack("{s:s, s:i, s:s, s:s}", "type", "welcome", "version", LINK_VERSION,
			  "agent", welcome->agent, "domain", welcome->domain);

	if (!object)
		return NULL;
	if (welcome->observed.family)
		json_object_set_new(object, "observed",
				    json_string(ipaddr_format_port(observed, &welcome->observed)));
	if (welcome->has_next_key) {
		hex_encode(key, welcome->next_key.bytes, TLS_KEY_HASH_LEN);
		json_object_set_new(object, "next_key", json_string(key));
	}
	if (welcome->conflict)
		json_object_set_new(object, "conflict", json_true());
	grants_encode_into(object, &welcome->grants);
	return object;
}

/* ── the small ones ── */

int link_refused_decode(const json_t *object, struct link_refused *ret, struct err *e)
{
	struct link_refused refused;
	int r = get_text(object, "reason", true, refused.reason, sizeof(refused.reason), e);

	if (r == 0)
		r = get_text(object, "text", false, refused.text, sizeof(refused.text), e);
	if (r == 0)
		*ret = refused;
	return r;
}

json_t *link_refused_encode(const char *reason, const char *text)
{
	json_t *object =
		json_pack("{s:s, s:s, s:s}", "type", "refused", "reason", reason, "text", text);

	if (object && strcmp(reason, "version") == 0)
		json_object_set_new(object, "versions", json_pack("[i]", LINK_VERSION));
	return object;
}

int link_join_decode(const json_t *object, unsigned *ret_version,
		     uint8_t secret[static LINK_SECRET_LEN], struct err *e)
{
	char text[64];
	unsigned version = 0;
	int r = get_unsigned(object, "version", INT32_MAX, &version, e);

	if (r == 0 && version != LINK_VERSION) {
		*ret_version = version;
		return 0;
	}
	if (r == 0)
		r = get_text(object, "secret", true, text, sizeof(text), e);
	if (r < 0)
		return r;
	if (base64url_decode(str_of(text), secret, LINK_SECRET_LEN) < 0)
		return err_set(e, ERR_INVALID,
			       "field \"secret\": 16 bytes in base64url are wanted");
	*ret_version = version;
	return 0;
}

json_t *link_join_encode(const uint8_t secret[static LINK_SECRET_LEN])
{
	char text[BASE64URL_TEXT_LEN(LINK_SECRET_LEN)];
	json_t *object;

	base64url_encode(text, secret, LINK_SECRET_LEN);
	object = json_pack("{s:s, s:i, s:s, s:s}", "type", "join", "version", LINK_VERSION,
			   "secret", text, "software", "homeport");
	secret_wipe(text, sizeof(text));
	return object;
}

int link_joined_decode(const json_t *object, struct link_joined *ret, struct err *e)
{
	struct link_joined joined = {0};
	int r = get_text(object, "agent", true, joined.agent, sizeof(joined.agent), e);

	if (r == 0)
		r = get_text(object, "domain", true, joined.domain, sizeof(joined.domain), e);
	if (r == 0)
		r = get_texts(object, "names", true, &joined.names, &joined.n_names, e);
	if (r < 0)
		link_joined_done(&joined);
	else
		*ret = joined;
	return r;
}

json_t *link_joined_encode(const struct link_joined *joined)
{
	return json_pack("{s:s, s:i, s:s, s:s, s:o}", "type", "joined", "version", LINK_VERSION,
			 "agent", joined->agent, "domain", joined->domain, "names",
			 texts_encode(joined->names, joined->n_names));
}

json_t *link_drain_encode(void)
{
	return json_pack("{s:s}", "type", "drain");
}

json_t *link_text_encode(const char *type, const char *text, bool conflict)
{
	json_t *object = json_pack("{s:s, s:s}", "type", type, "text", text);

	if (object && conflict)
		json_object_set_new(object, "conflict", json_true());
	return object;
}
