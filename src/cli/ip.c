#include <linux/if_addr.h>
#include <stdio.h>

#include "base/log.h"
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/router_look.h"
#include "map/door.h"
#include "uplink/uplink.h"

struct ip_options {
	struct common common;
	const char *interface;
	bool no_router, json;
};

static const struct option_row ip_rows[] = {
	{"interface", 'i', OPTION_TEXT, offsetof(struct ip_options, interface), .arg = "NAME",
	 .help = "choose among the addresses of this interface only, even if it is a tunnel"},
	{"no-router", 0, OPTION_FLAG, offsetof(struct ip_options, no_router),
	 .help = "do not ask the router what the world sees (it may take 3 s to stay silent)"},
	{"json", 0, OPTION_FLAG, offsetof(struct ip_options, json),
	 .help = "print JSON, for programs"},
};

#define ROUTER_TEXT_MAX (IPADDR_TEXT_MAX + LOG_TEXT_MAX)

/* "fe80::1%eth0": as other programs take it. "" when there is none. */
static const char *router_text(char text[static ROUTER_TEXT_MAX], const struct uplink_place *place)
{
	char address[IPADDR_TEXT_MAX], name[LOG_TEXT_MAX];
	bool scoped = place->router.scope;

	*text = '\0';
	if (place->router.family)
		snprintf(text, ROUTER_TEXT_MAX, "%s%s%s", ipaddr_format(address, &place->router),
			 scoped ? "%" : "", scoped ? log_text(name, str_of(place->ifname)) : "");
	return text;
}

/* ── for people ── */

static void print_addresses(const struct uplink_view *view)
{
	struct columns c = {0};

	columns_row(&c, "INTERFACE", "ADDRESS", "CLASS", "CHOSEN", "VERDICT", NULL);
	for (size_t i = 0; i < view->n; i++) {
		const struct uplink_address *a = &view->addresses[i];
		char address[IPADDR_TEXT_MAX], prefix[IPADDR_TEXT_MAX + 8], words[UPLINK_WORDS_MAX];
		const char *used = !a->chosen ? "" : a->net.address.family == 4 ? "IPv4" : "IPv6";

		snprintf(prefix, sizeof(prefix), "%s/%u", ipaddr_format(address, &a->net.address),
			 a->net.prefix_len);
		columns_row(&c, a->ifname, prefix, ipclass_name(a->class), used,
			    uplink_words(words, a), NULL);
	}
	columns_print(&c, stdout);
	columns_done(&c);
}

/* A container's router is the machine that it runs on. */
static bool is_virtual(const struct uplink_place *place)
{
	static const char *const kinds[] = {"veth", "macvlan", "ipvlan", "tun"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(place->kind, kinds[i]) == 0)
			return true;
	return false;
}

static const char *reached(const struct uplink_place *place)
{
	switch (place->verdict) {
	case UPLINK_PRIVATE:
		return "private: visitors come to the router's public address, if it has one and a "
		       "door is open";
	case UPLINK_SHARED:
		return "shared by the provider: visitors cannot come to it";
	default:
		return place->address.family == 6 ? "public: visitors come to it, if the router's "
						    "firewall has a door open"
						  : "public: visitors come to it";
	}
}

/* The offers of the router of that family; NULL: it was not asked, or there is none. */
static const json_t *offers_of(const json_t *routers, uint8_t family)
{
	const json_t *router;
	size_t i;

	json_array_foreach(routers, i, router)
	{
		if (json_number(router, "family") == family)
			return json_object_get(router, "offers");
	}
	return NULL;
}

static const char *title_of(const json_t *offer)
{
	return map_method_title(map_method_parse(json_text(offer, "method")));
}

/* What it says over each protocol; what it does not say is no line. */
static void print_outside(const json_t *routers)
{
	const json_t *offers = offers_of(routers, 4), *offer;
	bool told = false;
	size_t i;

	if (!offers)
		return;
	json_array_foreach(offers, i, offer)
	{
		const char *external = json_text(offer, "external");
		struct ipaddr address = {0};

		if (!json_object_get(offer, "external"))
			continue;
		told = true;
		if (ipaddr_parse(str_of(external), &address) < 0)
			printf("      the router says that it has no public address outside (%s)\n",
			       title_of(offer));
		else
			printf("      the router says that outside it is %s (%s): %s\n", external,
			       title_of(offer), ipclass_words(ipclass_of(&address)));
	}
	if (!told)
		printf("      the router does not say what its address outside is\n");
}

static void print_place(const struct uplink_view *view, const json_t *routers, uint8_t family)
{
	const struct uplink_place *place = uplink_place(view, family);
	char address[IPADDR_TEXT_MAX], router[ROUTER_TEXT_MAX], name[LOG_TEXT_MAX],
		words[UPLINK_WORDS_MAX];

	if (!place->address.family) {
		printf("IPv%u  none: %s\n", family, uplink_lack(words, view, family));
		return;
	}
	router_text(router, place);
	printf("IPv%u  %s on %s, %s%s\n", family, ipaddr_format(address, &place->address),
	       log_text(name, str_of(place->ifname)), *router ? "router " : "without a router",
	       router);
	printf("      %s\n", reached(place));
	if (family == 4)
		print_outside(routers);
	if (place->verdict == UPLINK_PRIVATE && is_virtual(place))
		printf("      %s is virtual (%s): in a container, that router is the machine the "
		       "container runs on\n",
		       name, place->kind);
}

static void print_view(const struct uplink_view *view, const json_t *routers)
{
	print_addresses(view);
	putchar('\n');
	print_place(view, routers, 4);
	print_place(view, routers, 6);
	if (view->incomplete)
		printf("\nThis machine has more addresses or routes than were looked at.\n");
}

/* ── for programs ── */

static json_t *flags_json(const struct netstate_address *a)
{
	static const struct {
		uint32_t flag;
		uint8_t family; /* 0: both */
		const char *name;
	} names[] = {
		{IFA_F_SECONDARY, 4, "secondary"},
		{IFA_F_TEMPORARY, 6, "temporary"},
		{IFA_F_DEPRECATED, 0, "deprecated"},
		{IFA_F_TENTATIVE, 0, "tentative"},
		{IFA_F_OPTIMISTIC, 0, "optimistic"},
		{IFA_F_DADFAILED, 0, "dadfailed"},
		{IFA_F_PERMANENT, 0, "permanent"},
		{IFA_F_MANAGETEMPADDR, 0, "mngtmpaddr"},
		{IFA_F_NOPREFIXROUTE, 0, "noprefixroute"},
		{IFA_F_STABLE_PRIVACY, 0, "stable-privacy"},
	};
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (a->flags & names[i].flag &&
		    (names[i].family == 0 || names[i].family == a->address.family))
			json_array_append_new(list, json_string(names[i].name));
	return list;
}

static json_t *seconds_json(uint32_t seconds)
{
	return seconds == NETSTATE_FOREVER ? json_null() : json_integer(seconds);
}

static json_t *address_json(const struct uplink_address *a)
{
	char address[IPADDR_TEXT_MAX], name[LOG_TEXT_MAX], words[UPLINK_WORDS_MAX];

	return json_pack("{s:s, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "address",
			 ipaddr_format(address, &a->net.address), "prefix_length",
			 a->net.prefix_len, "family", a->net.address.family, "interface",
			 log_text(name, str_of(a->ifname)), "kind", a->kind, "class",
			 ipclass_name(a->class), "verdict", uplink_verdict_name(a->verdict), "why",
			 uplink_words(words, a), "chosen", a->chosen, "flags", flags_json(&a->net),
			 "preferred_s", seconds_json(a->net.preferred_s), "valid_s",
			 seconds_json(a->net.valid_s));
}

/* Without an address, why is a sentence; otherwise "". */
static json_t *place_json(const struct uplink_view *view, uint8_t family)
{
	const struct uplink_place *place = uplink_place(view, family);
	char address[IPADDR_TEXT_MAX], name[LOG_TEXT_MAX], router[ROUTER_TEXT_MAX],
		why[UPLINK_WORDS_MAX];
	bool there = place->address.family;

	router_text(router, place);
	return json_pack("{s:s?, s:o, s:s?, s:s?, s:s?, s:s}", "address",
			 there ? ipaddr_format(address, &place->address) : NULL, "prefix_length",
			 there ? json_integer(place->prefix_len) : json_null(), "interface",
			 there ? log_text(name, str_of(place->ifname)) : NULL, "router",
			 *router ? router : NULL, "verdict",
			 there ? uplink_verdict_name(place->verdict) : NULL, "why",
			 uplink_lack(why, view, family));
}

static json_t *view_json(const struct uplink_view *view, const json_t *routers)
{
	json_t *list = json_array();

	for (size_t i = 0; i < view->n; i++)
		json_array_append_new(list, address_json(&view->addresses[i]));
	return json_pack("{s:o, s:o, s:o, s:O?, s:b}", "addresses", list, "ipv4",
			 place_json(view, 4), "ipv6", place_json(view, 6), "routers", routers,
			 "complete", !view->incomplete);
}

static int print_json(const struct uplink_view *view, const json_t *routers)
{
	json_t *json = view_json(view, routers);
	int r = json ? json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : -1;

	json_decref(json);
	if (r < 0)
		return complain("ip", json ? "the output could not be written" : "no memory");
	putchar('\n');
	return 0;
}

/* ── the command ── */

static int take_view(const struct ip_options *o, struct uplink_view *ret, struct err *e)
{
	AUTO(netstate_done) struct netstate state = {0};
	struct uplink_settings settings = {0};
	int r;

	if (o->interface &&
	    !str_copy(settings.interface, sizeof(settings.interface), str_of(o->interface)))
		return err_set(e, ERR_INVALID, "--interface: a name has at most %zu bytes",
			       sizeof(settings.interface) - 1);
	r = netstate_read(&state, e);
	return r < 0 ? r : uplink_look(&state, &settings, NULL, ret, e);
}

/* NULL where there is nobody to ask. */
static json_t *ask_routers(const struct ip_options *o, const struct uplink_view *view)
{
	AUTO(places_done) struct places places = {0};
	json_t *routers = NULL;
	struct err e = {0};

	if (o->no_router || !(view->v4.router.family || view->v6.router.family) ||
	    places_find(&o->common, &places, &e) < 0)
		return NULL;
	if (router_look(&places, o->interface, &routers, &e) < 0)
		complain("ip", "the router was not asked: %s", e.text);
	return routers;
}

static int ip_run(const void *options, const struct option_args *args)
{
	const struct ip_options *o = options;
	AUTO(uplink_done) struct uplink_view view = {0};
	char words[UPLINK_WORDS_MAX];
	json_t *routers;
	struct err e = {0};
	int r = take_view(o, &view, &e);

	if (r < 0) {
		complain("ip", "%s", e.text);
		return r == -ERR_INVALID ? 2 : 1;
	}
	if (view.missing[0])
		return complain("ip", "%s", uplink_lack(words, &view, 4));
	routers = ask_routers(o, &view);
	if (o->json)
		r = print_json(&view, routers);
	else
		print_view(&view, routers);
	json_decref(routers);
	if (r == 0 && fflush(stdout) != 0)
		return complain("ip", "the output could not be written");
	return r;
}

const struct command command_ip = {
	.name = "ip",
	.summary = "list this machine's addresses, and which of them the world can use",
	.details =
		"Of each address: its interface, what kind it is, what it is used for, and why or "
		"why not. For visitors it takes one that stays: no temporary address, none of a "
		"prefix that the provider has taken back, none of a VPN. A private IPv4 address is "
		"used as the one that the router forwards to; the router is asked what it is "
		"called outside, which is its word and no proof. Where all IPv6 addresses are "
		"temporary, let the machine have a stable one beside them, as NetworkManager, "
		"systemd-networkd and the kernel do unless told otherwise, or switch them off: "
		"sysctl net.ipv6.conf.INTERFACE.use_tempaddr=0.",
	.example = "homeport ip\n"
		   "homeport ip --interface eth0\n"
		   "homeport ip --json | jq -r .ipv6.address",
	OPTION_ROWS(ip_rows, struct ip_options),
	.run = ip_run,
};
