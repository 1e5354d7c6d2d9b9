#include "dns/choose.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/ipclass.h"

const char *dns_source_name(enum dns_source source)
{
	static const char *const names[] = {
#define X(name, word, words) [DNS_SOURCE_##name] = word,
		DNS_SOURCES(X)
#undef X
	};

	return names[source];
}

static bool can_be_published(const struct dns_chooser *c, const struct ipaddr *a, int family)
{
	return a->family == family &&
	       (ipclass_is_public(a) ||
		(c->allow_documentation && ipclass_of(a) == IPCLASS_DOCUMENTATION));
}

void dns_chooser_report(struct dns_chooser *c, enum dns_source source, int family,
			enum dns_wish wish, const struct ipaddr *address, usec_t now)
{
	struct dns_report *r = &c->reports[family == 6][source], said = {.wish = wish};

	if (wish == DNS_WISH_ADDRESS) {
		said.address = *address;
		ipaddr_unmap(&said.address);
		said.address.port = 0;
		said.address.scope = 0;
		if (!can_be_published(c, &said.address, family))
			said = (struct dns_report){.wish = DNS_WISH_NONE, .refused = said.address};
	}
	if (said.wish != r->wish || !ipaddr_same_host(&said.address, &r->address)) {
		*r = said;
		r->since = now;
	}
	r->refused = said.refused;
	r->last = now;
}

/* Those who tell when something changes; the others know what was when they were asked. */
static bool is_ours(enum dns_source source)
{
	return source == DNS_SOURCE_GATEWAY || source == DNS_SOURCE_INTERFACE;
}

void dns_chooser_forget(struct dns_chooser *c)
{
	for (int s = 0; s < DNS_SOURCES_COUNT; s++)
		if (!is_ours((enum dns_source)s))
			c->reports[0][s] = (struct dns_report){0};
}

bool dns_chooser_is_behind(const struct dns_chooser *c)
{
	const struct dns_report *interface = &c->reports[0][DNS_SOURCE_INTERFACE];

	if (c->double_nat || interface->wish == DNS_WISH_ADDRESS)
		return false;
	return c->reports[0][DNS_SOURCE_ROUTER].wish == DNS_WISH_NONE ||
	       (interface->refused.family && ipclass_of(&interface->refused) == IPCLASS_CGNAT);
}

/* Whether what it says may still be so. */
static bool counts(const struct dns_chooser *c, int index, enum dns_source source)
{
	const struct dns_report *r = &c->reports[index][source];

	if (r->wish != DNS_WISH_ADDRESS)
		return false;
	return is_ours(source) || !c->chosen[index].family ||
	       ipaddr_same_host(&r->address, &c->chosen[index]) || r->last >= c->chosen_at[index];
}

/* How many say so, and when the last of them did. */
static unsigned voices(const struct dns_chooser *c, int index, const struct ipaddr *address,
		       usec_t *ret_last)
{
	unsigned n = 0;

	*ret_last = 0;
	for (int s = 0; s < DNS_SOURCES_COUNT; s++) {
		const struct dns_report *r = &c->reports[index][s];

		if (!counts(c, index, (enum dns_source)s) ||
		    !ipaddr_same_host(&r->address, address))
			continue;
		n++;
		*ret_last = MAX(*ret_last, r->last);
	}
	return n;
}

/* Whether what this source says of IPv4 is to be believed by now; if not, *ret_at may tell when it should
 * be asked again. */
static bool believed(const struct dns_chooser *c, enum dns_source source, usec_t now,
		     usec_t *ret_at)
{
	const struct dns_report *r = &c->reports[0][source];
	usec_t at = r->since + DNS_CHOOSE_WHILE, last;

	if (!counts(c, 0, source))
		return false;
	if (is_ours(source) || voices(c, 0, &r->address, &last) >= 2)
		return true;
	if (source == DNS_SOURCE_ROUTER)
		return false;
	if (r->last >= at)
		return true;
	if (at > now && (!*ret_at || at < *ret_at))
		*ret_at = at;
	return false;
}

/* The first that says what was chosen; DNS_SOURCES_COUNT: nobody does. */
static enum dns_source first_of_chosen(const struct dns_chooser *c, int index)
{
	int s = 0;

	while (s < DNS_SOURCES_COUNT &&
	       (c->reports[index][s].wish != DNS_WISH_ADDRESS ||
		!ipaddr_same_host(&c->reports[index][s].address, &c->chosen[index])))
		s++;
	return (enum dns_source)s;
}

static void take(struct dns_chooser *c, int index, const struct ipaddr *address, usec_t now,
		 struct ipaddr *ret_address, enum dns_source *ret_source)
{
	if (!ipaddr_same_host(&c->chosen[index], address))
		c->chosen_at[index] = now;
	c->chosen[index] = *address;
	*ret_address = *address;
	*ret_source = first_of_chosen(c, index);
}

/* The first that is believed: who tells when something changes, else who speaks of another address than
 * the one before. DNS_SOURCES_COUNT: nobody. */
static enum dns_source first_with_news(const struct dns_chooser *c, usec_t now, usec_t *ret_at)
{
	for (int s = 0; s < DNS_SOURCES_COUNT; s++)
		if (believed(c, (enum dns_source)s, now, ret_at) &&
		    (is_ours((enum dns_source)s) ||
		     !ipaddr_same_host(&c->reports[0][s].address, &c->chosen[0])))
			return (enum dns_source)s;
	return DNS_SOURCES_COUNT;
}

static bool decide4(struct dns_chooser *c, usec_t now, struct ipaddr *ret_address,
		    enum dns_source *ret_source, usec_t *ret_at)
{
	enum dns_source former = first_of_chosen(c, 0), news = first_with_news(c, now, ret_at);
	usec_t former_last, news_last;

	if (dns_chooser_is_behind(c))
		return false;
	if (news == DNS_SOURCES_COUNT && former == DNS_SOURCES_COUNT)
		return false;
	if (news == DNS_SOURCES_COUNT) {
		news = former;
	} else if (!is_ours(news) && former < DNS_SOURCES_COUNT) {
		voices(c, 0, &c->chosen[0], &former_last);
		voices(c, 0, &c->reports[0][news].address, &news_last);
		if (news_last <= former_last + DNS_CHOOSE_ROUND)
			news = former;
	}
	take(c, 0, &c->reports[0][news].address, now, ret_address, ret_source);
	return true;
}

static enum dns_wish decide6(struct dns_chooser *c, usec_t now, struct ipaddr *ret_address,
			     enum dns_source *ret_source, usec_t *ret_at)
{
	const struct dns_report *r = &c->reports[1][DNS_SOURCE_INTERFACE];

	if (r->wish == DNS_WISH_ADDRESS) {
		take(c, 1, &r->address, now, ret_address, ret_source);
		*ret_source = DNS_SOURCE_INTERFACE;
		return DNS_WISH_ADDRESS;
	}
	for (int s = 0; s < DNS_SOURCES_COUNT; s++)
		if (counts(c, 1, (enum dns_source)s))
			return DNS_WISH_UNKNOWN; /* there is one, of whatever kind */
	if (r->wish != DNS_WISH_NONE)
		return DNS_WISH_UNKNOWN;
	if (now >= r->since + DNS_CHOOSE_NONE)
		return DNS_WISH_NONE;
	*ret_at = r->since + DNS_CHOOSE_NONE;
	return DNS_WISH_UNKNOWN;
}

enum dns_wish dns_chooser_decide(struct dns_chooser *c, int family, usec_t now,
				 struct ipaddr *ret_address, enum dns_source *ret_source,
				 usec_t *ret_at)
{
	*ret_at = 0;
	if (family == 6)
		return decide6(c, now, ret_address, ret_source, ret_at);
	return decide4(c, now, ret_address, ret_source, ret_at) ? DNS_WISH_ADDRESS
								: DNS_WISH_UNKNOWN;
}

bool dns_chooser_wants_more(const struct dns_chooser *c, int family, usec_t now)
{
	struct dns_chooser then = *c;
	enum dns_source source;
	struct ipaddr address;
	usec_t at = 0;

	if (family == 6) /* the interface knows */
		return false;
	if (!decide4(&then, now, &address, &source, &at))
		return true;
	if (is_ours(source))
		return false;
	for (int s = 0; s < DNS_SOURCES_COUNT; s++)
		if (counts(&then, 0, (enum dns_source)s) &&
		    !ipaddr_same_host(&then.reports[0][s].address, &address))
			return true;
	return false;
}

/* What it said, whether it can be published or not; family 0: nothing. */
static const struct ipaddr *said(const struct dns_report *r)
{
	return r->wish == DNS_WISH_ADDRESS ? &r->address : &r->refused;
}

bool dns_chooser_is_shared(const struct dns_chooser *c)
{
	const struct ipaddr *router = said(&c->reports[0][DNS_SOURCE_ROUTER]);

	return c->chosen[0].family && router->family && !ipaddr_same_host(router, &c->chosen[0]);
}

/* ── words ── */

struct writing {
	char *text;
	size_t n;
};

static void say(struct writing *w, const char *fmt, ...) PRINTF(2, 3);

static void say(struct writing *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(w->text + w->n, DNS_CHOOSER_TEXT_MAX - w->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		w->n = MIN(w->n + (size_t)n, (size_t)DNS_CHOOSER_TEXT_MAX - 1);
}

static const char *source_words(int source)
{
	static const char *const list[] = {
#define X(name, word, words) [DNS_SOURCE_##name] = words,
		DNS_SOURCES(X)
#undef X
	};

	return list[source];
}

static void say_chosen(struct writing *w, const struct dns_chooser *c, int index,
		       enum dns_source source)
{
	const char *between = ", confirmed by ";
	char address[IPADDR_TEXT_MAX];

	say(w, "%s from %s", ipaddr_format(address, &c->chosen[index]), source_words((int)source));
	for (int s = 0; s < DNS_SOURCES_COUNT; s++)
		if (s != (int)source && c->reports[index][s].wish == DNS_WISH_ADDRESS &&
		    ipaddr_same_host(&c->reports[index][s].address, &c->chosen[index])) {
			say(w, "%s%s", between, source_words(s));
			between = ", ";
		}
	if (index == 0 && dns_chooser_is_shared(c))
		say(w, "; the router itself has %s: another router or the provider translates",
		    ipaddr_format(address, said(&c->reports[0][DNS_SOURCE_ROUTER])));
}

static void say_why_not(struct writing *w, const struct dns_chooser *c, int index)
{
	const char *between = "";
	char address[IPADDR_TEXT_MAX];

	for (int s = 0; s < DNS_SOURCES_COUNT; s++) {
		const struct dns_report *r = &c->reports[index][s];
		const struct ipaddr *a = said(r);

		if (index == 0 && s == DNS_SOURCE_ROUTER && r->wish == DNS_WISH_NONE &&
		    !a->family) {
			say(w, "%sthe router says that it has none", between);
			between = "; ";
		}
		if (!a->family)
			continue;
		say(w, "%s%s from %s ", between, ipaddr_format(address, a), source_words(s));
		between = "; ";
		if (r->wish != DNS_WISH_ADDRESS)
			say(w, "is %s", ipclass_words(ipclass_of(a)));
		else if (!counts(c, index, (enum dns_source)s))
			say(w, "is what it was before");
		else if (index == 0 && dns_chooser_is_behind(c))
			say(w, "is not ours");
		else if (index)
			say(w, "is none that the interface says to have");
		else
			say(w, "is said by nobody else yet");
	}
	if (index == 0 && dns_chooser_is_behind(c))
		say(w, "; another router or the provider translates (if it is a router whose ports "
		       "lead here: double-nat = yes)");
	if (!w->n)
		say(w, c->reports[index][DNS_SOURCE_INTERFACE].wish == DNS_WISH_NONE
			       ? "the interface has none"
			       : "nobody has told one yet");
}

const char *dns_chooser_text(char text[static DNS_CHOOSER_TEXT_MAX], const struct dns_chooser *c,
			     int family, enum dns_wish wish, enum dns_source source)
{
	struct writing w = {.text = text};

	text[0] = '\0';
	if (wish == DNS_WISH_ADDRESS)
		say_chosen(&w, c, family == 6, source);
	else
		say_why_not(&w, c, family == 6);
	return text;
}

bool dns_suffix_apply(const struct ipaddr *ours, unsigned prefix_bits, const struct ipaddr *suffix,
		      struct ipaddr *ret)
{
	struct ipaddr made = {.family = 6};

	if (ours->family != 6 || suffix->family != 6 || prefix_bits > 64)
		return false;
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = prefix_bits > 8 * i ? MIN(prefix_bits - 8 * i, 8u) : 0;
		uint8_t mask = (uint8_t)(0xff00u >> bits);

		made.bytes[i] = (uint8_t)((ours->bytes[i] & mask) | (suffix->bytes[i] & ~mask));
	}
	*ret = made;
	return true;
}
