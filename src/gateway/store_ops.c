#include <openssl/sha.h>

#include "gateway/store_private.h"

/* Used and expired invites are kept for a while, so that an agent who comes late is told why. */
#define INVITE_KEEP (7 * 86400 * USEC_PER_S)

void store_secret_hash(struct store_secret *ret, const void *secret, size_t len)
{
	SHA256(secret, len, ret->bytes);
}

/* ── rows ── */

static void column_text(char *to, size_t size, sqlite3_stmt *s, int at)
{
	const char *text = (const char *)sqlite3_column_text(s, at);

	str_copy(to, size, str_n(text, text ? (size_t)sqlite3_column_bytes(s, at) : 0));
}

static void column_key(struct tls_key_hash *to, sqlite3_stmt *s, int at)
{
	const void *bytes = sqlite3_column_blob(s, at);

	if (bytes && sqlite3_column_bytes(s, at) == TLS_KEY_HASH_LEN)
		memcpy(to->bytes, bytes, TLS_KEY_HASH_LEN);
}

static void row_agent(sqlite3_stmt *s, void *to)
{
	struct store_agent *agent = to;

	agent->id = (uint64_t)sqlite3_column_int64(s, 0);
	column_text(agent->name, sizeof(agent->name), s, 1);
	column_key(&agent->key, s, 2);
	agent->created_wall = (usec_t)sqlite3_column_int64(s, 3);
	agent->last_seen_wall = (usec_t)sqlite3_column_int64(s, 4);
	agent->revoked = sqlite3_column_int(s, 5);
}

static void row_name(sqlite3_stmt *s, void *to)
{
	struct store_name *name = to;

	column_text(name->name, sizeof(name->name), s, 0);
	name->agent = (uint64_t)sqlite3_column_int64(s, 1);
}

static void row_port(sqlite3_stmt *s, void *to)
{
	struct store_port *port = to;

	port->port = (uint16_t)sqlite3_column_int(s, 0);
	port->agent = (uint64_t)sqlite3_column_int64(s, 1);
	column_text(port->service, sizeof(port->service), s, 2);
}

/* All rows of a statement as an array of things of `size` bytes (the caller's; NULL when there are
 * none). */
static int read_rows(struct store_db *db, sqlite3_stmt *s, size_t size,
		     void (*row)(sqlite3_stmt *s, void *to), void **ret, size_t *ret_n,
		     struct err *e)
{
	AUTO(freep) char *rows = NULL;
	size_t n = 0, room = 0;
	int r;

	while ((r = store_db_step(db, s, e)) == 1) {
		if (n == room) {
			char *more = reallocarray(rows, room ? room * 2 : 8, size);

			if (!more) {
				sqlite3_reset(s);
				return err_set(e, ERR_NOMEM, "%s", db->path);
			}
			rows = more;
			room = room ? room * 2 : 8;
		}
		memset(rows + n * size, 0, size);
		row(s, rows + n++ * size);
	}
	if (r < 0)
		return r;
	*ret = TAKE(rows);
	*ret_n = n;
	return 0;
}

void store_image_done(struct store_image *image)
{
	free(image->agents);
	free(image->names);
	free(image->ports);
	*image = (struct store_image){0};
}

int store_load(struct store_db *db, struct store_image *ret, struct err *e)
{
	struct store_image image = {0};
	int r;

	r = read_rows(db, store_db_use(db, STORE_SQL_AGENTS), sizeof(*image.agents), row_agent,
		      (void **)&image.agents, &image.n_agents, e);
	if (r == 0)
		r = read_rows(db, store_db_use(db, STORE_SQL_NAMES), sizeof(*image.names), row_name,
			      (void **)&image.names, &image.n_names, e);
	if (r == 0)
		r = read_rows(db, store_db_use(db, STORE_SQL_PORTS), sizeof(*image.ports), row_port,
			      (void **)&image.ports, &image.n_ports, e);
	if (r < 0)
		store_image_done(&image);
	else
		*ret = image;
	return r;
}

/* ── small questions ── */

/* The one row of a statement with its parameters bound: 1 and the text of column 0, or 0. */
static int one_text(struct store_db *db, sqlite3_stmt *s, char *to, size_t size, struct err *e)
{
	int r = store_db_step(db, s, e);

	if (r == 1)
		column_text(to, size, s, 0);
	sqlite3_reset(s);
	return r;
}

static int one_number(struct store_db *db, sqlite3_stmt *s, uint64_t *ret, struct err *e)
{
	int r = store_db_step(db, s, e);

	if (r == 1)
		*ret = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return r;
}

static int one_agent(struct store_db *db, sqlite3_stmt *s, struct store_agent *ret, struct err *e)
{
	int r = store_db_step(db, s, e);

	if (r == 1)
		row_agent(s, ret);
	sqlite3_reset(s);
	return r;
}

static int agent_by_key(struct store_db *db, const struct tls_key_hash *key,
			struct store_agent *ret, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_AGENT_BY_KEY);

	store_bind_blob(s, 1, key->bytes, TLS_KEY_HASH_LEN);
	return one_agent(db, s, ret, e);
}

static int agent_by_name(struct store_db *db, const char *name, struct store_agent *ret,
			 struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_AGENT_BY_NAME);

	store_bind_text(s, 1, name);
	return one_agent(db, s, ret, e);
}

/* A statement whose only parameter is an agent's number, and that has no rows. */
static int do_for_agent(struct store_db *db, enum store_statement which, uint64_t id, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, which);

	store_bind_int(s, 1, id);
	return store_db_finish(db, s, e);
}

/* 0, or -ERR_EXISTS: the name is another agent's. */
static int check_name_owner(struct store_db *db, const char *name, const char *agent, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_NAME_OWNER);
	char owner[STORE_AGENT_MAX];
	int r;

	store_bind_text(s, 1, name);
	r = one_text(db, s, owner, sizeof(owner), e);
	if (r == 1 && strcmp(owner, agent) != 0)
		return err_set(e, ERR_EXISTS, "the name %s belongs to agent %s", name, owner);
	return MIN(r, 0);
}

/* ── invite ── */

static int check_promised(struct store_db *db, const char *name, const struct store_op *op,
			  struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_NAME_PROMISED);
	char agent[STORE_AGENT_MAX];
	int r;

	store_bind_text(s, 1, name);
	store_bind_text(s, 2, op->invite.agent);
	store_bind_int(s, 3, op->now_wall);
	r = one_text(db, s, agent, sizeof(agent), e);
	if (r == 1)
		return err_set(
			e, ERR_EXISTS,
			"the name %s is promised to agent %s by an invite that is still open", name,
			agent);
	return r;
}

/* An agent's name is a label of the names below it. */
static int normalize_agent(char name[static STORE_AGENT_MAX], struct err *e)
{
	char host[HOSTNAME_MAX];

	if (!hostname_copy(host, str_of(name)) || strchr(host, '.'))
		return err_set(e, ERR_INVALID,
			       "\"%s\" cannot name an agent: letters, digits and '-', 63 at most",
			       name);
	str_copy(name, STORE_AGENT_MAX, str_of(host));
	return 0;
}

static int check_invites_left(struct store_db *db, usec_t now_wall, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_COUNT_INVITES);
	uint64_t open = 0;
	int r;

	store_bind_int(s, 1, now_wall);
	r = one_number(db, s, &open, e);
	if (r == 1 && open >= STORE_INVITES_MAX)
		return err_set(e, ERR_LIMIT,
			       "%d invites are open already; they expire by themselves",
			       STORE_INVITES_MAX);
	return MIN(r, 0);
}

static int add_invite(struct store_db *db, const struct store_op *op, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_ADD_INVITE);

	store_bind_blob(s, 1, op->invite.secret.bytes, sizeof(op->invite.secret.bytes));
	store_bind_text(s, 2, op->invite.agent);
	store_bind_int(s, 3, op->now_wall);
	store_bind_int(s, 4, op->invite.expires_wall);
	return store_db_finish(db, s, e);
}

static int add_invite_name(struct store_db *db, struct store_op *op, char *name, struct err *e)
{
	char host[HOSTNAME_MAX];
	sqlite3_stmt *s;
	int r;

	if (!hostname_copy(host, str_of(name)))
		return err_set(e, ERR_INVALID, "\"%s\" is not a host name", name);
	r = check_name_owner(db, host, op->invite.agent, e);
	if (r == 0)
		r = check_promised(db, host, op, e);
	if (r < 0)
		return r;
	s = store_db_use(db, STORE_SQL_ADD_INVITE_NAME);
	store_bind_blob(s, 1, op->invite.secret.bytes, sizeof(op->invite.secret.bytes));
	store_bind_text(s, 2, host);
	return store_db_finish(db, s, e);
}

static int forget_old_invites(struct store_db *db, usec_t now_wall, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_FORGET_INVITES);

	store_bind_int(s, 1, now_wall > INVITE_KEEP ? now_wall - INVITE_KEEP : 0);
	return store_db_finish(db, s, e);
}

static int apply_invite(struct store_db *db, struct store_op *op, struct err *e)
{
	int r;

	if (op->invite.n_names > STORE_INVITE_NAMES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d names", STORE_INVITE_NAMES_MAX);
	r = normalize_agent(op->invite.agent, e);
	if (r == 0)
		r = forget_old_invites(db, op->now_wall, e);
	if (r == 0)
		r = check_invites_left(db, op->now_wall, e);
	if (r == 0)
		r = add_invite(db, op, e);
	for (size_t i = 0; i < op->invite.n_names && r == 0; i++)
		r = add_invite_name(db, op, op->invite.names[i], e);
	return r;
}

/* ── redeem ── */

struct invite {
	char agent[STORE_AGENT_MAX];
	usec_t expires_wall;
	bool used;
	struct tls_key_hash used_by;
};

static int find_invite(struct store_db *db, const struct store_secret *secret, struct invite *ret,
		       struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_INVITE);
	int r;

	store_bind_blob(s, 1, secret->bytes, sizeof(secret->bytes));
	r = store_db_step(db, s, e);
	if (r == 1) {
		*ret = (struct invite){.expires_wall = (usec_t)sqlite3_column_int64(s, 1)};
		column_text(ret->agent, sizeof(ret->agent), s, 0);
		ret->used = sqlite3_column_type(s, 2) != SQLITE_NULL;
		column_key(&ret->used_by, s, 2);
	}
	sqlite3_reset(s);
	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, "the gateway does not know this code");
	return MIN(r, 0);
}

/* Whether that key may have it; by whom it was used decides before whether it is too late. */
static int check_invite(const struct invite *invite, const struct store_op *op, struct err *e)
{
	if (invite->used && memcmp(&invite->used_by, &op->redeem.key, sizeof(op->redeem.key)) != 0)
		return err_set(e, ERR_DENIED,
			       "this code was used by another key; ask for a new one");
	if (!invite->used && invite->expires_wall <= op->now_wall)
		return err_set(e, ERR_TIMEOUT, "this code has expired; ask for a new one");
	return 0;
}

static int add_agent(struct store_db *db, const char *name, const struct store_op *op,
		     struct store_agent *ret, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_ADD_AGENT);
	int r;

	store_bind_text(s, 1, name);
	store_bind_blob(s, 2, op->redeem.key.bytes, TLS_KEY_HASH_LEN);
	store_bind_int(s, 3, op->now_wall);
	r = store_db_finish(db, s, e);
	if (r < 0)
		return r;
	return MIN(agent_by_key(db, &op->redeem.key, ret, e), 0);
}

/* The agent of this key, who must have this name; a new one if both are new. */
static int find_or_add_agent(struct store_db *db, const char *name, const struct store_op *op,
			     struct store_agent *ret, struct err *e)
{
	struct store_agent other;
	int r = agent_by_key(db, &op->redeem.key, ret, e);

	if (r < 0)
		return r;
	if (r == 1 && ret->revoked)
		return err_set(e, ERR_DENIED,
			       "this key was revoked; the agent has to make another one");
	if (r == 1 && strcmp(ret->name, name) != 0)
		return err_set(e, ERR_EXISTS, "this key is agent %s already, the code is for %s",
			       ret->name, name);
	if (r == 1)
		return 0;
	r = agent_by_name(db, name, &other, e);
	if (r == 1)
		return err_set(e, ERR_EXISTS,
			       "agent %s has another key; revoke it on the gateway first, or ask "
			       "for a code with another name",
			       name);
	return r < 0 ? r : add_agent(db, name, op, ret, e);
}

static int read_names_of(struct store_db *db, uint64_t agent, struct store_op *op, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_NAMES_OF);

	store_bind_int(s, 1, agent);
	return read_rows(db, s, sizeof(*op->ret_names), row_name, (void **)&op->ret_names,
			 &op->n_ret_names, e);
}

static int give_name(struct store_db *db, const char *name, const struct store_agent *agent,
		     struct err *e)
{
	int r = check_name_owner(db, name, agent->name, e);
	sqlite3_stmt *s;

	if (r < 0)
		return r;
	s = store_db_use(db, STORE_SQL_ADD_NAME);
	store_bind_text(s, 1, name);
	store_bind_int(s, 2, agent->id);
	return store_db_finish(db, s, e);
}

static int give_names(struct store_db *db, const struct store_secret *secret,
		      const struct store_agent *agent, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_INVITE_NAMES);
	char name[HOSTNAME_MAX];
	int r;

	store_bind_blob(s, 1, secret->bytes, sizeof(secret->bytes));
	while ((r = store_db_step(db, s, e)) == 1) {
		column_text(name, sizeof(name), s, 0);
		r = give_name(db, name, agent, e);
		if (r < 0)
			break;
	}
	sqlite3_reset(s);
	return r;
}

static int use_invite(struct store_db *db, const struct store_op *op, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_USE_INVITE);

	store_bind_blob(s, 1, op->redeem.secret.bytes, sizeof(op->redeem.secret.bytes));
	store_bind_blob(s, 2, op->redeem.key.bytes, TLS_KEY_HASH_LEN);
	return store_db_finish(db, s, e);
}

/* Again with the same key: who it is, unless that is over. */
static int redeem_again(struct store_db *db, struct store_op *op, struct err *e)
{
	int r = agent_by_key(db, &op->redeem.key, &op->ret_agent, e);

	if (r < 0)
		return r;
	if (r == 0 || op->ret_agent.revoked)
		return err_set(e, ERR_DENIED, "this key was revoked");
	return read_names_of(db, op->ret_agent.id, op, e);
}

static int apply_redeem(struct store_db *db, struct store_op *op, struct err *e)
{
	struct invite invite;
	int r;

	r = find_invite(db, &op->redeem.secret, &invite, e);
	if (r == 0)
		r = check_invite(&invite, op, e);
	if (r < 0)
		return r;
	if (invite.used)
		return redeem_again(db, op, e);
	r = find_or_add_agent(db, invite.agent, op, &op->ret_agent, e);
	if (r == 0)
		r = give_names(db, &op->redeem.secret, &op->ret_agent, e);
	if (r == 0)
		r = use_invite(db, op, e);
	if (r == 0)
		r = read_names_of(db, op->ret_agent.id, op, e);
	if (r == 0 && op->n_ret_names > STORE_NAMES_PER_AGENT_MAX)
		return err_set(e, ERR_LIMIT, "an agent can have at most %d names",
			       STORE_NAMES_PER_AGENT_MAX);
	return r;
}

/* ── the rest ── */

static int apply_revoke(struct store_db *db, struct store_op *op, struct err *e)
{
	uint64_t id;
	sqlite3_stmt *s;
	int r = agent_by_name(db, op->revoke.agent, &op->ret_agent, e);

	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no agent %s", op->revoke.agent);
	if (r < 0)
		return r;
	id = op->ret_agent.id;
	op->ret_agent.revoked = true;
	r = do_for_agent(db, STORE_SQL_REVOKE_AGENT, id, e);
	if (r == 0)
		r = do_for_agent(db, STORE_SQL_FORGET_NAMES, id, e);
	if (r == 0)
		r = do_for_agent(db, STORE_SQL_FORGET_PORTS, id, e);
	if (r < 0)
		return r;
	s = store_db_use(db, STORE_SQL_FORGET_INVITES_OF);
	store_bind_text(s, 1, op->revoke.agent);
	return store_db_finish(db, s, e);
}

static int apply_seen(struct store_db *db, struct store_op *op, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_SEE_AGENT);

	store_bind_int(s, 1, op->seen.agent);
	store_bind_int(s, 2, op->now_wall);
	return store_db_finish(db, s, e);
}

static int check_active(struct store_db *db, uint64_t agent, struct err *e)
{
	sqlite3_stmt *s = store_db_use(db, STORE_SQL_AGENT_IS_ACTIVE);
	uint64_t one;
	int r;

	store_bind_int(s, 1, agent);
	r = one_number(db, s, &one, e);
	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no such agent");
	return MIN(r, 0);
}

static int apply_port(struct store_db *db, struct store_op *op, struct err *e)
{
	const struct store_port *port = &op->port;
	sqlite3_stmt *s;
	int r = check_active(db, port->agent, e);

	if (r < 0)
		return r;
	s = store_db_use(db, port->port ? STORE_SQL_ADD_PORT : STORE_SQL_FORGET_PORT);
	store_bind_int(s, 2, port->agent);
	store_bind_text(s, 3, port->service);
	if (port->port)
		store_bind_int(s, 1, port->port);
	return store_db_finish(db, s, e);
}

static int apply_load(struct store_db *db, struct store_op *op, struct err *e)
{
	return store_load(db, &op->ret_image, e);
}

int store_op_apply(struct store_db *db, struct store_op *op)
{
	static int (*const verbs[])(struct store_db * db, struct store_op * op, struct err * e) = {
		[STORE_INVITE] = apply_invite, [STORE_REDEEM] = apply_redeem,
		[STORE_REVOKE] = apply_revoke, [STORE_SEEN] = apply_seen,
		[STORE_PORT] = apply_port,     [STORE_LOAD] = apply_load,
	};

	return verbs[op->verb](db, op, &op->e);
}

void store_op_done(struct store_op *op)
{
	free(op->ret_names);
	op->ret_names = NULL;
	op->n_ret_names = 0;
	store_image_done(&op->ret_image);
}
