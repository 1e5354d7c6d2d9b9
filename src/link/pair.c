#include <stdio.h>
#include <string.h>

#include "link/carrier.h"
#include "link/connector.h"
#include "link/dial.h"

#define PAIR_MAX (15 * USEC_PER_S)

struct link_pair {
	struct loop *loop; /* borrowed */
	struct link_code code;
	struct connector connector;
	struct link_connector interface;
	void *attempt;
	struct carrier *carrier; /* owned */
	struct carrier_budget budget;
	struct timer timer;
	struct defer finish;
	int r;
	struct err why;
	struct link_joined joined;
	void (*done)(void *arg, int r, const struct link_joined *joined, const struct err *e);
	void *arg;
};

void link_pair_cancel(struct link_pair *p)
{
	if (!p)
		return;
	if (p->attempt)
		p->interface.cancel(p->interface.arg, p->attempt);
	carrier_free(p->carrier);
	timer_stop(&p->timer);
	defer_cancel(&p->finish);
	link_joined_done(&p->joined);
	free(p);
}

static void on_finish(void *arg)
{
	struct link_pair *p = arg;

	p->done(p->arg, p->r, p->r == 0 ? &p->joined : NULL, &p->why);
	link_pair_cancel(p);
}

static void finish(struct link_pair *p, int r, const struct err *why)
{
	if (p->finish.pending)
		return;
	p->r = r;
	if (why)
		p->why = *why;
	timer_stop(&p->timer);
	defer_call(&p->finish);
}

static void on_open(void *arg)
{
	struct link_pair *p = arg;

	if (carrier_send(p->carrier, link_join_encode(p->code.secret)) < 0)
		carrier_close(p->carrier);
}

static void on_refused(struct link_pair *p, const json_t *object)
{
	static const struct {
		const char *reason, *text;
	} known[] = {
		{"code-unknown", "the gateway does not know this pairing code; get a new one with "
				 "\"homeport-gateway invite\""},
		{"code-expired", "this pairing code has expired (they are good for 24 hours); get "
				 "a new one with \"homeport-gateway invite\""},
		{"code-used", "this pairing code was used by another machine; get one for this "
			      "machine with \"homeport-gateway "
			      "invite\""},
		{"revoked",
		 "the gateway has revoked this machine's key; ask its owner for a new code"},
	};
	struct link_refused refused = {0};
	struct err why = {0};

	if (link_refused_decode(object, &refused, NULL) < 0)
		strcpy(refused.reason, "unknown");
	err_set(&why, ERR_DENIED, "the gateway refuses: %s",
		refused.text[0] ? refused.text : refused.reason);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].reason, refused.reason) == 0)
			err_set(&why, ERR_DENIED, "%s", known[i].text);
	if (strcmp(refused.reason, "version") == 0)
		err_set(&why, ERR_DENIED,
			"the gateway speaks another version of the link protocol (%s): update "
			"homeport here, or "
			"homeport-gateway there, whichever is older",
			refused.text);
	if (strcmp(refused.reason, "revoked") == 0)
		why.code = ERR_EXISTS;
	finish(p, -why.code, &why);
}

static int on_object(void *arg, json_t *object, struct err *e)
{
	struct link_pair *p = arg;
	enum link_message_type type;
	int r = link_message_type(object, &type, e);

	if (r < 0 || p->finish.pending)
		return r;
	if (type == LINK_MESSAGE_REFUSED)
		on_refused(p, object);
	if (type == LINK_MESSAGE_JOINED) {
		r = link_joined_decode(object, &p->joined, e);
		if (r == 0)
			finish(p, 0, NULL);
	}
	return r;
}

static void on_dead(void *arg, int r, const struct err *why)
{
	struct link_pair *p = arg;
	struct err story = *why;

	err_wrap(&story, r, "the gateway did not answer the pairing code");
	finish(p, -ERR_REFUSED, &story);
}

static const struct carrier_handler handler = {
	.on_open = on_open, .on_object = on_object, .on_dead = on_dead};

static bool is_expected(void *arg, const struct tls_key_hash *key)
{
	const struct link_pair *p = arg;

	return memcmp(key, &p->code.gateway, sizeof(*key)) == 0;
}

static void on_connected(void *arg, int r, struct stream *s, const struct tls_key_hash *key,
			 const struct err *e)
{
	struct link_pair *p = arg;
	struct err why = {0};

	p->attempt = NULL;
	if (r < 0 && !key) {
		why = *e;
		err_wrap(&why, r, "gateway %s:%u", p->code.host, p->code.port);
		finish(p, r, &why);
		return;
	}
	if (!is_expected(p, key)) {
		stream_close(s);
		err_set(&why, ERR_INVALID,
			"%s:%u is not the gateway of this pairing code: it shows another key. "
			"Somebody may be in between, or "
			"the code is of another gateway",
			p->code.host, p->code.port);
		finish(p, -ERR_INVALID, &why);
		return;
	}
	r = carrier_new(p->loop, CARRIER_AGENT, s, &p->budget, &handler, p, &p->carrier, &why);
	if (r < 0)
		finish(p, r, &why);
}

static void on_timeout(void *arg)
{
	struct link_pair *p = arg;
	struct err why = {0};

	err_set(&why, ERR_TIMEOUT,
		"gateway %s:%u did not answer within 15 s; check that it runs and that its port is "
		"open",
		p->code.host, p->code.port);
	finish(p, -ERR_TIMEOUT, &why);
}

int link_pair_start(struct loop *loop, const struct link_code *code,
		    const struct tls_identity *identity,
		    void (*done)(void *arg, int r, const struct link_joined *joined,
				 const struct err *e),
		    void *arg, struct link_pair **ret_pair, struct err *e)
{
	struct link_pair *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(e, ERR_NOMEM, "pairing");
	p->loop = loop;
	p->code = *code;
	p->connector = (struct connector){p->code.host, code->port, identity, is_expected, p};
	p->interface = connector_interface(&p->connector);
	p->done = done;
	p->arg = arg;
	timer_init(&p->timer, loop, on_timeout, p);
	defer_init(&p->finish, loop, on_finish, p);
	r = p->interface.start(p->interface.arg, loop, on_connected, p, &p->attempt, e);
	if (r < 0) {
		free(p);
		return r;
	}
	timer_start(&p->timer, PAIR_MAX);
	*ret_pair = p;
	return 0;
}
