#include "test.h"

#include <stdio.h>

#include "proto/forwarded.h"

/* Texts that are read, and the same as we write it. */
static void reads_and_writes(void **state)
{
	static const struct {
		const char *text, *ours;
	} cases[] = {
		{"for=192.0.2.1", "for=\"192.0.2.1\""},
		{"for=\"192.0.2.1:4711\"", "for=\"192.0.2.1:4711\""},
		{"for=\"[2001:db8::1]\"", "for=\"[2001:db8::1]\""},
		{"for=\"[2001:DB8:0::1]:4711\";host=\"blog.example.org\";proto=https",
		 "for=\"[2001:db8::1]:4711\";host=\"blog.example.org\";proto=https"},
		{"PROTO=HTTP;Host=Blog.example.org.;FOR=192.0.2.1",
		 "for=\"192.0.2.1\";host=\"blog.example.org\";proto=http"},
		{"for=192.0.2.1;host=\"blog.example.org:8080\"",
		 "for=\"192.0.2.1\";host=\"blog.example.org\""},
		{"for=192.0.2.1;host=\"[2001:db8::1]\"",
		 "for=\"192.0.2.1\";host=\"[2001:db8::1]\""},
		{"by=_gw;for=192.0.2.1;secret=\"a;b,c\\\"d\"", "for=\"192.0.2.1\""},
		{" ;;for=192.0.2.1;; \t", "for=\"192.0.2.1\""},
		{"for=\"1\\92.0.2.1\"", "for=\"192.0.2.1\""},
		{"for=192.0.2.1;x=\"\xc3\xbc\t\"", "for=\"192.0.2.1\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[FORWARDED_TEXT_MAX];
		struct forwarded f, again;
		struct err e = {0};

		assert_int_equal(forwarded_parse(str_of(cases[i].text), &f, &e), 0);
		assert_string_equal(forwarded_format(text, &f), cases[i].ours);
		assert_int_equal(forwarded_parse(str_of(text), &again, &e), 0);
		assert_memory_equal(&again, &f, sizeof(f));
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "no \"for\""},
		{"proto=https", "no \"for\""},
		{"for=unknown", "\"for\" is not an address"},
		{"for=_hidden", "\"for\" is not an address"},
		{"for=\"2001:db8::1\"", "\"for\" is not an address"},
		{"for=\"[192.0.2.1]\"", "\"for\" is not an address"},
		{"for=\"192.0.2.1:\"", "\"for\" is not an address"},
		{"for=\"192.0.2.1:0\"", "\"for\" is not an address"},
		{"for=\"192.0.2.1:65536\"", "\"for\" is not an address"},
		{"for=\"[fe80::1%eth0]\"", "\"for\" is not an address"},
		{"for=192.0.2.256", "\"for\" is not an address"},
		{"for=192.0.2.1:80", "expected \";\" between parameters"},
		{"for=[2001:db8::1]", "expected NAME=VALUE"},
		{"for=192.0.2.1, for=192.0.2.2", "more than one element"},
		{"for=192.0.2.1;FOR=192.0.2.2", "\"for\" twice"},
		{"for=192.0.2.1;host=a;host=a", "\"host\" twice"},
		{"for=192.0.2.1;host=a_/", "expected \";\" between parameters"},
		{"for=192.0.2.1;host=\"a/b\"", "\"host\" is not a host"},
		{"for=192.0.2.1;host=\"\"", "\"host\" is not a host"},
		{"for=192.0.2.1;proto=toolongname", "bad \"proto\""},
		{"for=192.0.2.1;proto=\"\"", "bad \"proto\""},
		{"for=192.0.2.1;proto=1x", "bad \"proto\""},
		{"for=192.0.2.1;proto=a_b", "bad \"proto\""},
		{"for =192.0.2.1", "expected NAME=VALUE"},
		{"for= 192.0.2.1", "expected NAME=VALUE"},
		{"for=192.0.2.1; proto=http", "expected NAME=VALUE"},
		{"for=192.0.2.1 ;proto=http", "expected \";\" between parameters"},
		{"for=", "expected NAME=VALUE"},
		{"for=\"192.0.2.1", "expected NAME=VALUE"},
		{"for=\"192.0.2.1\\", "expected NAME=VALUE"},
		{"for=\"192.0.2.1\"x", "expected \";\" between parameters"},
		{"for=192.0.2.1;x=\"\r\n\"", "expected NAME=VALUE"},
		{"=x;for=192.0.2.1", "expected NAME=VALUE"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct forwarded f = {.proto = "kept"};
		struct err e = {0};
		int r = forwarded_parse(str_of(cases[i].text), &f, &e);

		assert_memory_equal(e.text, "Forwarded: ", 11);
		assert_string_equal(e.text + 11, cases[i].error);
		assert_int_equal(r, -ERR_INVALID);
		assert_string_equal(f.proto, "kept");
	}
}

static void has_limits(void **state)
{
	char name[HOSTNAME_MAX], text[8192], written[FORWARDED_TEXT_MAX];
	struct forwarded f;
	struct err e;

	(void)state;
	for (size_t i = 0; i < 253; i++)
		name[i] = i % 50 == 49 ? '.' : 'a';
	name[253] = '\0';
	snprintf(text, sizeof(text),
		 "for=\"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535\";host=\"%s\";"
		 "proto=sevenxx",
		 name);
	assert_int_equal(forwarded_parse(str_of(text), &f, &e), 0);
	assert_string_equal(forwarded_format(written, &f), text);

	snprintf(text, sizeof(text), "for=1.2.3.4;host=\"%0400d\"", 0);
	assert_int_equal(forwarded_parse(str_of(text), &f, &e), -ERR_INVALID);
	assert_string_equal(e.text, "Forwarded: \"host\" is too long");
	snprintf(text, sizeof(text), "for=1.2.3.4;x=\"%04000d\"", 0);
	assert_int_equal(forwarded_parse(str_of(text), &f, &e), 0);
	snprintf(text, sizeof(text), "for=1.2.3.4;x=\"%04096d\"", 0);
	assert_int_equal(forwarded_parse(str_of(text), &f, &e), -ERR_INVALID);
	assert_string_equal(e.text, "Forwarded: over 4096 bytes");
	assert_int_equal(forwarded_parse(STR("for=1.2.3.4;x=\"\0\""), &f, &e), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(refuses),
		cmocka_unit_test(has_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
