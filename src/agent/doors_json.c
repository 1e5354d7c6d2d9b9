#include "agent/doors_json.h"

#include "base/ipclass.h"
#include "net/ndjson.h"
#include "net/sockdiag.h"

static const char *address_text(char text[static IPADDR_TEXT_MAX], const struct ipaddr *a)
{
	if (!a->family)
		*text = '\0';
	else if (a->port)
		ipaddr_format_port(text, a);
	else
		ipaddr_format(text, a);
	return text;
}

static double ms(usec_t span)
{
	return (double)span / 1000.0;
}

static json_int_t seconds_until(const struct doors *doors, usec_t at)
{
	usec_t now = loop_now(doors_loop(doors));

	return at > now ? (json_int_t)((at - now) / USEC_PER_S) : 0;
}

/* "yes", "no", "loopback"; null: not known. */
static json_t *listening_json(const struct map_door_info *info)
{
	enum sockdiag_listens listens;
	struct ipaddr at;

	if (!info->place)
		return json_null();
	at = info->place->address;
	at.port = info->wish->internal_port;
	if (sockdiag_listens(info->wish->protocol, &at, &listens, NULL) < 0)
		return json_null();
	return json_string(sockdiag_name(listens));
}

static json_t *grant_json(const struct doors *doors, const struct map_door_info *info)
{
	char external[IPADDR_TEXT_MAX];
	struct ipaddr address = info->external;

	address.port = 0;
	return json_pack(
		"{s:s s:s s:s s:i s:I s:o s:b}", "method", map_method_name(info->grant.method),
		"external", address_text(external, &info->external), "class",
		ipclass_name(ipclass_of(&address)), "external_port", (int)info->grant.external.port,
		"lifetime_s", (json_int_t)info->grant.lifetime_s, "expires_in_s",
		info->expires == USEC_MAX ? json_null()
					  : json_integer(seconds_until(doors, info->expires)),
		"permanent", info->grant.permanent);
}

json_t *doors_json_door(const struct doors *doors, const struct map_door *door)
{
	char internal[IPADDR_TEXT_MAX], router[IPADDR_TEXT_MAX], lack[UPLINK_WORDS_MAX];
	struct map_door_info info;
	struct ipaddr at = {0}, via = {0}, outside;
	const char *why;
	json_t *object;

	map_door_info(door, &info);
	if (info.place) {
		at = info.place->address;
		at.port = info.wish->internal_port;
		via = info.place->router;
	}
	why = info.place || *info.why ? info.why : doors_lack(doors, info.wish->family, lack);
	object = json_pack(
		"{s:i s:s s:s s:i s:i s:b s:s s:o s:s s:o s:o s:f}", "family",
		(int)info.wish->family, "protocol", map_protocol_name(info.wish->protocol),
		"internal", address_text(internal, &at), "internal_port",
		(int)info.wish->internal_port, "external_wished", (int)info.wish->external_port,
		"exactly", info.wish->exactly, "router", address_text(router, &via), "interface",
		ndjson_text(info.place ? info.place->ifname : ""), "state",
		info.place ? lease_state_name(info.state) : "no network", "why", ndjson_text(why),
		"listening", listening_json(&info), "took_ms", ms(info.took));
	if (object && info.state == LEASE_OPEN)
		json_object_update_new(object, grant_json(doors, &info));
	if (object && info.state == LEASE_REFUSED)
		json_object_set_new(object, "retry_in_s",
				    json_integer(seconds_until(doors, info.retry_at)));
	if (object && info.wish->family == 4 &&
	    map_outside(doors_map(doors), &outside) != MAP_NONE) {
		json_object_set_new(object, "outside",
				    json_string(address_text(internal, &outside)));
		json_object_set_new(object, "outside_class",
				    json_string(ipclass_name(ipclass_of(&outside))));
	}
	return object;
}

json_t *doors_json_list(const struct doors *doors)
{
	struct map_door *door = NULL;
	json_t *list = json_array();

	while ((door = map_next_door(doors_map(doors), door))) {
		json_t *object = doors_json_door(doors, door);

		json_object_set_new(object, "of",
				    json_string(doors_configured(door) ? "configuration" : "map"));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *offer_json(const struct router_offer *offer, enum map_method method)
{
	char external[IPADDR_TEXT_MAX];
	json_t *object = json_pack("{s:s s:s s:f s:o}", "method", map_method_name(method), "state",
				   router_offer_state_name(offer->state), "took_ms",
				   ms(offer->took), "text", ndjson_text(offer->text));

	if (object && offer->told) {
		json_object_set_new(object, "external",
				    json_string(address_text(external, &offer->external)));
		json_object_set_new(object, "class",
				    json_string(ipclass_name(ipclass_of(&offer->external))));
	}
	return object;
}

static json_t *router_json(const struct router *router)
{
	const struct map_place *place = router_place(router);
	char ours[IPADDR_TEXT_MAX], theirs[IPADDR_TEXT_MAX];
	json_t *offers = json_array();

	for (int i = 0; i < MAP_METHOD_COUNT; i++) {
		const struct router_offer *offer = router_offer(router, (enum map_method)i);

		if (offer->state != ROUTER_NOT_FOR)
			json_array_append_new(offers, offer_json(offer, (enum map_method)i));
	}
	return json_pack("{s:i s:s s:s s:s s:b s:o}", "family", (int)place->address.family,
			 "router", address_text(theirs, &place->router), "address",
			 address_text(ours, &place->address), "interface", place->ifname, "decided",
			 router_decided(router), "offers", offers);
}

json_t *doors_json_routers(const struct doors *doors)
{
	json_t *list = json_array();

	for (uint8_t family = 4; family <= 6; family += 2)
		if (map_router(doors_map(doors), family))
			json_array_append_new(list,
					      router_json(map_router(doors_map(doors), family)));
	return list;
}
