#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "gateway/store_private.h"
#include "state/folder.h"

#define BUSY_TIMEOUT_MS 5000

/*
 * The schema, as steps from one version to the next: step i leads from version i to i + 1 (PRAGMA
 * user_version). Released steps never change; a new one is appended.
 */
static const char *const migrations[] = {
	"CREATE TABLE agents ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL,"
	" key BLOB NOT NULL UNIQUE CHECK (length(key) = 32)," /* SHA-256 of the public key */
	" created INTEGER NOT NULL,"
	" last_seen INTEGER NOT NULL DEFAULT 0,"
	" revoked INTEGER NOT NULL DEFAULT 0"
	") STRICT;"
	/* A revoked agent gives his name free and keeps his key. */
	"CREATE UNIQUE INDEX agents_name ON agents (name) WHERE revoked = 0;"
	"CREATE TABLE names ("
	" name TEXT PRIMARY KEY,"
	" agent INTEGER NOT NULL REFERENCES agents"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX names_agent ON names (agent);"
	"CREATE TABLE ports ("
	" port INTEGER PRIMARY KEY CHECK (port BETWEEN 1 AND 65535),"
	" agent INTEGER NOT NULL REFERENCES agents,"
	" service TEXT NOT NULL,"
	" UNIQUE (agent, service)"
	") STRICT;"
	"CREATE TABLE invites ("
	" secret BLOB PRIMARY KEY CHECK (length(secret) = 32)," /* SHA-256 of it */
	" agent TEXT NOT NULL,"
	" created INTEGER NOT NULL,"
	" expires INTEGER NOT NULL,"
	" used_by BLOB" /* a key */
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX invites_expires ON invites (expires);"
	"CREATE TABLE invite_names ("
	" secret BLOB NOT NULL REFERENCES invites ON DELETE CASCADE,"
	" name TEXT NOT NULL,"
	" PRIMARY KEY (secret, name)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX invite_names_name ON invite_names (name);",
};

static int fail(const struct store_db *db, struct err *e)
{
	int code = db->db ? sqlite3_errcode(db->db) : SQLITE_NOMEM;
	const char *text = db->db ? sqlite3_errmsg(db->db) : "out of memory";

	switch (code) {
	case SQLITE_FULL:
		return err_set(e, ERR_FAILED,
			       "%s: the disk is full; nothing was changed, free some space",
			       db->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(e, ERR_INVALID,
			       "%s is damaged (%s); restore it from a backup, or move it away and "
			       "pair the agents again",
			       db->path, text);
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return err_set(e, ERR_DENIED,
			       "%s cannot be written (%s); give this user the right, or choose "
			       "another folder with --state",
			       db->path, text);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, ERR_FAILED, "%s: another program holds it for more than %d s",
			       db->path, BUSY_TIMEOUT_MS / 1000);
	case SQLITE_NOMEM:
		return err_set(e, ERR_NOMEM, "%s: out of memory", db->path);
	default: /* SQLite has many more; its text is the best there is */
		return err_set(e, ERR_FAILED, "%s: %s", db->path, text);
	}
}

int store_db_fail(const struct store_db *db, struct err *e)
{
	int r = fail(db, e);

	if (!db->opened || r == -ERR_NOMEM)
		return r;
	if (e)
		e->code = ERR_FAILED;
	return -ERR_FAILED;
}

/* ── statements ── */

sqlite3_stmt *store_db_use(struct store_db *db, enum store_statement which)
{
	sqlite3_stmt *s = db->statements[which];

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return s;
}

void store_bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

void store_bind_blob(sqlite3_stmt *s, int at, const void *bytes, int len)
{
	sqlite3_bind_blob(s, at, bytes, len, SQLITE_STATIC);
}

void store_bind_int(sqlite3_stmt *s, int at, uint64_t n)
{
	sqlite3_bind_int64(s, at, (sqlite3_int64)n);
}

int store_db_step(struct store_db *db, sqlite3_stmt *s, struct err *e)
{
	int code = sqlite3_step(s);
	int r = code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : store_db_fail(db, e);

	if (r != 1)
		sqlite3_reset(s);
	return r;
}

int store_db_finish(struct store_db *db, sqlite3_stmt *s, struct err *e)
{
	int r = store_db_step(db, s, e);

	sqlite3_reset(s);
	return MIN(r, 0);
}

int store_db_do(struct store_db *db, enum store_statement which, struct err *e)
{
	return store_db_finish(db, store_db_use(db, which), e);
}

static int prepare_all(struct store_db *db, struct err *e)
{
	static const char *const sql[STORE_SQL_COUNT] = {
#define X(name, text) text,
		STORE_STATEMENTS(X)
#undef X
	};

	for (int i = 0; i < STORE_SQL_COUNT; i++)
		if (sqlite3_prepare_v3(db->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &db->statements[i], NULL) != SQLITE_OK)
			return store_db_fail(db, e);
	return 0;
}

/* ── opening ── */

static int exec(struct store_db *db, const char *sql, struct err *e)
{
	return sqlite3_exec(db->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_db_fail(db, e);
}

/* The first column of the first row of a pragma, as a number or a text. */
static int pragma(struct store_db *db, const char *sql, int64_t *ret, char text[static 64],
		  struct err *e)
{
	sqlite3_stmt *s = NULL;
	int r = 0;

	text[0] = '\0';
	if (sqlite3_prepare_v2(db->db, sql, -1, &s, NULL) != SQLITE_OK)
		return store_db_fail(db, e);
	if (sqlite3_step(s) == SQLITE_ROW) {
		*ret = sqlite3_column_int64(s, 0);
		snprintf(text, 64, "%s", (const char *)sqlite3_column_text(s, 0));
	} else {
		r = store_db_fail(db, e);
	}
	sqlite3_finalize(s);
	return r;
}

/* Secrets are hashed and keys are public, but who is behind which name is nobody else's business:
 * the file is made before SQLite makes it, and its journals inherit the mode. */
static int make_file(const struct store_db *db, struct err *e)
{
	AUTO(closep) int fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set_errno(e, errno == EACCES || errno == EROFS ? ERR_DENIED : ERR_FAILED,
				     "%s", db->path);
	return 0;
}

static int configure(struct store_db *db, size_t bytes_max, struct err *e)
{
	char text[64], sql[64];
	int64_t page_size = 4096, n;
	int r;

	sqlite3_busy_timeout(db->db, BUSY_TIMEOUT_MS);
	r = pragma(db, "PRAGMA journal_mode = WAL", &n, text, e);
	if (r == 0 && strcmp(text, "wal") != 0)
		return err_set(e, ERR_FAILED,
			       "%s: this file system cannot hold it (no shared memory for SQLite's "
			       "WAL); choose a local folder with --state",
			       db->path);
	if (r == 0)
		r = exec(db, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;", e);
	if (r == 0)
		r = pragma(db, "PRAGMA page_size", &page_size, text, e);
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %zu", bytes_max / (size_t)page_size);
	if (r == 0)
		r = pragma(db, sql, &n, text, e);
	return r;
}

/* A damaged file is better found at start than in the middle of the night. */
static int check(struct store_db *db, struct err *e)
{
	char text[64];
	int64_t n;
	int r = pragma(db, "PRAGMA quick_check(1)", &n, text, e);

	if (r == 0 && strcmp(text, "ok") != 0)
		return err_set(e, ERR_INVALID,
			       "%s is damaged (%s); restore it from a backup, or move it away and "
			       "pair the agents again",
			       db->path, text);
	return r;
}

/* Within a transaction: another process may be at it too. */
static int migrate_locked(struct store_db *db, struct err *e)
{
	int64_t version, latest = ARRAY_LEN(migrations);
	char text[64], sql[64];
	int r = pragma(db, "PRAGMA user_version", &version, text, e);

	if (r < 0)
		return r;
	if (version > latest)
		return err_set(e, ERR_INVALID,
			       "%s was written by a newer version (%lld, this one knows %lld); "
			       "install that, or restore a backup from before",
			       db->path, (long long)version, (long long)latest);
	for (int64_t i = version; i < latest && r == 0; i++)
		r = exec(db, migrations[i], e);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %lld", (long long)latest);
	return r == 0 && version < latest ? exec(db, sql, e) : r;
}

static int migrate(struct store_db *db, struct err *e)
{
	int r = exec(db, "BEGIN IMMEDIATE", e);

	if (r < 0)
		return r;
	r = migrate_locked(db, e);
	if (r == 0)
		r = exec(db, "COMMIT", e);
	if (r < 0)
		sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

int store_db_open(struct store_db *db, const char *folder, size_t bytes_max, struct err *e)
{
	int r;

	*db = (struct store_db){0};
	if ((size_t)snprintf(db->path, sizeof(db->path), "%s/%s", folder, STORE_FILE) >=
	    sizeof(db->path))
		return err_set(e, ERR_INVALID, "the state folder's path is too long");
	r = state_folder_prepare(folder, e);
	if (r == 0)
		r = make_file(db, e);
	if (r < 0)
		return r;
	if (sqlite3_open_v2(db->path, &db->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return store_db_fail(db, e);
	r = configure(db, bytes_max, e);
	if (r == 0)
		r = check(db, e);
	if (r == 0)
		r = migrate(db, e);
	if (r == 0)
		r = prepare_all(db, e);
	db->opened = r == 0;
	return r;
}

void store_db_close(struct store_db *db)
{
	for (int i = 0; i < STORE_SQL_COUNT; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->db);
	*db = (struct store_db){0};
}
