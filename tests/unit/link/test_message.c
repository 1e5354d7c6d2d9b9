#include "test.h"

#include <stdio.h>
#include <string.h>

#include "link/message.h"

#define INSTANCE "0123456789abcdef0123456789abcdef"

static json_t *json(const char *text)
{
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (!object)
		fail_msg("not JSON: %s", text);
	return object;
}

static void add_name(char ***names, size_t *n, const char *name)
{
	assert_int_equal(link_texts_add(names, n, str_of(name)), 0);
}

/* What was encoded is read from its text, as it would come over the link. */
static json_t *over_the_link(json_t *object, const char *type)
{
	char *text;
	json_t *back;

	assert_non_null(object);
	text = json_dumps(object, JSON_COMPACT);
	back = json(text);
	assert_string_equal(json_string_value(json_object_get(back, "type")), type);
	free(text);
	json_decref(object);
	return back;
}

/* ── round trips ── */

static struct link_services sample_services(void)
{
	struct link_services services = {.revision = INT64_MAX};
	struct link_service *service = link_services_add(&services, STR("blog"));

	service->kind = LINK_HTTP;
	add_name(&service->names, &service->n_names, "blog.home.example.org");
	add_name(&service->names, &service->n_names, "www.example.org");
	service = link_services_add(&services, STR("mail_1"));
	service->kind = LINK_TLS;
	service = link_services_add(&services, STR("ssh-2"));
	service->kind = LINK_TCP;
	service->port = 65535;
	return services;
}

static void assert_sample_services(const struct link_services *services)
{
	assert_int_equal(services->n, 3);
	assert_true(services->revision == INT64_MAX);
	assert_string_equal(services->list[0].id, "blog");
	assert_int_equal(services->list[0].kind, LINK_HTTP);
	assert_int_equal(services->list[0].n_names, 2);
	assert_string_equal(services->list[0].names[1], "www.example.org");
	assert_int_equal(services->list[1].kind, LINK_TLS);
	assert_int_equal(services->list[1].n_names, 0);
	assert_int_equal(services->list[2].kind, LINK_TCP);
	assert_int_equal(services->list[2].port, 65535);
	assert_ptr_equal(link_services_find(services, "ssh-2"), &services->list[2]);
	assert_null(link_services_find(services, "ssh"));
}

static void test_hello(void **state)
{
	struct link_hello hello = {.version = 1,
				   .instance = INSTANCE,
				   .carrier = 3,
				   .resets_per_s = 1000000,
				   .services = sample_services()};
	struct link_hello back;
	json_t *object = over_the_link(link_hello_encode(&hello), "hello");

	assert_int_equal(link_hello_decode(object, &back, NULL), 0);
	assert_int_equal(back.version, 1);
	assert_string_equal(back.instance, INSTANCE);
	assert_int_equal(back.carrier, 3);
	assert_int_equal(back.resets_per_s, 1000000);
	assert_sample_services(&back.services);
	json_decref(object);
	link_hello_done(&hello);
	link_hello_done(&back);
}

static void test_hello_with_the_least(void **state)
{
	json_t *object =
		json("{\"type\":\"hello\",\"version\":1,\"instance\":\"" INSTANCE "\",\"x\":{}}");
	struct link_hello hello;

	assert_int_equal(link_hello_decode(object, &hello, NULL), 0);
	assert_int_equal(hello.carrier, 0);
	assert_int_equal(hello.resets_per_s, 30);
	assert_int_equal(hello.services.n, 0);
	assert_int_equal(hello.services.revision, 0);
	json_decref(object);
	link_hello_done(&hello);
}

/* What else stands in a hello of another version may mean anything. */
static void test_hello_of_another_version(void **state)
{
	json_t *object = json("{\"type\":\"hello\",\"version\":2,\"instance\":7,\"services\":{}}");
	struct link_hello hello;

	assert_int_equal(link_hello_decode(object, &hello, NULL), 0);
	assert_int_equal(hello.version, 2);
	json_decref(object);
	link_hello_done(&hello);
}

static void test_services(void **state)
{
	struct link_services services = sample_services(), copy, back;
	json_t *object;

	assert_int_equal(link_services_copy(&copy, &services), 0);
	link_services_done(&services);
	object = over_the_link(link_services_encode(&copy), "services");
	assert_int_equal(link_services_decode(object, &back, NULL), 0);
	assert_sample_services(&copy);
	assert_sample_services(&back);
	json_decref(object);
	link_services_done(&copy);
	link_services_done(&back);
}

static struct link_grants sample_grants(void)
{
	struct link_grants grants = {.revision = 7};
	struct link_grant *grant = link_grants_add(&grants, STR("blog"));

	grant->granted = true;
	add_name(&grant->names, &grant->n_names, "blog.home.example.org");
	add_name(&grant->urls, &grant->n_urls, "http://blog.home.example.org/");
	grant = link_grants_add(&grants, STR("ssh"));
	grant->granted = true;
	grant->port = 2222;
	grant = link_grants_add(&grants, STR("game"));
	strcpy(grant->reason, "port-taken");
	strcpy(grant->text, "port 2222 belongs to another agent");
	return grants;
}

static void assert_sample_grants(const struct link_grants *grants)
{
	assert_int_equal(grants->revision, 7);
	assert_int_equal(grants->n, 3);
	assert_true(grants->list[0].granted && grants->list[1].granted);
	assert_string_equal(grants->list[0].names[0], "blog.home.example.org");
	assert_string_equal(grants->list[0].urls[0], "http://blog.home.example.org/");
	assert_int_equal(grants->list[1].port, 2222);
	assert_false(grants->list[2].granted);
	assert_string_equal(grants->list[2].reason, "port-taken");
	assert_string_equal(grants->list[2].text, "port 2222 belongs to another agent");
}

static void test_grants(void **state)
{
	struct link_grants grants = sample_grants(), back;
	json_t *object = over_the_link(link_grants_encode(&grants), "services");

	assert_int_equal(link_grants_decode(object, &back, NULL), 0);
	assert_sample_grants(&back);
	json_decref(object);
	link_grants_done(&grants);
	link_grants_done(&back);
}

static void test_welcome(void **state)
{
	struct link_welcome welcome = {
		.agent = "laptop",
		.domain = "home.example.org",
		.observed = {.family = 6, .bytes = {0x20, 1, 0xd, 0xb8}, .port = 40112},
		.grants = sample_grants(),
		.has_next_key = true,
		.next_key = {{1, 2, 3}},
		.conflict = true};
	struct link_welcome back;
	json_t *object = over_the_link(link_welcome_encode(&welcome), "welcome");

	assert_string_equal(json_string_value(json_object_get(object, "observed")),
			    "[2001:db8::]:40112");
	assert_int_equal(link_welcome_decode(object, &back, NULL), 0);
	assert_string_equal(back.agent, "laptop");
	assert_string_equal(back.domain, "home.example.org");
	assert_true(ipaddr_equal(&back.observed, &welcome.observed));
	assert_true(back.has_next_key && back.conflict);
	assert_memory_equal(&back.next_key, &welcome.next_key, sizeof(back.next_key));
	assert_sample_grants(&back.grants);
	json_decref(object);
	link_welcome_done(&welcome);
	link_welcome_done(&back);
}

static void test_welcome_with_the_least(void **state)
{
	struct link_welcome welcome;
	json_t *object = json("{\"type\":\"welcome\"}");

	assert_int_equal(link_welcome_decode(object, &welcome, NULL), 0);
	assert_int_equal(welcome.observed.family, 0);
	assert_false(welcome.has_next_key || welcome.conflict);
	assert_int_equal(welcome.grants.n, 0);
	json_decref(object);
	link_welcome_done(&welcome);
}

static void test_join_and_joined(void **state)
{
	uint8_t secret[LINK_SECRET_LEN] = {0xff, 0xfe, 0xfd}, back[LINK_SECRET_LEN];
	struct link_joined joined = {.agent = "laptop", .domain = "home.example.org"}, read;
	json_t *object = over_the_link(link_join_encode(secret), "join");
	unsigned version;

	assert_int_equal(link_join_decode(object, &version, back, NULL), 0);
	assert_int_equal(version, 1);
	assert_memory_equal(back, secret, LINK_SECRET_LEN);
	json_decref(object);

	add_name(&joined.names, &joined.n_names, "blog.home.example.org");
	object = over_the_link(link_joined_encode(&joined), "joined");
	assert_int_equal(link_joined_decode(object, &read, NULL), 0);
	assert_string_equal(read.agent, "laptop");
	assert_string_equal(read.domain, "home.example.org");
	assert_int_equal(read.n_names, 1);
	assert_string_equal(read.names[0], "blog.home.example.org");
	json_decref(object);
	link_joined_done(&joined);
	link_joined_done(&read);
}

static void test_the_small_ones(void **state)
{
	struct link_refused refused;
	json_t *object = over_the_link(link_refused_encode("version", "only 1"), "refused");

	assert_int_equal(link_refused_decode(object, &refused, NULL), 0);
	assert_string_equal(refused.reason, "version");
	assert_string_equal(refused.text, "only 1");
	assert_int_equal(json_integer_value(json_array_get(json_object_get(object, "versions"), 0)),
			 1);
	json_decref(object);
	object = over_the_link(link_refused_encode("busy", ""), "refused");
	assert_null(json_object_get(object, "versions"));
	json_decref(object);
	json_decref(over_the_link(link_drain_encode(), "drain"));
	object = over_the_link(link_text_encode("notice", "hello", false), "notice");
	assert_null(json_object_get(object, "conflict"));
	json_decref(object);
	object = over_the_link(link_text_encode("replaced", "gone", true), "replaced");
	assert_true(json_is_true(json_object_get(object, "conflict")));
	json_decref(object);
}

/* ── types ── */

static void test_types(void **state)
{
	static const struct {
		const char *text;
		enum link_message_type type;
	} cases[] = {
		{"hello", LINK_MESSAGE_HELLO},
		{"welcome", LINK_MESSAGE_WELCOME},
		{"refused", LINK_MESSAGE_REFUSED},
		{"services", LINK_MESSAGE_SERVICES},
		{"drain", LINK_MESSAGE_DRAIN},
		{"replaced", LINK_MESSAGE_REPLACED},
		{"notice", LINK_MESSAGE_NOTICE},
		{"join", LINK_MESSAGE_JOIN},
		{"joined", LINK_MESSAGE_JOINED},
		{"Hello", LINK_MESSAGE_UNKNOWN},
		{"", LINK_MESSAGE_UNKNOWN},
		{"hello ", LINK_MESSAGE_UNKNOWN},
		{"probe-of-v2", LINK_MESSAGE_UNKNOWN},
	};
	static const char *const none[] = {"{}", "{\"type\":1}", "{\"type\":null}",
					   "{\"Type\":\"hello\"}"};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *object = json_pack("{s:s}", "type", cases[i].text);
		enum link_message_type type;

		assert_int_equal(link_message_type(object, &type, NULL), 0);
		assert_int_equal(type, cases[i].type);
		json_decref(object);
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		json_t *object = json(none[i]);
		enum link_message_type type;
		struct err e;

		assert_int_equal(link_message_type(object, &type, &e), -ERR_INVALID);
		assert_string_equal(e.text, "control message without \"type\"");
		json_decref(object);
	}
}

static void test_service_ids(void **state)
{
	static const char *const good[] = {
		"a", "0",	 "-",
		"_", "blog-2_x", "012345678901234567890123456789012345678901234567890123456789012"};
	static const char *const bad[] = {
		"",
		"Blog",
		"a.b",
		"a b",
		"\xc3\xa4",
		"a/b",
		"0123456789012345678901234567890123456789012345678901234567890123"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(link_service_id_valid(str_of(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(link_service_id_valid(str_of(bad[i])));
	assert_false(link_service_id_valid(str_n("a\0b", 3)));
}

/* ── bad objects ── */

static int decode_hello(const json_t *object, struct err *e)
{
	struct link_hello hello;
	int r = link_hello_decode(object, &hello, e);

	if (r == 0)
		link_hello_done(&hello);
	return r;
}

static int decode_services(const json_t *object, struct err *e)
{
	struct link_services services;
	int r = link_services_decode(object, &services, e);

	if (r == 0)
		link_services_done(&services);
	return r;
}

static int decode_grants(const json_t *object, struct err *e)
{
	struct link_grants grants;
	int r = link_grants_decode(object, &grants, e);

	if (r == 0)
		link_grants_done(&grants);
	return r;
}

static int decode_welcome(const json_t *object, struct err *e)
{
	struct link_welcome welcome;
	int r = link_welcome_decode(object, &welcome, e);

	if (r == 0)
		link_welcome_done(&welcome);
	return r;
}

static int decode_refused(const json_t *object, struct err *e)
{
	struct link_refused refused;

	return link_refused_decode(object, &refused, e);
}

static int decode_join(const json_t *object, struct err *e)
{
	uint8_t secret[LINK_SECRET_LEN];
	unsigned version;

	return link_join_decode(object, &version, secret, e);
}

static int decode_joined(const json_t *object, struct err *e)
{
	struct link_joined joined;
	int r = link_joined_decode(object, &joined, e);

	if (r == 0)
		link_joined_done(&joined);
	return r;
}

#define H(fields) "{\"version\":1,\"instance\":\"" INSTANCE "\"," fields "}"
#define S(fields) "{\"services\":[{" fields "}]}"
#define TEXT(n)	  ": a text of at most " #n " bytes is wanted"

static void test_bad_objects(void **state)
{
	static const struct {
		int (*decode)(const json_t *object, struct err *e);
		const char *object, *text;
	} cases[] = {
		{decode_hello, "{\"version\":\"1\"}",
		 "field \"version\": a number from 0 to 2147483647 is wanted"},
		{decode_hello, "{\"version\":1.0}",
		 "field \"version\": a number from 0 to 2147483647 is wanted"},
		{decode_hello, "{\"version\":-1}",
		 "field \"version\": a number from 0 to 2147483647 is wanted"},
		{decode_hello, "{\"version\":1}", "field \"instance\"" TEXT(32)},
		{decode_hello, "{\"version\":1,\"instance\":\"" INSTANCE "0\"}",
		 "field \"instance\"" TEXT(32)},
		{decode_hello, "{\"version\":1,\"instance\":\"0123\"}",
		 "field \"instance\": 32 hexadecimal digits are wanted"},
		{decode_hello, "{\"version\":1,\"instance\":\"0123456789abcdef0123456789abcdeg\"}",
		 "field \"instance\": 32 hexadecimal digits are wanted"},
		{decode_hello, H("\"carrier\":4"),
		 "field \"carrier\": a number from 0 to 3 is wanted"},
		{decode_hello, H("\"carrier\":true"),
		 "field \"carrier\": a number from 0 to 3 is wanted"},
		{decode_hello, H("\"resets_per_s\":-1"),
		 "field \"resets_per_s\": a number from 0 to 1000000 is wanted"},
		{decode_hello, H("\"revision\":\"7\""),
		 "field \"revision\": a number from 0 to 9223372036854775807 is wanted"},
		{decode_hello, H("\"services\":{}"),
		 "field \"services\": a list of at most 256 is wanted"},

		{decode_services, "{\"services\":null}",
		 "field \"services\": a list of at most 256 is wanted"},
		{decode_services, "{\"services\":[7]}",
		 "a service's \"id\" has 1 to 63 of a-z 0-9 - _"},
		{decode_services, S("\"kind\":\"http\""),
		 "a service's \"id\" has 1 to 63 of a-z 0-9 - _"},
		{decode_services, S("\"id\":\"A\",\"kind\":\"http\""),
		 "a service's \"id\" has 1 to 63 of a-z 0-9 - _"},
		{decode_services, S("\"id\":\"a\""),
		 "service \"a\": \"kind\" is http, tls, tcp or udp"},
		{decode_services, S("\"id\":\"a\",\"kind\":[]"),
		 "service \"a\": \"kind\" is http, tls, tcp or udp"},
		{decode_services,
		 "{\"services\":[{\"id\":\"a\",\"kind\":\"http\"},{\"id\":\"a\",\"kind\":\"tcp\"}]"
		 "}",
		 "service \"a\" is there twice"},
		{decode_services, S("\"id\":\"a\",\"kind\":\"http\",\"names\":\"x\""),
		 "field \"names\": a list of at most 32 is wanted"},
		{decode_services,
		 S("\"id\":\"a\",\"kind\":\"http\",\"names\":[\"a.example\",\"a b\"]"),
		 "field \"names\": entry 2 is not usable"},
		{decode_services, S("\"id\":\"a\",\"kind\":\"http\",\"names\":[null]"),
		 "field \"names\": entry 1 is not usable"},
		{decode_services, S("\"id\":\"a\",\"kind\":\"tcp\",\"port\":65536"),
		 "field \"port\": a number from 0 to 65535 is wanted"},

		{decode_grants, "{\"services\":[{}]}", "a grant without a service's \"id\""},
		{decode_grants, "{\"services\":7}",
		 "field \"services\": a list of at most 256 is wanted"},
		{decode_grants, "{\"services\":[[]]}", "a grant without a service's \"id\""},
		{decode_grants, S("\"id\":\"a\",\"granted\":1"),
		 "field \"granted\": true or false is wanted"},
		{decode_grants, S("\"id\":\"a\""), "field \"granted\": true or false is wanted"},
		{decode_grants, S("\"id\":\"a\",\"granted\":false,\"reason\":\"" INSTANCE "\""),
		 "field \"reason\"" TEXT(31)},
		{decode_grants, S("\"id\":\"a\",\"granted\":false,\"text\":7"),
		 "field \"text\"" TEXT(255)},
		{decode_grants, S("\"id\":\"a\",\"granted\":true,\"urls\":[7]"),
		 "field \"urls\": entry 1 is not usable"},
		{decode_grants, S("\"id\":\"a\",\"granted\":true,\"port\":-1"),
		 "field \"port\": a number from 0 to 65535 is wanted"},

		{decode_welcome, "{\"agent\":7}", "field \"agent\"" TEXT(63)},
		{decode_welcome, "{\"domain\":[]}", "field \"domain\"" TEXT(255)},
		{decode_welcome, "{\"observed\":\"here\"}",
		 "field \"observed\": an address with port is wanted"},
		{decode_welcome, "{\"observed\":\"198.51.100.7\"}",
		 "field \"observed\": an address with port is wanted"},
		{decode_welcome, "{\"next_key\":\"abc\"}",
		 "field \"next_key\": 64 hexadecimal digits are wanted"},
		{decode_welcome, "{\"conflict\":\"yes\"}",
		 "field \"conflict\": true or false is wanted"},

		{decode_refused, "{}", "field \"reason\"" TEXT(31)},
		{decode_refused, "{\"reason\":\"x\",\"text\":{}}", "field \"text\"" TEXT(255)},
		{decode_join, "{\"version\":1}", "field \"secret\"" TEXT(63)},
		{decode_join, "{\"version\":1,\"secret\":\"AAECAwQFBgcICQoLDA0OD\"}",
		 "field \"secret\": 16 bytes in base64url are wanted"},
		{decode_join, "{\"version\":1,\"secret\":\"AAECAwQFBgcICQoLDA0ODw==\"}",
		 "field \"secret\": 16 bytes in base64url are wanted"},
		{decode_joined, "{\"domain\":\"x\"}", "field \"agent\"" TEXT(63)},
		{decode_joined, "{\"agent\":\"x\"}", "field \"domain\"" TEXT(255)},
		{decode_joined, "{\"agent\":\"x\",\"domain\":\"x\",\"names\":[\"-\"]}",
		 "field \"names\": entry 1 is not usable"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *object = json(cases[i].object);
		struct err e = {0};

		if (cases[i].decode(object, &e) != -ERR_INVALID)
			fail_msg("accepted: %s", cases[i].object);
		if (strcmp(e.text, cases[i].text) != 0)
			fail_msg("%s: %s", cases[i].object, e.text);
		assert_int_equal(e.code, ERR_INVALID);
		json_decref(object);
	}
}

static void test_names_become_lower_case(void **state)
{
	json_t *object = json(S("\"id\":\"a\",\"kind\":\"http\",\"names\":[\"Blog.Example.ORG\"]"));
	struct link_services services;

	assert_int_equal(link_services_decode(object, &services, NULL), 0);
	assert_string_equal(services.list[0].names[0], "blog.example.org");
	json_decref(object);
	link_services_done(&services);
}

/* ── limits ── */

static void test_limits(void **state)
{
	struct link_services services = {0}, back;
	struct link_grants grants = {0};
	char **texts = NULL;
	size_t n = 0;
	char id[80];
	json_t *object, *names;
	struct err e;

	for (int i = 0; i < LINK_SERVICES_MAX; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		assert_non_null(link_services_add(&services, str_of(id)));
		assert_non_null(link_grants_add(&grants, str_of(id)));
	}
	assert_null(link_services_add(&services, STR("more")));
	assert_null(link_grants_add(&grants, STR("more")));
	object = link_services_encode(&services);
	assert_int_equal(link_services_decode(object, &back, NULL), 0);
	assert_int_equal(back.n, LINK_SERVICES_MAX);
	link_services_done(&back);
	json_array_append_new(json_object_get(object, "services"),
			      json("{\"id\":\"more\",\"kind\":\"http\"}"));
	assert_int_equal(link_services_decode(object, &back, &e), -ERR_INVALID);
	assert_string_equal(e.text, "field \"services\": a list of at most 256 is wanted");
	json_decref(object);

	for (int i = 0; i < LINK_NAMES_MAX; i++)
		add_name(&texts, &n, "x.example.org");
	assert_int_equal(link_texts_add(&texts, &n, STR("more.example.org")), -ERR_LIMIT);
	assert_int_equal(n, LINK_NAMES_MAX);
	services.list[0].names = texts;
	services.list[0].n_names = n;
	object = link_services_encode(&services);
	assert_int_equal(link_services_decode(object, &back, NULL), 0);
	assert_int_equal(back.list[0].n_names, LINK_NAMES_MAX);
	link_services_done(&back);
	names = json_object_get(json_array_get(json_object_get(object, "services"), 0), "names");
	json_array_append_new(names, json_string("more.example.org"));
	assert_int_equal(link_services_decode(object, &back, &e), -ERR_INVALID);
	assert_string_equal(e.text, "field \"names\": a list of at most 32 is wanted");
	json_decref(object);

	memset(id, 'x', sizeof(id));
	assert_null(link_services_add(&back, str_n(id, 64)));
	link_services_done(&services);
	link_grants_done(&grants);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_hello_with_the_least),
		cmocka_unit_test(test_hello_of_another_version),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_welcome),
		cmocka_unit_test(test_welcome_with_the_least),
		cmocka_unit_test(test_join_and_joined),
		cmocka_unit_test(test_the_small_ones),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_service_ids),
		cmocka_unit_test(test_bad_objects),
		cmocka_unit_test(test_names_become_lower_case),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
