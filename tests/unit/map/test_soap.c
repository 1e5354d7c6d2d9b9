#include "test.h"

#include "map/soap.h"
#include "seed.h"

static struct soap_fault fault;

/* What the seed answers, asked for these values. */
static int decode(const char *name, struct soap_value *values, size_t n)
{
	AUTO(buf_donep) struct buf body = seed(name);

	fault = (struct soap_fault){.code = 77};
	return soap_decode(buf_str(&body), values, n, &fault, NULL);
}

static void answers(void **state)
{
	struct soap_value external[] = {{.name = "NewExternalIPAddress"}};
	struct soap_value entry[] = {{.name = "NewInternalClient"},
				     {.name = "NewInternalPort"},
				     {.name = "NewPortMappingDescription"},
				     {.name = "NewEnabled"},
				     {.name = "NewLeaseDuration"}};
	struct soap_value pinhole[] = {{.name = "UniqueID"}, {.name = "NotThere"}};

	assert_int_equal(decode("soap/external", external, 1), 0);
	assert_string_equal(external[0].text, "11.0.113.50");
	assert_int_equal(decode("soap/entry", entry, 5), 0);
	assert_string_equal(entry[0].text, "192.168.1.10");
	assert_string_equal(entry[1].text, "8080");
	assert_string_equal(entry[2].text, "homeport-1 <x>");
	assert_string_equal(entry[3].text, "1");
	assert_string_equal(entry[4].text, "7200");
	assert_int_equal(decode("soap/pinhole", pinhole, 2), 0);
	assert_string_equal(pinhole[0].text, "65535");
	assert_false(pinhole[1].found);
}

static void empty_answers(void **state)
{
	struct soap_value external[] = {{.name = "NewExternalIPAddress"}};

	assert_int_equal(decode("soap/external-empty", external, 1), 0);
	assert_true(external[0].found);
	assert_string_equal(external[0].text, "");
	assert_int_equal(decode("soap/added", NULL, 0), 0);
	assert_int_equal(decode("soap/added-empty-element", NULL, 0), 0);
}

static void other_spelling(void **state)
{
	struct soap_value external[] = {{.name = "NewExternalIPAddress"}};

	assert_int_equal(decode("soap/external-soap-env", external, 1), 0);
	assert_string_equal(external[0].text, "203.0.113.4");
}

static void faults(void **state)
{
	assert_int_equal(decode("soap/fault-718", NULL, 0), -ERR_REFUSED);
	assert_int_equal(fault.code, 718);
	assert_string_equal(fault.text, "ConflictInMappingEntry");
	assert_int_equal(decode("soap/fault-606", NULL, 0), -ERR_REFUSED);
	assert_int_equal(fault.code, 606);
	assert_string_equal(fault.text, "Action not authorized");
	assert_int_equal(decode("soap/fault-without-code", NULL, 0), -ERR_REFUSED);
	assert_int_equal(fault.code, 0);
	assert_string_equal(fault.text, "Internal \\xc2\\x9berror");
	assert_int_equal(decode("soap/fault-code-huge", NULL, 0), -ERR_REFUSED);
	assert_int_equal(fault.code, 0);
	assert_string_equal(fault.text, ""); /* no text is as long as that */
}

static void neither(void **state)
{
	struct soap_value external[] = {{.name = "NewExternalIPAddress"}};

	assert_int_equal(decode("soap/html", external, 1), -ERR_INVALID);
	assert_int_equal(decode("soap/truncated", external, 1), -ERR_INVALID);
	assert_int_equal(decode("soap/bomb", external, 1), -ERR_DENIED);
	assert_int_equal(decode("description/miniupnpd", external, 1), -ERR_INVALID);
	assert_int_equal(fault.code, 77); /* not written */
}

/* Values count where they belong only, and the first one does. */
static void values_elsewhere(void **state)
{
	struct soap_value v[] = {{.name = "A"}};
	struct str body =
		STR("<Envelope><Header><R><A>1</A></R></Header><Body><XResponse><B><A>2</A>"
		    "</B><A>3</A><A>4</A></XResponse><A>5</A></Body></Envelope>");

	assert_int_equal(soap_decode(body, v, 1, &fault, NULL), 0);
	assert_string_equal(v[0].text, "3");
}

static void cut_values(void **state)
{
	struct soap_value v[] = {{.name = "A"}};
	char body[SOAP_VALUE_MAX * 2];

	snprintf(body, sizeof(body), "<e><Body><xResponse><A>%0*d</A></xResponse></Body></e>",
		 SOAP_VALUE_MAX, 7);
	assert_int_equal(soap_decode(str_of(body), v, 1, &fault, NULL), 0);
	assert_int_equal(strlen(v[0].text), SOAP_VALUE_MAX - 1);
}

static void requests(void **state)
{
	static const struct soap_arg args[] = {{"NewRemoteHost", ""},
					       {"NewPortMappingDescription", "a<b>&\"c'"}};
	AUTO(buf_donep) struct buf b = {0};
	char action[SOAP_ACTION_MAX];
	const char *urn = "urn:schemas-upnp-org:service:WANIPConnection:1";

	assert_int_equal(soap_encode(&b, urn, "AddPortMapping", args, 2, NULL), 0);
	assert_int_equal(buf_append(&b, "", 1), 0);
	assert_string_equal(
		(char *)buf_head(&b),
		"<?xml version=\"1.0\"?>\r\n"
		"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
		"s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>"
		"<u:AddPortMapping xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"
		"<NewRemoteHost></NewRemoteHost>"
		"<NewPortMappingDescription>a&lt;b&gt;&amp;&quot;c'</NewPortMappingDescription>"
		"</u:AddPortMapping></s:Body></s:Envelope>\r\n");
	assert_string_equal(soap_action(action, urn, "AddPortMapping"),
			    "\"urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping\"");
}

static void too_long_a_request(void **state)
{
	static const struct soap_arg args[] = {{"A", "0123456789"}};
	AUTO(buf_donep) struct buf b = {0};

	buf_init(&b, 100);
	assert_int_equal(soap_encode(&b, "urn:x", "B", args, 1, NULL), -ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(empty_answers),
		cmocka_unit_test(other_spelling),
		cmocka_unit_test(faults),
		cmocka_unit_test(neither),
		cmocka_unit_test(values_elsewhere),
		cmocka_unit_test(cut_values),
		cmocka_unit_test(requests),
		cmocka_unit_test(too_long_a_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
