#include "dns/observe.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "dns/ask_stun.h"
#include "proto/stun.h"

struct service {
	enum dns_source source;
	char *at; /* owned */
	char host[HOSTNAME_MAX];
	uint16_t port; /* STUN */
	unsigned families;
	usec_t interval;
	usec_t asked[2]; /* IPv4, IPv6; with 1 added: 0 is never */
};

struct question;

/* One service asked for one question. */
struct voice {
	struct question *question; /* borrowed */
	struct service *service;   /* borrowed */
	struct dns_ask_stun *stun; /* owned, while it is under way */
	struct httpc_call *call;   /* likewise */
	struct ipaddr address;	   /* said; family 0: not, or not yet */
};

/* One kind of service for one question. */
struct side {
	enum dns_source source;
	bool open;  /* not finished yet */
	bool ready; /* finished, not told yet */
	unsigned need;
	struct voice voices[DNS_OBSERVE_TRIES];
	unsigned n, running;
	struct dns_told told;
};

enum { STUN_SIDE, ECHO_SIDE, SIDES };

struct question {
	struct dns_observer *observer; /* borrowed */
	struct list node;
	int family;
	struct ipaddr from; /* family 0: any */
	struct side sides[SIDES];
	struct defer tell;
};

struct dns_observer {
	/* configuration */
	struct loop *loop;   /* borrowed */
	struct httpc *httpc; /* borrowed */
	struct service services[DNS_SERVICES_MAX];
	size_t n_services;
	char *ca_file; /* owned */
	char interface[IF_NAMESIZE];
	const struct ipaddr *(*peer)(void *arg, const char *url);
	void (*on_told)(void *arg, const struct dns_told *told);
	void *arg;
	/* state */
	struct list questions; /* owned */
	unsigned n_questions;
	size_t turn; /* which service is the first next time */
};

/* ── what an echo service says ── */

int dns_echo_parse(struct str body, int family, struct ipaddr *ret, struct err *e)
{
	static const char blanks[] = " \t\r\n";
	struct ipaddr address;
	char text[LOG_TEXT_MAX];

	if (body.len > DNS_ECHO_MAX)
		return err_set(e, ERR_INVALID, "its answer is longer than an address");
	while (body.len && strchr(blanks, body.at[0]) && body.at[0])
		body = str_n(body.at + 1, body.len - 1);
	while (body.len && strchr(blanks, body.at[body.len - 1]) && body.at[body.len - 1])
		body.len--;
	if (str_starts(body, STR("[")) || ipaddr_parse(body, &address) < 0)
		return err_set(e, ERR_INVALID, "its answer is no address: %s",
			       log_text(text, body));
	if (address.family != family)
		return err_set(e, ERR_INVALID, "its answer is an address of the other family");
	*ret = address;
	return 0;
}

/* ── the end of a question ── */

static void voice_cancel(struct voice *v)
{
	dns_ask_stun_cancel(v->stun);
	httpc_cancel(v->call);
	v->stun = NULL;
	v->call = NULL;
}

static void question_free(struct question *q)
{
	for (int i = 0; i < SIDES; i++)
		for (unsigned j = 0; j < q->sides[i].n; j++)
			voice_cancel(&q->sides[i].voices[j]);
	defer_cancel(&q->tell);
	list_remove(&q->node);
	q->observer->n_questions--;
	free(q);
}

static void tell(void *arg)
{
	struct question *q = arg;
	struct dns_observer *o = q->observer;
	struct side *ready = NULL;
	struct dns_told told;
	bool more = false;

	for (int i = 0; i < SIDES; i++) {
		if (q->sides[i].ready && !ready)
			ready = &q->sides[i];
		else
			more |= q->sides[i].ready || q->sides[i].open;
	}
	if (!ready)
		return;
	ready->ready = false;
	told = ready->told;
	if (!more)
		question_free(q);
	else
		defer_call(&q->tell);
	o->on_told(o->arg, &told); /* o may be gone */
}

/* ── one kind ── */

static bool serves(const struct service *s, enum dns_source source, int family)
{
	return s->source == source && s->families & (family == 4 ? DNS_OVER_IPV4 : DNS_OVER_IPV6);
}

static usec_t due_at(const struct service *s, int family)
{
	usec_t asked = s->asked[family == 6];

	return asked ? asked - 1 + s->interval : 0;
}

static bool is_asked(const struct side *side, const struct service *s)
{
	for (unsigned i = 0; i < side->n; i++)
		if (side->voices[i].service == s)
			return true;
	return false;
}

static struct service *next_service(struct question *q, const struct side *side)
{
	struct dns_observer *o = q->observer;

	for (size_t i = 0; i < o->n_services; i++) {
		struct service *s = &o->services[(o->turn + i) % o->n_services];

		if (serves(s, side->source, q->family) && !is_asked(side, s) &&
		    due_at(s, q->family) <= loop_now(o->loop)) {
			if (side->source == DNS_SOURCE_ECHO)
				o->turn = (size_t)(s - o->services) + 1;
			return s;
		}
	}
	return NULL;
}

static usec_t again_at(const struct question *q, const struct side *side)
{
	const struct dns_observer *o = q->observer;
	usec_t soonest = 0;

	for (size_t i = 0; i < o->n_services; i++) {
		const struct service *s = &o->services[i];
		usec_t at = due_at(s, q->family);

		if (serves(s, side->source, q->family) && (!soonest || at < soonest))
			soonest = at;
	}
	return soonest <= loop_now(o->loop) ? 0 : soonest;
}

/* The address that most have said; how many. */
static unsigned most(const struct side *side, const struct ipaddr **ret)
{
	unsigned best = 0;

	for (unsigned i = 0; i < side->n; i++) {
		unsigned n = 0;

		for (unsigned j = 0; j < side->n; j++)
			n += side->voices[i].address.family != 0 &&
			     ipaddr_same_host(&side->voices[i].address, &side->voices[j].address);
		if (n > best) {
			best = n;
			*ret = &side->voices[i].address;
		}
	}
	return best;
}

static void name_them(struct side *side, const struct ipaddr *address)
{
	size_t n = 0;

	for (unsigned i = 0; i < side->n; i++)
		if (ipaddr_same_host(&side->voices[i].address, address) &&
		    n < sizeof(side->told.who))
			n += (size_t)snprintf(side->told.who + n, sizeof(side->told.who) - n,
					      "%s%s", n ? ", " : "", side->voices[i].service->host);
}

static void finish(struct question *q, struct side *side, const struct ipaddr *address)
{
	for (unsigned i = 0; i < side->n; i++)
		voice_cancel(&side->voices[i]);
	side->running = 0;
	side->open = false;
	side->ready = true;
	side->told.source = side->source;
	side->told.family = q->family;
	side->told.from = q->from;
	side->told.again = again_at(q, side);
	if (address) {
		side->told.address = *address;
		side->told.why = (struct err){0};
		name_them(side, address);
	} else if (side->n == 0) {
		err_set(&side->told.why, ERR_AGAIN, "asked too lately to ask again");
	}
	defer_call(&q->tell);
}

static bool start_voice(struct question *q, struct side *side, struct service *s);

static void advance(struct question *q, struct side *side)
{
	const struct ipaddr *address = NULL;
	unsigned agree;

	if (!side->open)
		return;
	agree = most(side, &address);
	if (agree >= side->need) {
		finish(q, side, address);
		return;
	}
	while (side->running + agree < side->need && side->n < DNS_OBSERVE_TRIES) {
		struct service *s = next_service(q, side);

		if (!s)
			break;
		start_voice(q, side, s);
	}
	if (side->running)
		return;
	if (agree && !side->told.why.code)
		err_set(&side->told.why, ERR_FAILED,
			agree < side->n ? "they disagree" : "only one of them could be asked");
	finish(q, side, NULL);
}

/* ── one service ── */

static struct side *side_of(struct voice *v)
{
	for (int i = 0; i < SIDES; i++)
		if (v->question->sides[i].source == v->service->source)
			return &v->question->sides[i];
	return NULL;
}

static void voice_said(struct voice *v, int r, const struct ipaddr *address, const struct err *e)
{
	struct side *side = side_of(v);

	v->stun = NULL;
	v->call = NULL;
	side->running--;
	if (r == 0)
		v->address = *address;
	else
		err_set(&side->told.why, e->code ? e->code : ERR_FAILED, "%s: %s", v->service->host,
			e->text);
	advance(v->question, side);
}

static void on_stun(void *arg, int r, const struct ipaddr *address, const struct err *e)
{
	voice_said(arg, r, address, e);
}

static void on_echo(void *arg, const struct httpc_answer *answer)
{
	struct voice *v = arg;
	struct err e = answer->err;
	struct ipaddr address;
	int r = answer->r;

	if (r == 0 && answer->status != 200)
		r = err_set(&e, ERR_REFUSED, "it answers with status %u", answer->status);
	if (r == 0)
		r = dns_echo_parse(answer->body, v->question->family, &address, &e);
	voice_said(v, r, &address, &e);
}

static int ask_echo(struct voice *v, struct err *e)
{
	static const struct httpc_header accept = {"Accept", "text/plain"};
	struct question *q = v->question;
	struct dns_observer *o = q->observer;
	struct httpc_request request = {
		.url = v->service->at,
		.headers = &accept,
		.n_headers = 1,
		.source = q->from.family ? &q->from : NULL,
		.peer = o->peer ? o->peer(o->arg, v->service->at) : NULL,
		.family = (unsigned)q->family,
		.interface_name = *o->interface ? o->interface : NULL,
		.ca_file = o->ca_file,
		.https_only = true,
		.timeout = DNS_OBSERVE_TIMEOUT,
		.body_max = DNS_ECHO_MAX,
	};

	return httpc_start(o->httpc, &request, on_echo, v, &v->call, e);
}

/* False: it could not even begin, and the next may. */
static bool start_voice(struct question *q, struct side *side, struct service *s)
{
	struct voice *v = &side->voices[side->n++];
	struct dns_observer *o = q->observer;
	struct err e = {0};
	int r;

	*v = (struct voice){.question = q, .service = s};
	s->asked[q->family == 6] = loop_now(o->loop) + 1;
	if (s->source == DNS_SOURCE_STUN)
		r = dns_ask_stun_start(o->loop, s->host, s->port, (uint8_t)q->family,
				       q->from.family ? &q->from : NULL,
				       *o->interface ? o->interface : NULL, on_stun, v, &v->stun,
				       &e);
	else
		r = ask_echo(v, &e);
	if (r == 0)
		side->running++;
	else
		err_set(&side->told.why, e.code, "%s: %s", s->host, e.text);
	return r == 0;
}

/* ── questions ── */

static unsigned count(const struct dns_observer *o, enum dns_source source, int family)
{
	unsigned n = 0;

	for (size_t i = 0; i < o->n_services; i++)
		n += serves(&o->services[i], source, family);
	return n;
}

static const struct {
	unsigned kind;
	enum dns_source source;
} kinds_of_sides[SIDES] = {
	[STUN_SIDE] = {DNS_ASK_STUN, DNS_SOURCE_STUN},
	[ECHO_SIDE] = {DNS_ASK_ECHO, DNS_SOURCE_ECHO},
};

/* The kinds that are not being asked already, and can be. */
static unsigned kinds_left(const struct dns_observer *o, int family, const struct ipaddr *from,
			   unsigned kinds)
{
	const struct question *q;

	list_for_each (q, &o->questions, node)
		if (q->family == family &&
		    (from ? ipaddr_same_host(&q->from, from) : !q->from.family))
			for (int i = 0; i < SIDES; i++)
				if (q->sides[i].open || q->sides[i].ready)
					kinds &= ~kinds_of_sides[i].kind;
	return kinds;
}

static unsigned kinds_served(const struct dns_observer *o, int family, unsigned kinds)
{
	for (int i = 0; i < SIDES; i++)
		if (!count(o, kinds_of_sides[i].source, family))
			kinds &= ~kinds_of_sides[i].kind;
	return kinds;
}

static void begin_side(struct question *q, int i)
{
	struct side *side = &q->sides[i];
	unsigned n = count(q->observer, kinds_of_sides[i].source, q->family);

	side->source = kinds_of_sides[i].source;
	side->need = i == STUN_SIDE ? 1 : MIN(n, (unsigned)DNS_OBSERVE_QUORUM);
	side->open = true;
}

int dns_observer_ask(struct dns_observer *o, int family, const struct ipaddr *from, unsigned kinds,
		     struct err *e)
{
	struct question *q;

	if (from && from->family != family)
		return err_set(e, ERR_INVALID, "an address of the other family");
	kinds = kinds_served(o, family, kinds);
	if (!kinds)
		return err_set(e, ERR_NOT_FOUND, "no service tells an IPv%d address", family);
	kinds = kinds_left(o, family, from, kinds);
	if (!kinds)
		return 0;
	if (o->n_questions == DNS_OBSERVE_QUESTIONS)
		return err_set(e, ERR_LIMIT, "%d questions are under way", DNS_OBSERVE_QUESTIONS);
	q = calloc(1, sizeof(*q));
	if (!q)
		return err_set(e, ERR_NOMEM, "question");
	q->observer = o;
	q->family = family;
	if (from)
		q->from = *from;
	q->from.port = 0;
	defer_init(&q->tell, o->loop, tell, q);
	list_push(&o->questions, &q->node);
	o->n_questions++;
	for (int i = 0; i < SIDES; i++)
		if (kinds & kinds_of_sides[i].kind)
			begin_side(q, i);
	for (int i = 0; i < SIDES; i++)
		advance(q, &q->sides[i]);
	return 0;
}

/* ── the observer ── */

void dns_observer_bind(struct dns_observer *o, const char *interface)
{
	if (!str_copy(o->interface, sizeof(o->interface), str_of(interface)))
		*o->interface = '\0'; /* the kernel has no longer ones */
}

static int take_service(struct dns_observer *o, const struct dns_service *from, struct err *e)
{
	struct service *s = &o->services[o->n_services];
	struct str rest = str_of(from->at), host;

	*s = (struct service){.source = from->source,
			      .families = from->families,
			      .interval = from->interval_s * USEC_PER_S,
			      .port = STUN_PORT};
	if (from->source == DNS_SOURCE_ECHO) {
		if (!str_starts(rest, STR("https://")))
			return err_set(e, ERR_INVALID, "%s: not https", from->at);
		rest = str_n(rest.at + strlen("https://"), rest.len - strlen("https://"));
		rest = str_split(&rest, '/');
	} else if (from->source != DNS_SOURCE_STUN) {
		return err_set(e, ERR_INVALID, "%s: no service of this kind", from->at);
	}
	if (hostport_split(rest, &host, &s->port) < 0 || !str_copy(s->host, sizeof(s->host), host))
		return err_set(e, ERR_INVALID, "%s: no host and port", from->at);
	s->at = strdup(from->at);
	if (!s->at)
		return err_set(e, ERR_NOMEM, "%s", from->at);
	o->n_services++;
	return 0;
}

void dns_observer_free(struct dns_observer *o)
{
	struct question *q, *next;

	if (!o)
		return;
	list_for_each_safe (q, next, &o->questions, node)
		question_free(q);
	for (size_t i = 0; i < o->n_services; i++)
		free(o->services[i].at);
	free(o->ca_file);
	free(o);
}

static void observer_freep(struct dns_observer **o)
{
	dns_observer_free(*o);
}

int dns_observer_new(struct loop *loop, struct httpc *httpc,
		     const struct dns_observer_settings *settings,
		     struct dns_observer **ret_observer, struct err *e)
{
	AUTO(observer_freep) struct dns_observer *o = NULL;

	if (settings->n_services > DNS_SERVICES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d services", DNS_SERVICES_MAX);
	o = calloc(1, sizeof(*o));
	if (!o)
		return err_set(e, ERR_NOMEM, "observer");
	list_init(&o->questions);
	o->loop = loop;
	o->httpc = httpc;
	o->peer = settings->peer;
	o->on_told = settings->on_told;
	o->arg = settings->arg;
	for (size_t i = 0; i < settings->n_services; i++) {
		int r = take_service(o, &settings->services[i], e);

		if (r < 0)
			return r;
	}
	if (settings->ca_file) {
		o->ca_file = strdup(settings->ca_file);
		if (!o->ca_file)
			return err_set(e, ERR_NOMEM, "observer");
	}
	*ret_observer = TAKE(o);
	return 0;
}
