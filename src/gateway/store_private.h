/* Inside the store: the database with its statements (store_db.c), and what each operation does in
 * a transaction (store_ops.c). All of it belongs to one thread at a time. */
#pragma once

#include <sqlite3.h>

#include "gateway/store.h"

#define STORE_STATEMENTS(X)                                                                        \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                \
	X(COMMIT, "COMMIT")                                                                        \
	X(ROLLBACK, "ROLLBACK")                                                                    \
	X(SAVEPOINT, "SAVEPOINT op")                                                               \
	X(RELEASE, "RELEASE op")                                                                   \
	X(ROLLBACK_TO, "ROLLBACK TO op")                                                           \
	X(AGENTS, "SELECT id, name, key, created, last_seen, revoked FROM agents ORDER BY id")     \
	X(AGENT_BY_KEY,                                                                            \
	  "SELECT id, name, key, created, last_seen, revoked FROM agents WHERE key = ?1")          \
	X(AGENT_BY_NAME, "SELECT id, name, key, created, last_seen, revoked FROM agents"           \
			 " WHERE name = ?1 AND revoked = 0")                                       \
	X(AGENT_IS_ACTIVE, "SELECT 1 FROM agents WHERE id = ?1 AND revoked = 0")                   \
	X(ADD_AGENT, "INSERT INTO agents (name, key, created) VALUES (?1, ?2, ?3)")                \
	X(REVOKE_AGENT, "UPDATE agents SET revoked = 1 WHERE id = ?1")                             \
	X(SEE_AGENT, "UPDATE agents SET last_seen = max(last_seen, ?2) WHERE id = ?1")             \
	X(NAMES, "SELECT name, agent FROM names ORDER BY name")                                    \
	X(NAMES_OF, "SELECT name, agent FROM names WHERE agent = ?1 ORDER BY name")                \
	X(NAME_OWNER, "SELECT agents.name FROM names JOIN agents ON agents.id = names.agent"       \
		      " WHERE names.name = ?1")                                                    \
	X(NAME_PROMISED, "SELECT invites.agent FROM invite_names JOIN invites USING (secret)"      \
			 " WHERE invite_names.name = ?1 AND invites.agent <> ?2"                   \
			 " AND used_by IS NULL AND expires > ?3")                                  \
	X(ADD_NAME, "INSERT INTO names (name, agent) VALUES (?1, ?2)"                              \
		    " ON CONFLICT (name) DO NOTHING")                                              \
	X(FORGET_NAMES, "DELETE FROM names WHERE agent = ?1")                                      \
	X(PORTS, "SELECT port, agent, service FROM ports ORDER BY port")                           \
	X(ADD_PORT, "INSERT OR REPLACE INTO ports (port, agent, service) VALUES (?1, ?2, ?3)")     \
	X(FORGET_PORT, "DELETE FROM ports WHERE agent = ?2 AND service = ?3")                      \
	X(FORGET_PORTS, "DELETE FROM ports WHERE agent = ?1")                                      \
	X(INVITE, "SELECT agent, expires, used_by FROM invites WHERE secret = ?1")                 \
	X(COUNT_INVITES, "SELECT count(*) FROM invites WHERE used_by IS NULL AND expires > ?1")    \
	X(ADD_INVITE,                                                                              \
	  "INSERT INTO invites (secret, agent, created, expires) VALUES (?1, ?2, ?3, ?4)")         \
	X(USE_INVITE, "UPDATE invites SET used_by = ?2 WHERE secret = ?1")                         \
	X(FORGET_INVITES, "DELETE FROM invites WHERE expires < ?1")                                \
	X(FORGET_INVITES_OF, "DELETE FROM invites WHERE agent = ?1 AND used_by IS NULL")           \
	X(ADD_INVITE_NAME, "INSERT INTO invite_names (secret, name) VALUES (?1, ?2)"               \
			   " ON CONFLICT DO NOTHING")                                              \
	X(INVITE_NAMES, "SELECT name FROM invite_names WHERE secret = ?1")

enum store_statement {
#define X(name, sql) STORE_SQL_##name,
	STORE_STATEMENTS(X)
#undef X
		STORE_SQL_COUNT
};

struct store_db {
	char path[4096]; /* for errors */
	sqlite3 *db;
	bool opened;
	sqlite3_stmt *statements[STORE_SQL_COUNT]; /* owned */
};

/* Errors as store_open; db is to be closed also after one. */
int store_db_open(struct store_db *db, const char *folder, size_t bytes_max,
		  struct err *e) MUST_CHECK;
void store_db_close(struct store_db *db);

/* What went wrong in the last call, in words of this program. Once the database is open the disk
 * makes -ERR_FAILED or -ERR_NOMEM only: other codes are the operations' own answers. */
int store_db_fail(const struct store_db *db, struct err *e);

/* A statement, ready for parameters and steps. */
sqlite3_stmt *store_db_use(struct store_db *db, enum store_statement which);

void store_bind_text(sqlite3_stmt *s, int at, const char *text); /* borrowed until reset */
void store_bind_blob(sqlite3_stmt *s, int at, const void *bytes, int len);
void store_bind_int(sqlite3_stmt *s, int at, uint64_t n);

/* 1: a row; 0: no more, and the statement is reset; -ERR_*. */
int store_db_step(struct store_db *db, sqlite3_stmt *s, struct err *e) MUST_CHECK;

/* For statements without rows, and when one row was enough. 0 or -ERR_*. */
int store_db_finish(struct store_db *db, sqlite3_stmt *s, struct err *e) MUST_CHECK;

/* A statement without parameters and rows. */
int store_db_do(struct store_db *db, enum store_statement which, struct err *e) MUST_CHECK;

/* Do op within a transaction: fills its ret_ fields, and op->e. On failure what it changed is to be
 * rolled back. */
int store_op_apply(struct store_db *db, struct store_op *op) MUST_CHECK;

int store_load(struct store_db *db, struct store_image *ret, struct err *e) MUST_CHECK;
