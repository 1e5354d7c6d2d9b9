#include "uplink/uplink.h"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "uplink/rank.h"

/*
 * An address is stale when its router has announced another prefix since it last announced this
 * one's, and again this much later (1/100 s). A router that has restarted with a new prefix knows
 * nothing of the old one, which stays preferred for hours. Of two routers each announces its own
 * prefix, at most MaxRtrAdvInterval apart (RFC 4861 §6.2.1: 1800 s).
 */
#define STALE_AFTER_CS	   1000
#define STALE_AFTER_TWO_CS 180000
#define STALE_SLACK_CS	   10 /* what belongs together is announced in one go */

/* ── interfaces ── */

/* What leads somewhere else than to the home's router. */
static bool is_tunnel(const struct netstate_link *link)
{
	static const char *const kinds[] = {
		"wireguard", "amneziawg", "ovpn",   "ovpn-dco",	 "xfrm",  "vti",
		"vti6",	     "ipip",	  "sit",    "ip6tnl",	 "gre",	  "gretap",
		"ip6gre",    "ip6gretap", "erspan", "ip6erspan", "vxlan", "geneve",
	};
	static const uint16_t types[] = {ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT, ARPHRD_IPGRE,
					 ARPHRD_IP6GRE};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(link->kind, kinds[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (link->type == types[i])
			return true;
	return strcmp(link->kind, "tun") == 0 && link->type != ARPHRD_ETHER;
}

/* A line of its own on a router, a VPN elsewhere (PPP); a container's network made by a program, or
 * a VPN (tap): good where there is nothing else. */
static bool is_secondary(const struct netstate_link *link)
{
	return link->type == ARPHRD_PPP || strcmp(link->kind, "ppp") == 0 ||
	       strcmp(link->kind, "tun") == 0;
}

/* ── one address by itself ── */

static bool is_temporary(const struct netstate_address *a)
{
	return a->address.family == 6 && a->flags & IFA_F_TEMPORARY;
}

static bool is_tentative(const struct netstate_address *a)
{
	return a->flags & IFA_F_TENTATIVE && !(a->flags & IFA_F_OPTIMISTIC);
}

static bool is_deprecated(const struct netstate_address *a)
{
	return a->flags & IFA_F_DEPRECATED || a->preferred_s == 0;
}

/* Later on a clock that wraps. */
static bool later(uint32_t a, uint32_t b, uint32_t by)
{
	return (int32_t)(a - b) > (int32_t)by;
}

/* Those that follow from the router's announcements, and are good. */
static bool is_announced(const struct netstate_address *a)
{
	return a->address.family == 6 && !rank_is_static(a) && a->prefix_len < 128 &&
	       !is_temporary(a) && !is_tentative(a) && !is_deprecated(a);
}

/* Whether b shows a to be stale, or may come to do so. */
static bool overtakes(const struct netstate_address *b, const struct netstate_address *a)
{
	return b->ifindex == a->ifindex && is_announced(b) && is_announced(a) &&
	       !rank_same_network(&a->address, &b->address, 64) &&
	       ipclass_of(&a->address) == ipclass_of(&b->address) &&
	       later(b->created_cs, a->updated_cs, STALE_SLACK_CS);
}

/* Whether several routers announce themselves on its link. */
static bool has_two_routers(const struct netstate *state, unsigned ifindex)
{
	const struct ipaddr *first = NULL;

	for (size_t i = 0; i < state->n_routes; i++) {
		const struct netstate_route *route = &state->routes[i];

		if (route->family != 6 || route->ifindex != ifindex)
			continue;
		if (first && !ipaddr_equal(first, &route->gateway))
			return true;
		first = &route->gateway;
	}
	return false;
}

static bool is_stale(const struct netstate *state, const struct netstate_address *a,
		     bool *ret_unsure)
{
	uint32_t after = has_two_routers(state, a->ifindex) ? STALE_AFTER_TWO_CS : STALE_AFTER_CS;

	for (size_t i = 0; i < state->n_addresses; i++) {
		const struct netstate_address *b = &state->addresses[i];

		if (!overtakes(b, a))
			continue;
		if (later(b->updated_cs, b->created_cs, after))
			return true;
		*ret_unsure = true;
	}
	return false;
}

/* The best default route that packets from it could take by its own interface. NULL: none. */
static const struct netstate_route *route_of(const struct netstate *state,
					     const struct netstate_address *a)
{
	const struct netstate_route *best = NULL;

	for (size_t i = 0; i < state->n_routes; i++) {
		const struct netstate_route *route = &state->routes[i];

		if (route->family != a->address.family || route->ifindex != a->ifindex)
			continue;
		if (route->from.addr.family && !cidr_contains(&route->from, &a->address))
			continue;
		if (!best || rank_route_better(route, best))
			best = route;
	}
	return best;
}

/* By what kind of address it is; USABLE, PRIVATE and SHARED may be chosen. */
static enum uplink_verdict verdict_of_class(enum ipclass class,
					    const struct uplink_settings *settings)
{
	switch (class) {
	case IPCLASS_PUBLIC:
		return UPLINK_USABLE;
	case IPCLASS_PRIVATE:
		return UPLINK_PRIVATE;
	case IPCLASS_CGNAT:
	case IPCLASS_DSLITE:
		return UPLINK_SHARED;
	case IPCLASS_LINK_LOCAL:
		return UPLINK_LINK_LOCAL;
	case IPCLASS_LOOPBACK:
		return UPLINK_LOOPBACK;
	case IPCLASS_ULA:
		return UPLINK_UNIQUE_LOCAL;
	case IPCLASS_DOCUMENTATION:
		return settings->allow_documentation ? UPLINK_USABLE : UPLINK_DOCUMENTATION;
	case IPCLASS_NONE:
	case IPCLASS_BENCHMARK:
	case IPCLASS_TEREDO:
	case IPCLASS_6TO4:
	case IPCLASS_NAT64:
	case IPCLASS_ORCHID:
	case IPCLASS_DISCARD:
	case IPCLASS_MULTICAST:
	case IPCLASS_UNSPECIFIED:
	case IPCLASS_RESERVED:
		break;
	}
	return UPLINK_SPECIAL;
}

static bool can_be_chosen(enum uplink_verdict verdict)
{
	return verdict == UPLINK_USABLE || verdict == UPLINK_PRIVATE || verdict == UPLINK_SHARED;
}

/* What is wrong with the interface; else the verdict as it was. */
static enum uplink_verdict verdict_of_link(const struct netstate *state,
					   const struct netstate_link *link,
					   const struct uplink_address *a,
					   const struct uplink_settings *settings)
{
	bool set = settings->interface[0];

	if (is_tunnel(link) && !set && a->class != IPCLASS_DSLITE)
		return UPLINK_TUNNEL;
	return route_of(state, &a->net) ? a->verdict : UPLINK_NO_ROUTE;
}

/* The first that disqualifies an address, in the order in which a person would want to know. */
static enum uplink_verdict verdict_of(const struct netstate *state,
				      const struct netstate_link *link,
				      const struct uplink_address *a,
				      const struct uplink_settings *settings, bool *ret_unsure)
{
	const struct netstate_address *net = &a->net;

	if (!can_be_chosen(a->verdict))
		return a->verdict;
	if (settings->interface[0] && strcmp(settings->interface, link->name) != 0)
		return UPLINK_OTHER_INTERFACE;
	if (!link->running)
		return UPLINK_DOWN;
	if (net->flags & IFA_F_DADFAILED)
		return UPLINK_DUPLICATE;
	if (is_tentative(net))
		return UPLINK_TENTATIVE;
	if (is_temporary(net))
		return UPLINK_TEMPORARY;
	if (is_deprecated(net))
		return UPLINK_DEPRECATED;
	if (is_stale(state, net, ret_unsure))
		return UPLINK_STALE;
	return verdict_of_link(state, link, a, settings);
}

/* ── all addresses ── */

static int compare_addresses(const void *one, const void *other)
{
	const struct netstate_address *a = &((const struct uplink_address *)one)->net;
	const struct netstate_address *b = &((const struct uplink_address *)other)->net;
	int r = memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes));

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	if (a->address.family != b->address.family)
		return a->address.family - b->address.family;
	return r ? r : a->prefix_len - b->prefix_len;
}

/* Those of interfaces that came between the kernel's two answers are left out: they will be told. */
static void take_addresses(const struct netstate *state, const struct uplink_settings *settings,
			   struct uplink_view *view)
{
	for (size_t i = 0; i < state->n_addresses; i++) {
		const struct netstate_address *net = &state->addresses[i];
		const struct netstate_link *link = netstate_find_link(state, net->ifindex);
		struct uplink_address *a = &view->addresses[view->n];

		if (!link)
			continue;
		*a = (struct uplink_address){.net = *net, .class = ipclass_of(&net->address)};
		memcpy(a->ifname, link->name, sizeof(a->ifname));
		memcpy(a->kind, link->kind, sizeof(a->kind));
		a->verdict = verdict_of_class(a->class, settings);
		a->verdict = verdict_of(state, link, a, settings, &view->unsure);
		if (a->verdict == UPLINK_OTHER_INTERFACE)
			a->reason = UPLINK_BY_INTERFACE_SET;
		view->n++;
	}
	if (view->n)
		qsort(view->addresses, view->n, sizeof(*view->addresses), compare_addresses);
}

/* ── the choice ── */

static struct rank_candidate candidate(const struct netstate *state, const struct uplink_address *a,
				       const struct ipaddr *former)
{
	struct rank_candidate c = {
		.address = a,
		.route = route_of(state, &a->net),
		.secondary = is_secondary(netstate_find_link(state, a->net.ifindex)),
		.former = ipaddr_equal(&a->net.address, former),
	};

	for (size_t i = 0; i < state->n_addresses && !c.announced; i++)
		c.announced = state->addresses[i].ifindex == a->net.ifindex &&
			      is_announced(&state->addresses[i]) &&
			      rank_same_network(&state->addresses[i].address, &a->net.address, 64);
	return c;
}

static void settle_place(struct uplink_place *place, const struct rank_candidate *winner)
{
	const struct netstate_address *net = &winner->address->net;

	place->address = net->address;
	place->prefix_len = net->prefix_len;
	place->ifindex = net->ifindex;
	memcpy(place->ifname, winner->address->ifname, sizeof(place->ifname));
	memcpy(place->kind, winner->address->kind, sizeof(place->kind));
	place->verdict = winner->address->verdict;
	place->router = winner->route->gateway.family ? winner->route->gateway : net->peer;
	if (place->router.family != net->address.family) /* IPv4 by an IPv6 router */
		place->router = (struct ipaddr){0};
}

static void choose(const struct netstate *state, struct uplink_view *view, uint8_t family,
		   const struct ipaddr *former, struct uplink_place *place)
{
	struct rank_candidate best = {0};

	for (size_t i = 0; i < view->n; i++) {
		const struct uplink_address *a = &view->addresses[i];

		if (a->net.address.family == family && can_be_chosen(a->verdict)) {
			struct rank_candidate c = candidate(state, a, former);

			if (!best.address || rank_better(&c, &best))
				best = c;
		}
	}
	if (!best.address)
		return;
	settle_place(place, &best);
	for (size_t i = 0; i < view->n; i++) {
		struct uplink_address *a = &view->addresses[i];
		struct rank_candidate c;

		if (a->net.address.family != family || !can_be_chosen(a->verdict))
			continue;
		a->chosen = a == best.address;
		if (a->chosen)
			continue;
		c = candidate(state, a, former);
		a->reason = rank_reason(&best, &c);
		a->verdict = a->net.ifindex == place->ifindex ? UPLINK_OUTRANKED
							      : UPLINK_OTHER_INTERFACE;
	}
}

/* ── when there is none ── */

/* The less it takes to make an address good, the further in front. */
static const enum uplink_verdict nearness[] = {
	UPLINK_TENTATIVE,	UPLINK_TEMPORARY,    UPLINK_STALE,	   UPLINK_DEPRECATED,
	UPLINK_NO_ROUTE,	UPLINK_TUNNEL,	     UPLINK_DOWN,	   UPLINK_DUPLICATE,
	UPLINK_OTHER_INTERFACE, UPLINK_UNIQUE_LOCAL, UPLINK_DOCUMENTATION, UPLINK_SPECIAL,
};

static const struct uplink_address *find_nearest(const struct uplink_view *view, uint8_t family)
{
	for (size_t i = 0; i < ARRAY_LEN(nearness); i++)
		for (size_t k = 0; k < view->n; k++)
			if (view->addresses[k].net.address.family == family &&
			    view->addresses[k].verdict == nearness[i])
				return &view->addresses[k];
	return NULL;
}

static bool has_route(const struct netstate *state, const struct netstate_link *link,
		      uint8_t family)
{
	for (size_t i = 0; i < state->n_routes; i++)
		if (state->routes[i].ifindex == link->ifindex && state->routes[i].family == family)
			return true;
	return false;
}

/* The bridge of containers has no default route of IPv4, either: it is not meant. */
static bool is_deaf(const struct netstate *state, const struct netstate_link *link)
{
	return link->running && link->forwarding6 == 1 && link->accept_ra == 1 &&
	       !is_tunnel(link) && has_route(state, link, 4) && !has_route(state, link, 6);
}

static void find_deaf(const struct netstate *state, struct uplink_view *view)
{
	for (size_t i = 0; i < state->n_links; i++) {
		const struct netstate_link *link = &state->links[i];

		if (is_deaf(state, link)) {
			memcpy(view->deaf, link->name, sizeof(view->deaf));
			return;
		}
	}
}

/* ── a look ── */

int uplink_look(const struct netstate *state, const struct uplink_settings *settings,
		const struct uplink_view *former, struct uplink_view *ret, struct err *e)
{
	static const struct uplink_settings no_settings;
	static const struct uplink_view no_view;
	struct uplink_view view = {.incomplete = state->incomplete};

	settings = settings ? settings : &no_settings;
	former = former ? former : &no_view;
	view.addresses = calloc(MAX(state->n_addresses, 1), sizeof(*view.addresses));
	if (!view.addresses)
		return err_set(e, ERR_NOMEM, "addresses of this machine");
	take_addresses(state, settings, &view);
	choose(state, &view, 4, &former->v4.address, &view.v4);
	choose(state, &view, 6, &former->v6.address, &view.v6);
	if (settings->interface[0] && !netstate_find_name(state, settings->interface))
		memcpy(view.missing, settings->interface, sizeof(view.missing));
	if (!view.v4.address.family)
		view.v4.nearest = find_nearest(&view, 4);
	if (!view.v6.address.family) {
		view.v6.nearest = find_nearest(&view, 6);
		find_deaf(state, &view);
	}
	*ret = view;
	return 0;
}

void uplink_done(struct uplink_view *view)
{
	free(view->addresses);
	*view = (struct uplink_view){0};
}

static bool same_address(const struct uplink_address *a, const struct uplink_address *b)
{
	return a->net.ifindex == b->net.ifindex && ipaddr_equal(&a->net.address, &b->net.address) &&
	       ipaddr_equal(&a->net.peer, &b->net.peer) && a->net.prefix_len == b->net.prefix_len &&
	       a->net.flags == b->net.flags && a->class == b->class && a->verdict == b->verdict &&
	       a->chosen == b->chosen && strcmp(a->ifname, b->ifname) == 0 &&
	       strcmp(a->kind, b->kind) == 0;
}

/* Whose address is the same: where it is, and by which router. */
static bool same_place(const struct uplink_place *a, const struct uplink_place *b)
{
	return ipaddr_equal(&a->address, &b->address) && ipaddr_equal(&a->router, &b->router) &&
	       a->router.scope == b->router.scope && a->ifindex == b->ifindex &&
	       a->prefix_len == b->prefix_len && strcmp(a->ifname, b->ifname) == 0;
}

bool uplink_equal(const struct uplink_view *a, const struct uplink_view *b)
{
	if (a->n != b->n || !same_place(&a->v4, &b->v4) || !same_place(&a->v6, &b->v6) ||
	    a->incomplete != b->incomplete || strcmp(a->missing, b->missing) != 0 ||
	    strcmp(a->deaf, b->deaf) != 0)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same_address(&a->addresses[i], &b->addresses[i]))
			return false;
	return true;
}

const struct uplink_place *uplink_place(const struct uplink_view *view, uint8_t family)
{
	return family == 4 ? &view->v4 : &view->v6;
}

/* ── words ── */

const char *uplink_verdict_name(enum uplink_verdict verdict)
{
	static const char *const names[] = {
#define X(name, word, words) [UPLINK_##name] = word,
		UPLINK_VERDICTS(X)
#undef X
	};

	return names[verdict];
}

static const char *verdict_words(enum uplink_verdict verdict)
{
	static const char *const words[] = {
#define X(name, word, words) [UPLINK_##name] = words,
		UPLINK_VERDICTS(X)
#undef X
	};

	return words[verdict];
}

static const char *reason_words(enum uplink_reason reason)
{
	static const char *const words[] = {
#define X(name, words) [UPLINK_BY_##name] = words,
		UPLINK_REASONS(X)
#undef X
	};

	return words[reason];
}

const char *uplink_words(char text[static UPLINK_WORDS_MAX], const struct uplink_address *a)
{
	const char *more = a->reason != UPLINK_BY_NONE	  ? reason_words(a->reason)
			   : a->verdict == UPLINK_SPECIAL ? ipclass_words(a->class)
							  : "";

	snprintf(text, UPLINK_WORDS_MAX, "%s%s%s", verdict_words(a->verdict), *more ? ": " : "",
		 more);
	return text;
}

/* What a person could do about it; NULL: nothing here. */
static const char *remedy(enum uplink_verdict verdict)
{
	switch (verdict) {
	case UPLINK_TENTATIVE:
		return "it is checked within seconds";
	case UPLINK_TEMPORARY:
		return "a server needs a stable one, too: see \"homeport ip --help\"";
	case UPLINK_TUNNEL:
		return "name its interface to use it all the same";
	case UPLINK_UNIQUE_LOCAL:
		return "the router announces no prefix of the internet";
	case UPLINK_USABLE:
	case UPLINK_PRIVATE:
	case UPLINK_SHARED:
	case UPLINK_OUTRANKED:
	case UPLINK_OTHER_INTERFACE:
	case UPLINK_DEPRECATED:
	case UPLINK_STALE:
	case UPLINK_DUPLICATE:
	case UPLINK_NO_ROUTE:
	case UPLINK_DOWN:
	case UPLINK_DOCUMENTATION:
	case UPLINK_SPECIAL:
	case UPLINK_LINK_LOCAL:
	case UPLINK_LOOPBACK:
		break;
	}
	return NULL;
}

static void nearest_words(char text[static UPLINK_WORDS_MAX], const struct uplink_address *nearest)
{
	char address[IPADDR_TEXT_MAX], words[UPLINK_WORDS_MAX];
	const char *more = remedy(nearest->verdict);

	snprintf(text, UPLINK_WORDS_MAX, "closest is %.45s: %.120s%s%s",
		 ipaddr_format(address, &nearest->net.address), uplink_words(words, nearest),
		 more ? "; " : "", more ? more : "");
}

const char *uplink_lack(char text[static UPLINK_WORDS_MAX], const struct uplink_view *view,
			uint8_t family)
{
	const struct uplink_place *place = uplink_place(view, family);
	char name[LOG_TEXT_MAX];

	*text = '\0';
	if (place->address.family)
		return text;
	if (view->missing[0])
		snprintf(text, UPLINK_WORDS_MAX, "there is no interface %.60s",
			 log_text(name, str_of(view->missing)));
	else if (family == 6 && view->deaf[0])
		snprintf(
			text, UPLINK_WORDS_MAX,
			"%.60s forwards packets (a container's or VPN's doing) and so ignores the "
			"router's announcements; sysctl net.ipv6.conf.%.60s.accept_ra=2 mends that",
			log_text(name, str_of(view->deaf)), name);
	else if (place->nearest)
		nearest_words(text, place->nearest);
	else
		snprintf(text, UPLINK_WORDS_MAX, "no interface has an address beyond its own link");
	return text;
}
