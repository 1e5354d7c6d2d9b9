#include "map/soap.h"

#include <stdio.h>

#include "map/xml.h"

/* ── out ── */

static int append_escaped(struct buf *to, const char *text)
{
	int r = 0;

	for (const char *p = text; *p && r == 0; p++) {
		switch (*p) {
		case '&':
			r = buf_append_str(to, STR("&amp;"));
			break;
		case '<':
			r = buf_append_str(to, STR("&lt;"));
			break;
		case '>':
			r = buf_append_str(to, STR("&gt;"));
			break;
		case '"':
			r = buf_append_str(to, STR("&quot;"));
			break;
		default:
			r = buf_append(to, p, 1);
		}
	}
	return r;
}

int soap_encode(struct buf *to, const char *urn, const char *action, const struct soap_arg *args,
		size_t n, struct err *e)
{
	int r = buf_printf(to,
			   "<?xml version=\"1.0\"?>\r\n"
			   "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\""
			   " s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\">"
			   "<s:Body><u:%s xmlns:u=\"%s\">",
			   action, urn);

	for (size_t i = 0; i < n && r == 0; i++) {
		r = buf_printf(to, "<%s>", args[i].name);
		if (r == 0)
			r = append_escaped(to, args[i].value);
		if (r == 0)
			r = buf_printf(to, "</%s>", args[i].name);
	}
	if (r == 0)
		r = buf_printf(to, "</u:%s></s:Body></s:Envelope>\r\n", action);
	return r == 0 ? 0 : err_set(e, -r, "SOAP request");
}

const char *soap_action(char to[static SOAP_ACTION_MAX], const char *urn, const char *action)
{
	snprintf(to, SOAP_ACTION_MAX, "\"%s#%s\"", urn, action);
	return to;
}

/* ── in ── */

/* Depth of the elements: <Envelope>, <Body>, the answer or the fault, its values. */
enum { DEPTH_ENVELOPE = 1, DEPTH_BODY = 2, DEPTH_ANSWER = 3, DEPTH_VALUE = 4 };

struct reading {
	struct soap_value *values; /* borrowed */
	size_t n;
	bool body, answer, fault; /* we are in it, or were */
	struct soap_fault reason;
};

static void on_open(void *arg, unsigned depth, struct str name)
{
	struct reading *r = arg;

	if (depth == DEPTH_BODY)
		r->body = str_eq(name, STR("Body"));
	if (depth != DEPTH_ANSWER || !r->body)
		return;
	if (str_eq(name, STR("Fault")))
		r->fault = true;
	else if (str_ends_nocase(name, STR("Response")))
		r->answer = true; /* whichever action's: some devices name another one's */
}

/* The first of a name counts. */
static void take_value(struct reading *r, struct str name, struct str text)
{
	for (size_t i = 0; i < r->n; i++) {
		struct soap_value *v = &r->values[i];

		if (v->found || !str_eq(name, str_of(v->name)))
			continue;
		v->found = true;
		snprintf(v->text, sizeof(v->text), "%.*s", STR_ARG(text));
		return;
	}
}

/* <detail><UPnPError><errorCode/><errorDescription/>: wherever in the fault a device has them. */
static void take_reason(struct reading *r, struct str name, struct str text)
{
	uint64_t code;

	if (str_eq(name, STR("errorCode")) && str_to_u64(text, 9999, &code))
		r->reason.code = (unsigned)code;
	else if (str_eq(name, STR("errorDescription")) ||
		 (str_eq(name, STR("faultstring")) && !r->reason.text[0]))
		xml_printable(r->reason.text, sizeof(r->reason.text), text);
}

static void on_close(void *arg, unsigned depth, struct str name, struct str text)
{
	struct reading *r = arg;

	if (!r->body || depth <= DEPTH_ANSWER)
		return;
	if (r->fault)
		take_reason(r, name, text);
	else if (r->answer && depth == DEPTH_VALUE)
		take_value(r, name, text);
}

int soap_decode(struct str body, struct soap_value *values, size_t n, struct soap_fault *ret_fault,
		struct err *e)
{
	struct reading reading = {.values = values, .n = n};
	struct xml_handler handler = {.open = on_open, .close = on_close, .arg = &reading};
	int r = xml_read(body, &handler, e);

	if (r < 0)
		return err_wrap(e, r, "SOAP answer");
	if (reading.fault) {
		*ret_fault = reading.reason;
		return err_set(e, ERR_REFUSED, "UPnP error %u: %s", reading.reason.code,
			       reading.reason.text);
	}
	if (!reading.answer)
		return err_set(e, ERR_INVALID, "SOAP answer: neither an answer nor a fault");
	return 0;
}
