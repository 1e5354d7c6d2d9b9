/* Doors by PCP and NAT-PMP. */

#include <stdio.h>
#include <string.h>

#include "base/ipclass.h"
#include "map/ask.h"
#include "map/refusal.h"

#define NATPMP_LIFETIME_MAX 604800u /* some routers grant whatever a client says, also for ever */

static void send_request(struct ask *ask, uint32_t lifetime_s,
			 void (*done)(struct pmp_request *, const struct pmp_answer *))
{
	ask->rq = (struct pmp_request){.kind = ask->grant.method == MAP_PCP ? PMP_PCP_MAP
									    : PMP_NATPMP_MAP,
				       .protocol = ask->wish.protocol,
				       .internal_port = ask->wish.internal_port,
				       .lifetime_s = lifetime_s,
				       .done = done,
				       .arg = ask};
	memcpy(ask->rq.nonce, ask->grant.nonce, sizeof(ask->rq.nonce));
	if (lifetime_s) {
		ask->rq.suggested.port = ask->port;
		ask->rq.prefer_failure = ask->wish.exactly;
	}
	if (pmp_ask(router_pmp(ask->router), &ask->rq) < 0)
		ask_finish(ask, -ERR_TIMEOUT, "too many doors are being asked for at once");
}

/* ── closing ── */

static void on_shortened(struct pmp_request *rq, const struct pmp_answer *answer)
{
	struct ask *ask = rq->arg;

	ask_finish(ask, answer->r, "PCP: the router keeps it for %u s more", answer->lifetime_s);
}

static void on_closed(struct pmp_request *rq, const struct pmp_answer *answer)
{
	struct ask *ask = rq->arg;
	char why[ASK_WHY_MAX];

	/* miniupnpd 2.3.1 forgets the nonce of a pinhole when that is renewed, and deletes it for
	 * nobody any more; it can still be made to end soon. */
	if (answer->r == -ERR_REFUSED && ask->grant.method == MAP_PCP && ask->wish.family == 6 &&
	    answer->result == PCP_NOT_AUTHORIZED) {
		send_request(ask, 1, on_shortened);
		return;
	}
	/* "There is no such mapping" is what was wanted, too. */
	if (answer->r == 0 || (answer->r == -ERR_REFUSED && ask->grant.method == MAP_PCP &&
			       answer->result == PCP_NO_RESOURCES)) {
		ask_finish(ask, 0, "%s", "");
		return;
	}
	refusal_pmp(why, sizeof(why), ask->grant.method, answer, &ask->wish);
	ask_finish(ask, answer->r, "%s", why);
}

void ask_pmp_close(struct ask *ask)
{
	send_request(ask, 0, on_closed);
}

/* ── opening ── */

static void on_given_back(struct pmp_request *rq, const struct pmp_answer *answer)
{
	struct ask *ask = rq->arg;

	/* The reason is there already. */
	ask_finish(ask, -ERR_REFUSED, "%s", ask->answer.why);
}

static void give_back(struct ask *ask)
{
	send_request(ask, 0, on_given_back);
}

static void note_external(struct ask *ask, const struct pmp_answer *answer)
{
	if (ask->grant.method == MAP_PCP && ask->wish.family == 4 && answer->external.family &&
	    !ipaddr_is_unspecified(&answer->external))
		router_note_external(ask->router, MAP_PCP, &answer->external);
}

/* A router calls it success; is it? False: it was given back, or is being. */
static bool is_wanted(struct ask *ask, const struct pmp_answer *answer)
{
	const struct map_place *place = router_place(ask->router);
	char text[IPADDR_TEXT_MAX], ours[IPADDR_TEXT_MAX];
	struct ipaddr address = answer->external;

	address.port = address.scope = 0;
	if (ask->wish.family == 6 && address.family &&
	    (memcmp(address.bytes, place->address.bytes, 16) != 0 ||
	     answer->external.port != ask->wish.internal_port)) {
		snprintf(ask->answer.why, sizeof(ask->answer.why),
			 "%s: the router opened %s instead of %s port %u",
			 map_method_title(ask->grant.method),
			 ipaddr_format_port(text, &answer->external),
			 ipaddr_format(ours, &place->address), ask->wish.internal_port);
		give_back(ask);
		return false;
	}
	if (ask->wish.exactly && answer->external.port != ask->wish.external_port) {
		snprintf(ask->answer.why, sizeof(ask->answer.why),
			 "%s: port %u is not to be had, the router gave %u instead",
			 map_method_title(ask->grant.method), ask->wish.external_port,
			 answer->external.port);
		give_back(ask);
		return false;
	}
	return true;
}

static void on_opened(struct pmp_request *rq, const struct pmp_answer *answer);

/* Some routers cannot renew: they have no place for what is there already. */
static void on_cleared(struct pmp_request *rq, const struct pmp_answer *answer)
{
	struct ask *ask = rq->arg;

	send_request(ask, ask->wish.lifetime_s, on_opened);
}

static void on_granted(struct ask *ask, const struct pmp_answer *answer)
{
	uint32_t lifetime_s = answer->lifetime_s;

	if (!lifetime_s || !answer->external.port) {
		ask_finish(ask, -ERR_REFUSED, "%s: the router granted it for no time",
			   map_method_title(ask->grant.method));
		return;
	}
	if (!is_wanted(ask, answer))
		return;
	ask->grant.external = answer->external;
	ask->grant.lifetime_s = MIN(lifetime_s, NATPMP_LIFETIME_MAX);
	ask->grant.permanent = false;
	ask_finish(ask, 0, "%s", "");
}

static void on_opened(struct pmp_request *rq, const struct pmp_answer *answer)
{
	struct ask *ask = rq->arg;
	bool had = ask->grant.external.port != 0;
	char why[ASK_WHY_MAX];

	note_external(ask, answer);
	if (answer->r == 0) {
		on_granted(ask, answer);
		return;
	}
	if (answer->r == -ERR_REFUSED && ask->grant.method == MAP_PCP &&
	    answer->result == PCP_NO_RESOURCES && had && !ask->again) {
		ask->again = true;
		send_request(ask, 0, on_cleared);
		return;
	}
	ask->answer.wait_s = answer->lifetime_s;
	refusal_pmp(why, sizeof(why), ask->grant.method, answer, &ask->wish);
	ask_finish(ask, answer->r, "%s", why);
}

void ask_pmp_open(struct ask *ask)
{
	send_request(ask, ask->wish.lifetime_s, on_opened);
}
