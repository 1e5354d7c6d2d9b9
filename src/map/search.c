#include "map/search.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cidr.h"
#include "base/log.h"
#include "map/xml.h"
#include "net/sock.h"
#include "net/udp.h"
#include "proto/ssdp.h"

#define HOPS 2 /* of what goes to the group (§1.3.2: SHOULD be 2) */
#define MX   2 /* seconds over which the group spreads its answers */

#define URN "urn:schemas-upnp-org:device:InternetGatewayDevice:"

/*
 * When who is asked for what. Answers within SEARCH_TIME to the last question but those of devices
 * that wait for all of MX, which have had others before.
 */
static const struct {
	usec_t at; /* since the beginning */
	bool router, group, everything;
} tries[] = {
	{.at = 0, .router = true},
	{.at = 60 * USEC_PER_MS, .group = true, .everything = true},
	{.at = 500 * USEC_PER_MS, .router = true, .group = true},
	{.at = 1200 * USEC_PER_MS, .router = true, .group = true},
};

struct search {
	/* configuration */
	struct loop *loop; /* borrowed */
	struct map_place place;
	void (*done)(void *arg, const struct search_answers *answers);
	void *arg;
	/* state */
	int fd;
	struct watch *watch; /* owned */
	usec_t began;
	unsigned n_tries;
	struct timer next;	      /* try */
	struct timer end;	      /* of the search */
	usec_t end_at;		      /* when it fires; only ever earlier */
	bool router_answers;	      /* to anything */
	struct search_answers router; /* its own */
	struct search_answers others;
};

/* ── what is believed ── */

/* In the prefix of our address, and one that a host may have. */
static bool in_prefix(const struct map_place *place, const struct ipaddr *a)
{
	static const struct ipaddr v4_broadcast = {.family = 4, .bytes = {255, 255, 255, 255}};
	struct cidr link = {.addr = place->address, .bits = place->prefix_len};

	for (unsigned bit = link.bits; bit < (link.addr.family == 4 ? 32u : 128u); bit++)
		link.addr.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	if (link.bits == 0 || !cidr_contains(&link, a))
		return false;
	return !ipaddr_is_loopback(a) && !ipaddr_is_unspecified(a) &&
	       !ipaddr_same_host(a, &v4_broadcast) && !ipaddr_same_host(a, &link.addr);
}

static bool on_link(const struct map_place *place, const struct ipaddr *a)
{
	if (a->family != place->address.family || ipaddr_same_host(a, &place->address))
		return false;
	if (ipaddr_is_link_local6(a))
		return a->scope == place->ifindex;
	return in_prefix(place, a);
}

static bool is_router(const struct map_place *place, const struct ipaddr *a)
{
	return ipaddr_same_host(a, &place->router) &&
	       (!ipaddr_is_link_local6(a) || a->scope == place->router.scope);
}

static bool contains(struct str s, const char *part)
{
	return s.len && memmem(s.at, s.len, part, strlen(part));
}

static enum search_rank rank_of(struct str target)
{
	static const char *const parts[] = {
		"WANDevice:", "WANConnectionDevice:", "WANIPConnection:", "WANPPPConnection:",
		"WANIPv6FirewallControl:"};

	if (contains(target, ":InternetGatewayDevice:"))
		return str_ends_nocase(target, STR(":1")) ? SEARCH_IGD_1 : SEARCH_IGD_2;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (contains(target, parts[i]))
			return SEARCH_WAN;
	return SEARCH_ELSE;
}

int search_believe(const struct map_place *place, const struct ipaddr *from, const void *bytes,
		   size_t len, struct search_answer *ret, struct err *e)
{
	struct ssdp_message message;
	struct search_answer answer = {0};
	struct ipaddr location;
	struct str path;
	bool router = is_router(place, from);
	int r;

	if (!router && !on_link(place, from))
		return err_set(e, ERR_DENIED, "SSDP: from elsewhere than this link");
	r = ssdp_decode(bytes, len, &message, e);
	if (r < 0)
		return r;
	if (message.kind != SSDP_ANSWER)
		return err_set(e, ERR_INVALID, "SSDP: not an answer");
	r = ssdp_location_parse(message.location, &location, &path, e);
	if (r < 0)
		return err_wrap(e, -ERR_DENIED, "SSDP");
	/* Over IPv6 a router may name an address of a prefix that is gone; it is not spoken to there. */
	if (location.family != from->family ||
	    (!ipaddr_same_host(&location, from) && !(router && from->family == 6)))
		return err_set(e, ERR_DENIED, "SSDP: the location is not the sender's address");
	if (!str_copy(answer.path, sizeof(answer.path), path))
		return err_set(e, ERR_DENIED, "SSDP: the location's path is too long");
	answer.at = *from;
	answer.at.port = location.port;
	answer.rank = rank_of(message.target);
	answer.other = !router;
	xml_printable(answer.server, sizeof(answer.server), message.server);
	*ret = answer;
	return 0;
}

void search_keep(struct search_answers *answers, const struct search_answer *answer)
{
	unsigned at;

	/* One device answers for each of its parts: the best name of a description counts. */
	for (unsigned i = 0; i < answers->n; i++) {
		struct search_answer *known = &answers->list[i];

		if (!ipaddr_equal(&known->at, &answer->at) ||
		    strcmp(known->path, answer->path) != 0)
			continue;
		if (known->rank <= answer->rank)
			return;
		memmove(known, known + 1, (--answers->n - i) * sizeof(*known));
		break;
	}
	for (at = answers->n; at > 0 && answers->list[at - 1].rank > answer->rank; at--)
		;
	if (at == SEARCH_ANSWERS_MAX)
		return;
	answers->n = MIN(answers->n + 1, (unsigned)SEARCH_ANSWERS_MAX);
	memmove(&answers->list[at + 1], &answers->list[at],
		(answers->n - 1 - at) * sizeof(*answer));
	answers->list[at] = *answer;
}

/* ── asking ── */

static void ask(struct search *s, const struct ipaddr *to, const char *target, unsigned mx)
{
	char text[SSDP_SEARCH_MAX];
	struct iovec iov = {.iov_base = text};

	/* One that cannot be sent is as if it were lost: there are more. */
	iov.iov_len = ssdp_format_search(text, to, str_of(target), mx);
	udp_send(s->fd, to, NULL, &iov, 1);
}

static void ask_router(struct search *s)
{
	struct ipaddr to = s->place.router;

	to.port = SSDP_PORT;
	ask(s, &to, URN "2", 0);
	ask(s, &to, URN "1", 0);
}

static void ask_group(struct search *s, const char *group, bool everything)
{
	struct ipaddr to;

	if (ipaddr_parse(str_of(group), &to) < 0)
		abort(); /* it is ours */
	to.port = SSDP_PORT;
	to.scope = to.family == 6 ? s->place.ifindex : 0;
	ask(s, &to, URN "2", MX);
	ask(s, &to, URN "1", MX);
	if (everything)
		ask(s, &to, "ssdp:all", MX);
}

static void ask_groups(struct search *s, bool everything)
{
	if (ipaddr_is_loopback(&s->place.address))
		return;
	if (s->place.address.family == 4) {
		ask_group(s, "239.255.255.250", everything);
		return;
	}
	ask_group(s, "ff02::c", everything);
	ask_group(s, "ff05::c", everything);
}

static void search_on_next(void *arg)
{
	struct search *s = arg;
	unsigned i = s->n_tries++;

	if (tries[i].router)
		ask_router(s);
	if (tries[i].group)
		ask_groups(s, tries[i].everything);
	if (s->n_tries < ARRAY_LEN(tries))
		timer_start_at(&s->next, s->began + tries[s->n_tries].at);
}

/* ── answers ── */

static void search_free(struct search *s)
{
	timer_stop(&s->next);
	timer_stop(&s->end);
	watch_free(s->watch);
	closep(&s->fd);
	free(s);
}

static void search_on_end(void *arg)
{
	struct search *s = arg;
	struct search_answers answers = s->router_answers ? s->router : s->others;
	void (*done)(void *arg, const struct search_answers *answers) = s->done;
	void *done_arg = s->arg;

	search_free(s);
	done(done_arg, &answers);
}

static void end_by(struct search *s, usec_t at)
{
	if (at >= s->end_at)
		return;
	s->end_at = at;
	timer_start_at(&s->end, at);
}

/* The router has said what it is: the best there is ends the search, else its other names may
 * follow. */
static void settle(struct search *s, enum search_rank rank)
{
	if (rank == SEARCH_ELSE)
		return;
	timer_stop(&s->next);
	end_by(s, loop_now(s->loop) + (rank == SEARCH_IGD_2 ? 0 : SEARCH_SETTLE));
}

static void take_datagram(struct search *s, const struct udp_datagram *d)
{
	char text[IPADDR_TEXT_MAX];
	struct search_answer answer;
	struct err e = {0};

	if (search_believe(&s->place, &d->peer, d->bytes, d->len, &answer, &e) < 0) {
		log_debug("%s: %s", ipaddr_format(text, &d->peer), e.text);
		return;
	}
	answer.took = loop_now(s->loop) - s->began;
	s->router_answers |= !answer.other;
	search_keep(answer.other ? &s->others : &s->router, &answer);
	if (!answer.other)
		settle(s, answer.rank);
}

/* One batch a turn, so that whoever floods us does not have the loop to himself. */
static void search_on_watch(void *arg, unsigned events)
{
	struct search *s = arg;
	struct udp_datagram list[UDP_BATCH_MAX];
	int n = udp_receive(s->loop, s->fd, UDP_BATCH_MAX, list, NULL);

	for (int i = 0; i < n; i++)
		take_datagram(s, &list[i]);
}

/* ── beginning ── */

/* Where to ask from: our address, or to a link-local router the link-local one of that link. */
static int source_address(const struct map_place *place, struct ipaddr *ret, struct err *e)
{
	struct ipaddr to = place->router;
	int fd, r;

	*ret = place->address;
	if (!ipaddr_is_link_local6(&to))
		return 0;
	to.port = SSDP_PORT;
	r = udp_connect(&to, &fd, e);
	if (r < 0)
		return r;
	sock_local_addr(fd, ret);
	close(fd);
	ret->port = 0;
	return 0;
}

static int set_group(int fd, const struct map_place *place, const struct ipaddr *source,
		     struct err *e)
{
	struct ip_mreqn link = {.imr_ifindex = (int)place->ifindex};
	int hops = HOPS, ifindex = (int)place->ifindex, r;

	if (ipaddr_is_loopback(source))
		return 0;
	if (source->family == 4) {
		memcpy(&link.imr_address, source->bytes, 4);
		r = setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &link, sizeof(link));
		if (r == 0)
			r = setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof(hops));
	} else {
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ifindex, sizeof(ifindex));
		if (r == 0)
			r = setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
	}
	return r == 0 ? 0 : err_set_errno(e, ERR_FAILED, "multicast on %s", place->ifname);
}

static int search_open(struct search *s, struct err *e)
{
	struct ipaddr source;
	int r = source_address(&s->place, &source, e);

	if (r == 0)
		r = udp_bind(&source, &s->fd, e);
	if (r == 0)
		r = set_group(s->fd, &s->place, &source, e);
	if (r == 0)
		r = watch_new(s->loop, s->fd, search_on_watch, s, &s->watch, e);
	return r;
}

int search_start(struct loop *loop, const struct map_place *place,
		 void (*done)(void *arg, const struct search_answers *answers), void *arg,
		 struct search **ret_search, struct err *e)
{
	struct search *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, ERR_NOMEM, "SSDP search");
	*s = (struct search){.loop = loop,
			     .place = *place,
			     .done = done,
			     .arg = arg,
			     .fd = -1,
			     .began = loop_now(loop),
			     .end_at = USEC_MAX};
	timer_init(&s->next, loop, search_on_next, s);
	timer_init(&s->end, loop, search_on_end, s);
	r = search_open(s, e);
	if (r < 0) {
		search_free(s);
		return err_wrap(e, r == -ERR_NOMEM ? r : -ERR_FAILED, "SSDP search");
	}
	watch_set(s->watch, WATCH_READ);
	end_by(s, s->began + SEARCH_TIME);
	search_on_next(s);
	*ret_search = s;
	return 0;
}

void search_cancel(struct search *s)
{
	if (s)
		search_free(s);
}
