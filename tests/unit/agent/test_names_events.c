/* What people, programs and webhooks are told of a name. */
#include "test.h"

#include <string.h>

#include "agent/names_events.h"

static struct dns_event event_of(enum dns_event_kind kind, enum dns_verdict verdict)
{
	struct dns_event event = {.kind = kind,
				  .label = "blog",
				  .host = "blog.example.org",
				  .provider = "dyn",
				  .family = 4,
				  .verdict = verdict,
				  .text = ""};

	assert_int_equal(ipaddr_parse(STR("8.8.4.4"), &event.address), 0);
	return event;
}

static void test_sentences(void **state)
{
	char text[NAMES_EVENT_TEXT_MAX];
	struct dns_event event = event_of(DNS_EVENT_CHANGED, DNS_GOOD);

	assert_string_equal(names_event_text(text, &event),
			    "name blog.example.org is 8.8.4.4 now, at dyn");
	event = event_of(DNS_EVENT_KEPT, DNS_NOCHG);
	assert_string_equal(names_event_text(text, &event),
			    "name blog.example.org is 8.8.4.4 still, at dyn");
	event = event_of(DNS_EVENT_PARKED, DNS_BADAUTH);
	event.text = "badauth\x1b[2J";
	assert_string_equal(names_event_text(text, &event),
			    "name blog.example.org at dyn: wrong user, password or token "
			    "(badauth\\x1b[2J); nothing more is sent until the configuration is "
			    "another one, or \"homeport dns update blog\"");
	event = event_of(DNS_EVENT_TROUBLE, DNS_OUTAGE);
	event.retry_s = 1800;
	assert_string_equal(names_event_text(text, &event),
			    "name blog.example.org at dyn: the provider is out of order or in "
			    "maintenance; trying again in 30 min");
	event = event_of(DNS_EVENT_REMIND, DNS_GOOD);
	assert_string_equal(names_event_text(text, &event),
			    "name blog.example.org must be confirmed on the web site of dyn soon, "
			    "or it is deleted; then: homeport dns confirmed blog");
	event = (struct dns_event){.kind = DNS_EVENT_CLOCK, .text = ""};
	assert_string_equal(names_event_text(text, &event),
			    "names wait until the clock of this machine is set");
	event = (struct dns_event){.kind = DNS_EVENT_STATE, .text = "no space"};
	assert_string_equal(names_event_text(text, &event), "names cannot be remembered: no space");
}

static void test_webhook(void **state)
{
	struct dns_event event = event_of(DNS_EVENT_PARKED, DNS_NOHOST);
	char *text;
	json_t *o;

	event.family = 6;
	event.address = (struct ipaddr){0};
	event.text = "nohost \xff";
	o = names_event_json(&event, 1800000000 * USEC_PER_S);
	text = json_dumps(o, JSON_COMPACT);
	assert_string_equal(
		text, "{\"event\":\"parked\",\"time\":\"2027-01-15T08:00:00Z\","
		      "\"name\":\"blog\",\"host\":\"blog.example.org\",\"provider\":\"dyn\","
		      "\"family\":\"ipv6\",\"address\":\"\",\"verdict\":\"nohost\","
		      "\"reply\":\"nohost \\\\xff\",\"text\":\"name blog.example.org at dyn: no "
		      "such name in this account (nohost \\\\xff); nothing more is sent until the "
		      "configuration is another one, or \\\"homeport dns update blog\\\"\"}");
	free(text);
	json_decref(o);
	event = event_of(DNS_EVENT_REMIND, DNS_GOOD);
	o = names_event_json(&event, 0);
	assert_string_equal(json_string_value(json_object_get(o, "event")), "remind");
	assert_string_equal(json_string_value(json_object_get(o, "address")), "8.8.4.4");
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_webhook),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
