/* The hub against agents who do what no agent of ours would: bare carriers that say anything. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "link/carrier.h"
#include "link/hub.h"
#include "net/mem.h"

#define PEERS_MAX 40

struct peer {
	struct world *w;
	struct carrier *c;
	json_t *last;	 /* the newest message of any type */
	char types[256]; /* of all messages, with a blank behind each */
	unsigned dead;
	struct err why;
};

struct world {
	struct loop *loop;
	struct link_hub *hub;
	struct peer peers[PEERS_MAX];
	unsigned n_peers;
	struct carrier_budget budget;
	struct link_services services; /* what the role was asked last */
	uint64_t joins;		       /* number of the connection that shows a code; 0: none */
	uint8_t secret[LINK_SECRET_LEN];
	unsigned asked, gone, conflicts;
	bool online;
};

/* ── the role ── */

static void on_join(void *arg, uint64_t connection, const struct tls_key_hash *key,
		    const uint8_t secret[static LINK_SECRET_LEN])
{
	struct world *w = arg;

	w->joins = connection;
	memcpy(w->secret, secret, LINK_SECRET_LEN);
}

static void on_services(void *arg, uint64_t agent, const struct link_services *services)
{
	struct world *w = arg;

	w->asked++;
	link_services_done(&w->services);
	assert_int_equal(link_services_copy(&w->services, services), 0);
}

static void on_online(void *arg, uint64_t agent, bool online, const struct ipaddr *observed)
{
	((struct world *)arg)->online = online;
}

static void on_conflict(void *arg, uint64_t agent, const struct ipaddr *one,
			const struct ipaddr *other)
{
	((struct world *)arg)->conflicts++;
}

static void on_gone(void *arg, const struct ipaddr *observed)
{
	((struct world *)arg)->gone++;
}

static const struct link_hub_handler hub_handler = {on_join, on_services, on_online, on_conflict,
						    on_gone};

/* Grants everything that was asked for. */
static void grant(struct world *w)
{
	struct link_grants grants = {.revision = w->services.revision};

	for (size_t i = 0; i < w->services.n; i++)
		link_grants_add(&grants, str_of(w->services.list[i].id))->granted = true;
	link_hub_grant(w->hub, 1, &grants);
	link_grants_done(&grants);
}

/* ── agents ── */

static void peer_on_open(void *arg)
{
}

static int peer_on_object(void *arg, json_t *object, struct err *e)
{
	struct peer *peer = arg;

	json_decref(peer->last);
	peer->last = json_incref(object);
	assert_true(strlen(peer->types) + 32 < sizeof(peer->types));
	strcat(peer->types, json_string_value(json_object_get(object, "type")));
	strcat(peer->types, " ");
	return 0;
}

static void peer_on_visitor(void *arg, struct link_visitor *v, const char *service,
			    const struct forwarded *who)
{
	link_visitor_refuse(v, 503, "not here");
}

static void peer_on_dead(void *arg, int r, const struct err *why)
{
	struct peer *peer = arg;

	peer->dead++;
	peer->why = *why;
	carrier_free(TAKE(peer->c));
}

static const struct carrier_handler peer_handler = {.on_open = peer_on_open,
						    .on_object = peer_on_object,
						    .on_visitor = peer_on_visitor,
						    .on_dead = peer_on_dead};

static void turn(struct world *w)
{
	for (int i = 0; i < 20; i++)
		loop_sim_advance(w->loop, USEC_PER_MS);
}

/* A connection of agent 1, or of an unknown key. */
static struct peer *peer_new(struct world *w, bool known)
{
	struct peer *peer = &w->peers[w->n_peers++];
	struct ipaddr observed = {.family = 4, .bytes = {198, 51, 100, 7}, .port = 4000};
	struct tls_key_hash key = {.bytes = {7}};
	struct stream *a, *g;

	assert_true(w->n_peers <= PEERS_MAX);
	observed.port = (uint16_t)(4000 + w->n_peers);
	*peer = (struct peer){.w = w};
	assert_int_equal(mem_pair_new(w->loop, 0, &a, &g, NULL), 0);
	assert_int_equal(link_hub_take(w->hub, g, &key, known ? 1 : 0, known ? "laptop" : NULL,
				       &observed, NULL),
			 0);
	assert_int_equal(carrier_new(w->loop, CARRIER_AGENT, a, &w->budget, &peer_handler, peer,
				     &peer->c, NULL),
			 0);
	turn(w);
	return peer;
}

static void say(struct peer *peer, const char *json)
{
	json_t *object = json_loads(json, 0, NULL);

	assert_non_null(object);
	assert_int_equal(carrier_send(peer->c, object), 0);
	turn(peer->w);
}

#define HELLO(instance, slot, revision, services)                                                  \
	"{\"type\":\"hello\",\"version\":1,\"instance\":\"" instance                               \
	"000000000000000000000000000000\",\"carrier\":" #slot ",\"revision\":" #revision           \
	",\"services\":" services "}"
#define BLOG "[{\"id\":\"blog\",\"kind\":\"http\"}]"

static const char *said(const struct peer *peer, const char *key)
{
	const char *text = json_string_value(json_object_get(peer->last, key));

	return text ? text : "";
}

static void world_init(struct world *w)
{
	struct link_hub_config config = {.domain = "example.org", .window_budget = 1 << 20};

	*w = (struct world){.budget.left = 1 << 20};
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(link_hub_new(w->loop, &config, &hub_handler, w, &w->hub, NULL), 0);
}

static void world_done(struct world *w)
{
	link_hub_free(w->hub);
	for (unsigned i = 0; i < w->n_peers; i++) {
		carrier_free(w->peers[i].c);
		json_decref(w->peers[i].last);
	}
	assert_int_equal(w->gone, w->n_peers); /* every connection is counted down */
	link_services_done(&w->services);
	loop_sim_advance(w->loop, USEC_PER_MS);
	loop_free(w->loop);
}

/* ── hello ── */

static void test_hello_and_welcome(void **state)
{
	struct world w;
	struct peer *peer;

	world_init(&w);
	peer = peer_new(&w, true);
	say(peer, HELLO("aa", 0, 1, BLOG));
	assert_int_equal(w.asked, 1);
	assert_string_equal(peer->types, "");
	grant(&w);
	turn(&w);
	assert_string_equal(peer->types, "welcome ");
	assert_string_equal(said(peer, "agent"), "laptop");
	assert_string_equal(said(peer, "domain"), "example.org");
	assert_string_equal(said(peer, "observed"), "198.51.100.7:4001");
	assert_true(w.online);
	say(peer, "{\"type\":\"never-heard-of\",\"services\":7}"); /* ignored */
	say(peer, "{\"type\":\"welcome\"}");
	assert_int_equal(peer->dead, 0);
	world_done(&w);
}

static void test_refusals(void **state)
{
	static const struct {
		bool known;
		const char *hello, *reason, *text;
	} cases[] = {
		{true, "{\"type\":\"hello\",\"version\":2,\"services\":\"whatever that is\"}",
		 "version", "this gateway speaks version 1 of the link protocol"},
		{true, "{\"type\":\"hello\"}", "version",
		 "this gateway speaks version 1 of the link protocol"},
		{true, "{\"type\":\"hello\",\"version\":1}", "invalid",
		 "field \"instance\": a text of at most 32 bytes is wanted"},
		{true, HELLO("aa", 4, 1, BLOG), "invalid",
		 "field \"carrier\": a number from 0 to 3 is wanted"},
		{false, HELLO("aa", 0, 1, BLOG), "unknown-key",
		 "this key is not known here: pair first"},
		{false, "{\"type\":\"join\",\"version\":7}", "version",
		 "this gateway speaks version 1 of the link protocol"},
		{false, "{\"type\":\"join\",\"version\":1,\"secret\":\"AAAA\"}", "invalid",
		 "field \"secret\": 16 bytes in base64url are wanted"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		struct peer *peer;

		world_init(&w);
		peer = peer_new(&w, cases[i].known);
		say(peer, cases[i].hello);
		assert_string_equal(peer->types, "refused ");
		assert_string_equal(said(peer, "reason"), cases[i].reason);
		assert_string_equal(said(peer, "text"), cases[i].text);
		assert_int_equal(json_array_size(json_object_get(peer->last, "versions")),
				 strcmp(cases[i].reason, "version") == 0);
		assert_int_equal(peer->dead, 1);
		assert_int_equal(w.asked, 0);
		world_done(&w);
	}
}

static void test_first_messages_that_are_none(void **state)
{
	static const char *const first[] = {"{\"type\":\"services\",\"services\":[]}",
					    "{\"type\":\"future\"}", "{\"type\":7}", "{}"};

	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		struct world w;
		struct peer *peer;

		world_init(&w);
		peer = peer_new(&w, true);
		say(peer, first[i]);
		assert_int_equal(peer->dead, 1);
		assert_string_equal(peer->types, "");
		world_done(&w);
	}
}

static void test_5_s_for_the_first_message(void **state)
{
	struct world w;
	struct peer *peer;

	world_init(&w);
	peer = peer_new(&w, true);
	loop_sim_advance(w.loop, 4900 * USEC_PER_MS);
	assert_int_equal(peer->dead, 0);
	loop_sim_advance(w.loop, 200 * USEC_PER_MS);
	assert_int_equal(peer->dead, 1);
	world_done(&w);
}

static void test_4096_bytes_of_an_unknown_key(void **state)
{
	char line[5000] = "{\"type\":\"hello\",\"pad\":\"";
	struct world w;
	struct peer *peer;

	memset(line + strlen(line), 'x', 4200);
	strcat(line, "\"}");
	world_init(&w);
	peer = peer_new(&w, false);
	say(peer, line);
	assert_int_equal(peer->dead, 1);
	assert_string_equal(peer->types, "");
	world_done(&w);
}

/* ── join ── */

#define JOIN "{\"type\":\"join\",\"version\":1,\"secret\":\"AAECAwQFBgcICQoLDA0ODw\"}"

static void test_join(void **state)
{
	struct link_joined joined = {.agent = "laptop", .domain = "example.org"};
	struct world w;
	struct peer *peer;

	world_init(&w);
	assert_int_equal(link_texts_add(&joined.names, &joined.n_names, STR("blog.example.org")),
			 0);
	peer = peer_new(&w, false);
	say(peer, JOIN);
	assert_true(w.joins > 0);
	assert_int_equal(w.secret[15], 15);
	link_hub_joined(w.hub, w.joins + 1, &joined); /* one that is not there */
	link_hub_joined(w.hub, w.joins, &joined);
	turn(&w);
	assert_string_equal(peer->types, "joined ");
	assert_int_equal(peer->dead, 1);
	link_hub_joined(w.hub, w.joins, &joined); /* gone by now */
	link_hub_refuse(w.hub, w.joins, "code-used", "");
	link_joined_done(&joined);
	world_done(&w);
}

static void test_join_twice_on_one_connection(void **state)
{
	struct world w;
	struct peer *peer;

	world_init(&w);
	peer = peer_new(&w, false);
	say(peer, JOIN);
	say(peer, JOIN);
	say(peer, HELLO("aa", 0, 1, BLOG));
	assert_int_equal(w.asked, 0);
	link_hub_refuse(w.hub, w.joins, "code-used", "used");
	turn(&w);
	assert_string_equal(peer->types, "refused ");
	assert_string_equal(said(peer, "reason"), "code-used");
	world_done(&w);
}

/* ── succession ── */

/* Ten connections of one slot wait for the same answer: the last one counts. */
static void test_many_successors_before_the_answer(void **state)
{
	struct world w;

	world_init(&w);
	for (int i = 0; i < 12; i++)
		say(peer_new(&w, true), HELLO("aa", 0, 1, BLOG));
	assert_int_equal(w.asked, 1);
	grant(&w);
	turn(&w);
	assert_string_equal(w.peers[11].types, "welcome ");
	assert_int_equal(w.peers[11].dead, 0);
	/* Old ones are few, and go. */
	assert_int_equal(w.peers[0].dead, 1);
	assert_true(w.online);
	carrier_free(TAKE(w.peers[11].c));
	turn(&w);
	assert_false(w.online);
	world_done(&w);
}

static void test_a_successor_takes_the_visitors(void **state)
{
	struct world w;
	struct peer *old, *new;

	world_init(&w);
	old = peer_new(&w, true);
	say(old, HELLO("aa", 0, 1, BLOG));
	grant(&w);
	new = peer_new(&w, true);
	say(new, HELLO("aa", 0, 1, BLOG));
	assert_int_equal(w.asked, 1); /* the same list: the answer in force */
	assert_string_equal(new->types, "welcome ");
	assert_int_equal(old->dead, 0);
	say(old, "{\"type\":\"services\",\"revision\":9,\"services\":[]}"); /* it is old now */
	assert_int_equal(w.asked, 1);
	carrier_drain(old->c);
	turn(&w);
	assert_int_equal(old->dead, 1);
	assert_true(w.online);
	world_done(&w);
}

static void test_takeovers(void **state)
{
	struct world w;
	struct peer *peer;

	world_init(&w);
	say(peer_new(&w, true), HELLO("aa", 0, 1, BLOG));
	grant(&w);
	say(peer_new(&w, true), HELLO("aa", 1, 1, BLOG));
	say(peer_new(&w, true), HELLO("bb", 0, 1, BLOG));
	assert_int_equal(w.asked, 2); /* another process: its list from the beginning */
	grant(&w);
	turn(&w);
	assert_string_equal(w.peers[0].types, "welcome replaced ");
	assert_string_equal(w.peers[1].types, "welcome replaced ");
	assert_int_equal(w.peers[0].dead + w.peers[1].dead, 2);
	assert_string_equal(w.peers[2].types, "welcome ");

	/* What the loser had under way already does not take it back; later it may. */
	peer = peer_new(&w, true);
	say(peer, HELLO("aa", 2, 1, BLOG));
	assert_string_equal(peer->types, "replaced ");
	loop_sim_advance(w.loop, 11 * USEC_PER_S);
	say(peer_new(&w, true), HELLO("aa", 0, 1, BLOG));
	grant(&w);
	turn(&w);
	assert_int_equal(w.conflicts, 0);
	loop_sim_advance(w.loop, 11 * USEC_PER_S);
	peer = peer_new(&w, true);
	say(peer, HELLO("bb", 0, 1, BLOG));
	grant(&w);
	turn(&w);
	assert_int_equal(w.conflicts, 1);
	assert_true(json_is_true(json_object_get(peer->last, "conflict")));
	assert_true(json_is_true(json_object_get(w.peers[4].last, "conflict")));
	world_done(&w);
}

/* ── services ── */

static void test_changed_services(void **state)
{
	struct world w;
	struct peer *peer;

	world_init(&w);
	peer = peer_new(&w, true);
	say(peer, HELLO("aa", 0, 5, BLOG));
	grant(&w);
	turn(&w);
	say(peer, "{\"type\":\"services\",\"revision\":5,\"services\":[]}");
	assert_int_equal(w.asked, 1); /* not newer: the answer in force again */
	assert_string_equal(peer->types, "welcome services ");
	assert_int_equal(json_array_size(json_object_get(peer->last, "services")), 1);
	say(peer, "{\"type\":\"services\",\"revision\":6,\"services\":[]}");
	say(peer, "{\"type\":\"services\",\"revision\":7,\"services\":" BLOG "}");
	assert_int_equal(w.asked, 3);
	w.services.revision = 6;
	grant(&w); /* late, and not what was asked last */
	turn(&w);
	assert_string_equal(peer->types, "welcome services ");
	w.services.revision = 7;
	grant(&w);
	turn(&w);
	assert_string_equal(peer->types, "welcome services services ");
	say(peer, "{\"type\":\"services\",\"revision\":8,\"services\":[{\"id\":\"B\"}]}");
	assert_int_equal(peer->dead, 1);
	world_done(&w);
}

static void test_expelled(void **state)
{
	struct world w;

	world_init(&w);
	say(peer_new(&w, true), HELLO("aa", 0, 1, BLOG));
	say(peer_new(&w, true), HELLO("aa", 1, 1, BLOG));
	grant(&w);
	link_hub_expel(w.hub, 1, "revoked", "by the owner");
	turn(&w);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(w.peers[i].types, "welcome refused ");
		assert_string_equal(said(&w.peers[i], "reason"), "revoked");
		assert_int_equal(w.peers[i].dead, 1);
	}
	assert_false(w.online);
	grant(&w); /* too late for anybody */
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_and_welcome),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_first_messages_that_are_none),
		cmocka_unit_test(test_5_s_for_the_first_message),
		cmocka_unit_test(test_4096_bytes_of_an_unknown_key),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_join_twice_on_one_connection),
		cmocka_unit_test(test_many_successors_before_the_answer),
		cmocka_unit_test(test_a_successor_takes_the_visitors),
		cmocka_unit_test(test_takeovers),
		cmocka_unit_test(test_changed_services),
		cmocka_unit_test(test_expelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
