/*
 * What the gateway must not forget: agents, the names and ports they were given, open invites. An
 * SQLite database in the state folder, worked on by a thread of its own: no loop ever waits for a
 * disk.
 *
 *	r = store_open(folder, NULL, &store, &image, &e);	at start; blocks
 *	registry_load(registry, &image, &e);
 *
 *	join->op = (struct store_op){
 *		.verb = STORE_REDEEM,
 *		.now_wall = ustime_wall(),
 *		.redeem = {.secret = hash, .key = key},
 *		.loop = loop,
 *		.done = join_on_redeemed,			on that loop, when it is durable
 *	};
 *	r = store_submit(store, &join->op);
 *
 *	store_close(store);				what was submitted is still done
 *
 * Group commit: all that waits is written in one transaction (WAL, synchronous=FULL) and then
 * acknowledged, so a thousand agents that come back at once cost a few fsyncs. What was
 * acknowledged survives kill -9 and power loss; what was not either happened whole or not at all.
 *
 * The same database may be opened by another process meanwhile (`homeport-gateway invite` beside a
 * running gateway): writers wait for each other.
 *
 * Times are microseconds since 1970. Names are lower case.
 */
#pragma once

#include "base/ipaddr.h"
#include "base/ustime.h"
#include "net/tls.h"

#define STORE_FILE		  "gateway.db"
#define STORE_AGENT_MAX		  64 /* an agent's name (one label of a host name), and NUL */
#define STORE_SERVICE_MAX	  64
#define STORE_INVITE_NAMES_MAX	  32
#define STORE_INVITES_MAX	  1000 /* open at once */
#define STORE_NAMES_PER_AGENT_MAX 256
#define STORE_QUEUE_MAX		  16384 /* operations that wait */
#define STORE_BATCH_MAX		  256	/* operations in one transaction */
#define STORE_BYTES_MAX		  ((size_t)1 << 30)

/* ── what is kept ── */

struct store_agent {
	uint64_t id; /* never used again for another one */
	char name[STORE_AGENT_MAX];
	struct tls_key_hash key;
	usec_t created_wall;
	usec_t last_seen_wall; /* 0: never */
	bool revoked; /* the key is refused; the name is free for a new agent with another key */
};

/* A name given to an agent by an invite; what lies below AGENT.DOMAIN is his without. */
struct store_name {
	char name[HOSTNAME_MAX];
	uint64_t agent;
};

/* A public port that stays with a service. */
struct store_port {
	uint16_t port;
	uint64_t agent;
	char service[STORE_SERVICE_MAX];
};

/* Everything but the invites. The arrays are owned. */
struct store_image {
	struct store_agent *agents;
	struct store_name *names;
	struct store_port *ports;
	size_t n_agents, n_names, n_ports;
};

void store_image_done(struct store_image *image);

/* SHA-256 of an invite's secret: the secret itself is kept nowhere. */
struct store_secret {
	uint8_t bytes[32];
};

void store_secret_hash(struct store_secret *ret, const void *secret, size_t len);

struct store_invite {
	struct store_secret secret;
	char agent[STORE_AGENT_MAX]; /* who may redeem it becomes this agent */
	char (*names)[HOSTNAME_MAX]; /* borrowed until done */
	size_t n_names;		     /* STORE_INVITE_NAMES_MAX at most */
	usec_t expires_wall;
};

/* ── operations ── */

enum store_verb {
	/*
	 * Write op->invite down. An agent of that name may exist: then only his key can redeem it,
	 * and gets the names in addition.
	 * -ERR_EXISTS: a name belongs to, or is promised to, an agent that e names; -ERR_INVALID:
	 * the agent's name is no label or a name no host name; -ERR_LIMIT: STORE_INVITES_MAX.
	 */
	STORE_INVITE,

	/*
	 * The key op->redeem.key shows the secret: ret_agent is who it is from now on, ret_names
	 * all names it has. Again with the same key: the same answer, also after the invite has
	 * expired. -ERR_NOT_FOUND: no such invite; -ERR_TIMEOUT: expired; -ERR_DENIED: used by
	 * another key, or this key was revoked; -ERR_EXISTS: the agent's name has another key, the
	 * key another name, or a name was taken meanwhile; -ERR_LIMIT: STORE_NAMES_PER_AGENT_MAX.
	 */
	STORE_REDEEM,

	/*
	 * Refuse the key of the agent op->revoke.agent from now on. His names, ports and open
	 * invites go. ret_agent is who it was. -ERR_NOT_FOUND.
	 */
	STORE_REVOKE,

	/* The agent op->seen.agent was there at now_wall. An unknown one is no error. */
	STORE_SEEN,

	/*
	 * op->port.port belongs to that service of that agent from now on, in place of the one it
	 * had, and to nobody else any more. 0: it has none. -ERR_NOT_FOUND: no such agent, or
	 * revoked.
	 */
	STORE_PORT,

	/* Read everything: ret_image. */
	STORE_LOAD,
};

/*
 * One operation. The caller fills it in and keeps it alive until done is called; it is the caller's
 * again then. Every verb can also fail with -ERR_FAILED and -ERR_NOMEM of the disk; e
 * says what to do.
 */
struct store_op {
	enum store_verb verb;
	usec_t now_wall;
	union {
		struct store_invite invite;
		struct {
			struct store_secret secret;
			struct tls_key_hash key;
		} redeem;
		struct {
			char agent[STORE_AGENT_MAX];
		} revoke;
		struct {
			uint64_t agent;
		} seen;
		struct store_port port;
	};

	struct loop *loop; /* borrowed: done is called there, once; must be alive until then */
	void (*done)(struct store_op *op);

	int r;
	struct err e; /* when r < 0 */
	struct store_agent ret_agent;
	struct store_name *ret_names; /* owned */
	size_t n_ret_names;
	struct store_image ret_image; /* owned */

	struct store_op *next; /* the store's */
};

/* Frees what the store put into it (not op itself). */
void store_op_done(struct store_op *op);

/* ── the store ── */

struct store;

struct store_options {
	size_t bytes_max; /* of the database; 0: STORE_BYTES_MAX */
};

/*
 * Open the database in `folder`, which is made if need be; blocks. options may be NULL. ret_image
 * (may be NULL) gets everything that is in it.
 *
 * -ERR_DENIED: folder or file cannot be written; -ERR_INVALID: not a database, damaged, or written
 * by a newer version; -ERR_FAILED: the disk; -ERR_NOMEM. e says what to do.
 */
int store_open(const char *folder, const struct store_options *options, struct store **ret_store,
	       struct store_image *ret_image, struct err *e) MUST_CHECK;

/* Waits until all that was submitted is done (and posted to its loops), then closes. NULL is fine.
 */
void store_close(struct store *store);

/* From any thread. -ERR_LIMIT: STORE_QUEUE_MAX operations wait already; done is not called then. */
int store_submit(struct store *store, struct store_op *op) MUST_CHECK;

/* STORE_SEEN that nobody waits for. It is not worth an error when it cannot be queued. */
void store_seen(struct store *store, uint64_t agent, usec_t now_wall);

/* Do one operation and wait for it, on the calling thread. For the command line; loop and done are
 * not used. Returns op->r. */
int store_run(struct store *store, struct store_op *op) MUST_CHECK;
