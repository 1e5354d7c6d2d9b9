#include <jansson.h>

#include "dns/keeper_private.h"

static const char *state_word(const struct dns_machine *m)
{
	switch (m->state) {
	case DNS_STATE_IDLE:
		return m->wish == DNS_WISH_ADDRESS ? "current" : "waiting for an address";
	case DNS_STATE_DOUBT:
	case DNS_STATE_ASKING:
		return "asking";
	case DNS_STATE_DUE:
		return m->fails ? "trouble" : "due";
	case DNS_STATE_SENT:
		return "sent";
	case DNS_STATE_PARKED:
		return "parked";
	}
	return "";
}

static int add_address(json_t *o, const char *field, const struct ipaddr *a)
{
	char text[IPADDR_TEXT_MAX];

	return a->family ? json_object_set_new(o, field, json_string(ipaddr_format(text, a))) : 0;
}

/* Who says what our address is, for people; nothing of a name whose address is configured. */
static int add_why(json_t *o, const struct keeper_side *side)
{
	const struct dns_keeper *k = side->name->keeper;
	const struct keeper_choice *choice = &k->choices[side->family == 6];
	char text[DNS_CHOOSER_TEXT_MAX];

	if (side->family == 6 ? side->name->fixed6.family : side->name->fixed4.family)
		return 0;
	dns_chooser_text(text, &k->chooser, side->family, choice->wish, choice->source);
	return json_object_set_new(o, "why", json_string(text));
}

/* A request without an answer: what the machine remembers is the one before. */
static bool is_open(const struct dns_machine *m)
{
	return m->attempt.family && dns_verdict_class(m->verdict) == DNS_CLASS_OK;
}

json_t *keeper_side_status(const struct keeper_side *side, int64_t now)
{
	const struct keeper_name *name = side->name;
	const struct dns_machine *m = &side->machine;
	const struct keeper_choice *choice = &name->keeper->choices[side->family == 6];
	json_t *o = json_pack(
		"{s:s s:s s:s s:s s:s}", "name", name->label, "host", name->entry.host, "provider",
		name->entry.provider->name, "family", side->family == 6 ? "ipv6" : "ipv4", "state",
		name->keeper->waits_for_clock ? "waiting for the clock" : state_word(m));
	int r = o ? 0 : -1;

	r = r || (m->sure && add_address(o, "published", &m->published));
	r = r || add_address(o, "wanted", &m->wanted);
	if (choice->wish == DNS_WISH_ADDRESS)
		r = r ||
		    json_object_set_new(o, "source", json_string(dns_source_name(choice->source)));
	r = r || add_why(o, side);
	if (m->attempted_s && !is_open(m)) {
		r = r ||
		    json_object_set_new(o, "answer", json_string(dns_verdict_word(m->verdict)));
		r = r ||
		    json_object_set_new(o, "meaning", json_string(dns_verdict_text(m->verdict)));
	}
	if (m->confirmed_s)
		r = r || json_object_set_new(o, "confirmed", json_integer(m->confirmed_s));
	/* whoever has nothing to send does not wait for anything */
	if (m->not_before_s > now && (m->state == DNS_STATE_DUE || m->state == DNS_STATE_DOUBT))
		r = r || json_object_set_new(o, "retry_s", json_integer(m->not_before_s - now));
	if (dns_machine_reminds(m, now))
		r = r || json_object_set_new(o, "confirm", json_true());
	if (r) {
		json_decref(o);
		return NULL;
	}
	return o;
}

json_t *dns_keeper_status(struct dns_keeper *k)
{
	json_t *list = json_array();
	int64_t now = keeper_now_s(k);

	for (size_t i = 0; i < k->n_names; i++)
		for (int s = 0; s < 2; s++)
			if (k->names[i].sides[s].on &&
			    json_array_append_new(
				    list, keeper_side_status(&k->names[i].sides[s], now)) < 0) {
				json_decref(list);
				return NULL;
			}
	return list;
}
