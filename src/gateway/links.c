/*
 *	accepted ──▶ handshake ──▶ whose key? ──▶ on the owner's loop ──▶ hub
 *	                              └─ nobody's: stays here; the hub gives it time for one code
 */
#include "gateway/links.h"

#include "base/log.h"
#include "gateway/registry.h"
#include "gateway/worker.h"

struct arrival {
	struct worker *owner;  /* borrowed */
	struct stream *stream; /* owned */
	struct ipaddr peer;
	struct tls_key_hash key;
	struct registry_agent agent; /* id 0: unknown */
};

void links_on_gone(void *arg, const struct ipaddr *peer)
{
	worker_count_gone(arg, peer);
}

void links_on_link(void *arg, struct stream *stream, const struct ipaddr *peer)
{
	struct worker *here = arg;

	handshakes_add(here->handshakes, stream, peer);
}

static void give_to_hub(struct arrival *a)
{
	const char *name = a->agent.id ? a->agent.name : NULL;
	struct err e = {0};

	if (link_hub_take(a->owner->hub, a->stream, &a->key, a->agent.id, name, &a->peer, &e) < 0) {
		log_warning("link of %s: %s", name ? name : "an unknown key", e.text);
		worker_count_gone(a->owner, &a->peer);
	}
	free(a);
}

static void arrive(void *arg)
{
	struct arrival *a = arg;

	if (stream_attach(a->stream, a->owner->loop, NULL) < 0) {
		stream_close(a->stream);
		worker_count_gone(a->owner, &a->peer);
		free(a);
		return;
	}
	give_to_hub(a);
}

void links_on_handshake(void *arg, struct stream *tls, const struct ipaddr *peer)
{
	struct worker *here = arg;
	struct arrival *a = calloc(1, sizeof(*a));

	if (!a) {
		stream_close(tls);
		worker_count_gone(here, peer);
		return;
	}
	a->stream = tls;
	a->peer = *peer;
	a->key = *tls_stream_peer(tls);
	if (registry_find_key(here->shared->registry, &a->key, &a->agent) == -ERR_NOT_FOUND)
		a->agent.id = 0; /* a revoked one stays known, and is told so (services.c) */
	a->owner = a->agent.id ? worker_of(here->shared, a->agent.id) : here;
	if (a->owner == here) {
		give_to_hub(a);
		return;
	}
	stream_detach(a->stream);
	worker_run(a->owner, here, arrive, a);
}

void links_on_conflict(void *arg, uint64_t agent, const struct ipaddr *one,
		       const struct ipaddr *other)
{
	struct worker *worker = arg;
	struct registry_agent info = {0};
	char a[IPADDR_TEXT_MAX], b[IPADDR_TEXT_MAX];

	if (registry_find(worker->shared->registry, agent, &info) < 0)
		return;
	registry_set_conflict(worker->shared->registry, agent, one, other, ustime_wall());
	log_warning("the key of agent %s is used by two machines, at %s and %s: revoke it and "
		    "invite each of them",
		    info.name, ipaddr_format(a, one), ipaddr_format(b, other));
}
