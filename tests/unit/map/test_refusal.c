#include "test.h"

#include <netinet/in.h>
#include <string.h>

#include "map/refusal.h"

static char text[256];

static const char *pmp(enum map_method method, int r, unsigned result)
{
	const struct pmp_answer answer = {.r = r, .result = result};
	const struct map_wish wish = {.family = 4, .internal_port = 8000, .external_port = 80};

	refusal_pmp(text, sizeof(text), method, &answer, &wish);
	return text;
}

static const char *igd_family(uint8_t family, uint16_t external, int r, unsigned code,
			      const char *words, bool inbound_forbidden)
{
	struct igd_answer answer = {.r = r, .upnp_code = code};
	const struct map_wish wish = {
		.family = family, .internal_port = 8000, .external_port = external};

	strcpy(answer.text, words);
	refusal_igd(text, sizeof(text), &answer, &wish, inbound_forbidden);
	return text;
}

static const char *igd(uint16_t external, unsigned code)
{
	return igd_family(4, external, -ERR_REFUSED, code, "", false);
}

static void by_pcp(void **state)
{
	static const struct {
		unsigned result;
		const char *says;
	} results[] = {
		{2, "PCP: the router refuses: not allowed for this device (NOT_AUTHORIZED, 2)"},
		{7, "PCP: the router refuses: it has no connection to the internet "
		    "(NETWORK_FAILURE, 7)"},
		{8, "PCP: the router refuses: it has no place for this now (NO_RESOURCES, 8)"},
		{11, "PCP: port 80 is used by another device, or not allowed "
		     "(CANNOT_PROVIDE_EXTERNAL, 11)"},
		{12, "PCP: the router refuses: another address translator is between it and this "
		     "device (ADDRESS_MISMATCH, 12)"},
		{99, "PCP: the router refuses: an error without a name (UNASSIGNED, 99)"},
	};

	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		assert_string_equal(pmp(MAP_PCP, -ERR_REFUSED, results[i].result), results[i].says);
}

/* The same numbers mean other things there. */
static void by_natpmp(void **state)
{
	assert_string_equal(pmp(MAP_NATPMP, -ERR_REFUSED, 2),
			    "NAT-PMP: the router refuses: not allowed, or switched off "
			    "(NOT_AUTHORIZED, 2)");
	assert_string_equal(pmp(MAP_NATPMP, -ERR_REFUSED, 3),
			    "NAT-PMP: the router refuses: it has no public address "
			    "(NETWORK_FAILURE, 3)");
	assert_string_equal(pmp(MAP_NATPMP, -ERR_REFUSED, 11),
			    "NAT-PMP: the router refuses: an error without a name "
			    "(UNASSIGNED, 11)");
}

static void no_answer(void **state)
{
	assert_string_equal(pmp(MAP_PCP, -ERR_TIMEOUT, 0), "PCP: the router does not answer");
	assert_string_equal(pmp(MAP_NATPMP, -ERR_NOT_FOUND, 0),
			    "NAT-PMP: the router does not offer it any more");
	assert_string_equal(igd_family(4, 80, -ERR_TIMEOUT, 0, "", false),
			    "UPnP: the router does not answer");
	assert_string_equal(igd_family(4, 80, -ERR_NOT_FOUND, 0, "", false),
			    "UPnP: the router does not offer it any more");
	assert_string_equal(igd_family(4, 80, -ERR_FAILED, 0, "", false),
			    "UPnP: the router's answer makes no sense");
	/* what is known of it is said */
	assert_string_equal(igd_family(4, 80, -ERR_FAILED, 0, "not XML", false), "UPnP: not XML");
}

static void low_ports(void **state)
{
	assert_string_equal(igd(80, 606), "UPnP: the router refuses ports below 1024 (606)");
	assert_string_equal(igd(1023, 606), "UPnP: the router refuses ports below 1024 (606)");
	assert_string_equal(igd(1024, 606),
			    "UPnP: the router does not allow it to this device (606)");
	/* of a pinhole it is the one port there is, whatever external_port says */
	assert_string_equal(igd_family(6, 80, -ERR_REFUSED, 606, "", false),
			    "UPnP: the router does not allow it to this device (606)");
}

static void the_firewall(void **state)
{
	assert_string_equal(igd_family(6, 8000, -ERR_REFUSED, 606, "", true),
			    "UPnP: the router's firewall allows this device no pinholes (606); its "
			    "own pages may have a switch for that");
	assert_non_null(strstr(igd_family(6, 8000, -ERR_REFUSED, 702, "", false),
			       "no pinhole is needed (702)"));
}

static void by_upnp(void **state)
{
	assert_string_equal(igd(80, 718), "UPnP: the port is used by another device (718)");
	assert_string_equal(igd(80, 725), "UPnP: the router opens ports only for ever (725)");
	assert_string_equal(igd(80, 729), "UPnP: the port is used by the router itself, or by a "
					  "rule of its owner (729)");
	/* a code that nobody has written down: the router's own words */
	assert_string_equal(igd_family(4, 80, -ERR_REFUSED, 899, "NotToday", false),
			    "UPnP: the router refuses: NotToday (899)");
	assert_string_equal(igd(80, 899), "UPnP: the router refuses: without a reason (899)");
	/* known codes have our words, not the router's */
	assert_string_equal(igd_family(4, 80, -ERR_REFUSED, 725, "whatever", false),
			    "UPnP: the router opens ports only for ever (725)");
}

static void a_small_buffer(void **state)
{
	const struct pmp_answer answer = {.r = -ERR_TIMEOUT};
	const struct map_wish wish = {.family = 4};
	char small[8] = "xxxxxxx";

	refusal_pmp(small, sizeof(small), MAP_PCP, &answer, &wish);
	assert_string_equal(small, "PCP: th");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_pcp),	  cmocka_unit_test(by_natpmp),
		cmocka_unit_test(no_answer),	  cmocka_unit_test(low_ports),
		cmocka_unit_test(the_firewall),	  cmocka_unit_test(by_upnp),
		cmocka_unit_test(a_small_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
