#include "gateway/pairing.h"

#include "base/log.h"
#include "front/routes.h"
#include "gateway/registry.h"
#include "gateway/services.h"
#include "gateway/store.h"
#include "gateway/worker.h"

struct pairing {
	struct store_op op;
	struct worker *worker; /* borrowed */
	uint64_t connection;
};

static void refuse(const struct pairing *p, const char *reason, const char *text)
{
	link_hub_refuse(p->worker->hub, p->connection, reason, text);
}

static void explain_refusal(const struct pairing *p)
{
	const char *why = p->op.e.text;

	switch (p->op.r) {
	case -ERR_NOT_FOUND:
		refuse(p, "code-unknown",
		       "this gateway knows no such code; ask its owner for a new one");
		break;
	case -ERR_TIMEOUT:
		refuse(p, "code-expired",
		       "the code has expired; ask the gateway's owner for a new one");
		break;
	case -ERR_DENIED:
		if (registry_find_key(p->worker->shared->registry, &p->op.redeem.key, NULL) ==
		    -ERR_DENIED)
			refuse(p, "revoked", "this machine's key was revoked at the gateway");
		else
			refuse(p, "code-used",
			       "the code was used by another machine; ask the gateway's owner for "
			       "a new one");
		break;
	case -ERR_EXISTS:
	case -ERR_LIMIT:
		refuse(p, "invalid", why);
		break;
	default:
		log_error("pairing: %s", why);
		refuse(p, "busy", "the gateway cannot write its state now; try again later");
	}
}

/* ── a name that was somebody else's ── */

/* Two agents whose lists are to be decided again, one after the other. */
struct handover {
	struct worker_shared *shared; /* borrowed */
	uint64_t from, to;
};

static void hand_over_to(void *arg)
{
	struct handover *h = arg;

	services_reconsider(worker_of(h->shared, h->to)->services, h->to);
	free(h);
}

static void hand_over_from(void *arg)
{
	struct handover *h = arg;
	struct worker *here = worker_of(h->shared, h->from);

	services_reconsider(here->services, h->from);
	worker_run(worker_of(h->shared, h->to), here, hand_over_to, h);
}

/* An agent may have had names below its own that an invite gives to this one. */
static void take_over(const struct pairing *p, const char *name, unsigned serves)
{
	struct worker_shared *shared = p->worker->shared;
	uint64_t agent = p->op.ret_agent.id;
	struct front_route route;
	struct handover *h;

	if (front_routes_find(shared->routes, str_of(name), serves, &route) < 0 ||
	    route.owner == agent || route.name[0] == '*')
		return;
	h = malloc(sizeof(*h));
	if (!h)
		return; /* then with the next list of each */
	*h = (struct handover){.shared = shared, .from = route.owner, .to = agent};
	worker_run(worker_of(shared, route.owner), p->worker, hand_over_from, h);
}

static int welcome(const struct pairing *p, struct link_joined *joined)
{
	const struct store_op *op = &p->op;
	int r = 0;

	strcpy(joined->agent, op->ret_agent.name);
	strcpy(joined->domain, p->worker->shared->config->domain);
	for (size_t i = 0; i < op->n_ret_names && r == 0; i++)
		r = link_texts_add(&joined->names, &joined->n_names, str_of(op->ret_names[i].name));
	return r == -ERR_LIMIT ? 0 : r; /* it has them all; the message names the first */
}

static void let_in(const struct pairing *p)
{
	const struct store_op *op = &p->op;
	struct link_joined joined = {0};
	char key[TLS_KEY_HASH_TEXT_MAX];

	if (registry_redeemed(p->worker->shared->registry, &op->ret_agent, op->ret_names,
			      op->n_ret_names, NULL) < 0 ||
	    welcome(p, &joined) < 0) {
		refuse(p, "busy", "the gateway has no memory left; try again later");
	} else {
		log_info("agent %s has joined with the key %s", op->ret_agent.name,
			 tls_key_hash_format(key, &op->redeem.key));
		link_hub_joined(p->worker->hub, p->connection, &joined);
		for (size_t i = 0; i < op->n_ret_names; i++) {
			take_over(p, op->ret_names[i].name, FRONT_SERVES_HTTP);
			take_over(p, op->ret_names[i].name, FRONT_SERVES_TLS);
		}
	}
	link_joined_done(&joined);
}

static void on_redeemed(struct store_op *op)
{
	struct pairing *p = container_of(op, struct pairing, op);

	if (!p->worker->hub)
		log_debug("pairing: the gateway is stopping");
	else if (op->r < 0)
		explain_refusal(p);
	else
		let_in(p);
	store_op_done(op);
	free(p);
}

void pairing_on_join(void *arg, uint64_t connection, const struct tls_key_hash *key,
		     const uint8_t secret[static LINK_SECRET_LEN])
{
	struct worker *worker = arg;
	struct pairing *p = calloc(1, sizeof(*p));

	if (!p) {
		link_hub_refuse(worker->hub, connection, "busy", "the gateway has no memory left");
		return;
	}
	p->worker = worker;
	p->connection = connection;
	p->op.verb = STORE_REDEEM;
	p->op.now_wall = ustime_wall();
	p->op.redeem.key = *key;
	store_secret_hash(&p->op.redeem.secret, secret, LINK_SECRET_LEN);
	p->op.loop = worker->loop;
	p->op.done = on_redeemed;
	if (store_submit(worker->shared->store, &p->op) < 0) {
		refuse(p, "busy", "the gateway has too much to do; try again later");
		free(p);
	}
}
