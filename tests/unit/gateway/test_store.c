#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "gateway/store_private.h"

#define NOW  (1000 * 86400 * USEC_PER_S)
#define DAY  (86400 * USEC_PER_S)
#define LATE (NOW + 2 * DAY)

/* ── a folder for each test ── */

static int set_up(void **state)
{
	char path[] = "/tmp/homeport-store-XXXXXX";

	*state = mkdtemp(path) ? strdup(path) : NULL;
	return *state ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(*state);
	return 0;
}

static struct store *open_store(const char *folder, struct store_image *image)
{
	struct store *store;
	struct err e;

	if (store_open(folder, NULL, &store, image, &e) < 0)
		fail_msg("%s", e.text);
	return store;
}

/* ── operations, done at once; texts of errors stay until the next one ── */

static char last_error[512];

static int finish(struct store *store, struct store_op *op)
{
	int r = store_run(store, op);

	strcpy(last_error, op->e.text);
	return r;
}

static struct store_secret secret_of(const char *text)
{
	struct store_secret secret;

	store_secret_hash(&secret, text, strlen(text));
	return secret;
}

static struct tls_key_hash key_of(uint8_t n)
{
	return (struct tls_key_hash){{n, 2, 3}};
}

static int invite(struct store *store, const char *secret, const char *agent, const char *name)
{
	char names[1][HOSTNAME_MAX];
	struct store_op op = {.verb = STORE_INVITE, .now_wall = NOW};

	op.invite.secret = secret_of(secret);
	op.invite.expires_wall = NOW + DAY;
	strcpy(op.invite.agent, agent);
	if (name) {
		strcpy(names[0], name);
		op.invite.names = names;
		op.invite.n_names = 1;
	}
	return finish(store, &op);
}

/* Who it made is in *ret (may be NULL), how many names he has in *ret_names. */
static int redeem(struct store *store, const char *secret, uint8_t key, usec_t now,
		  struct store_agent *ret, size_t *ret_names)
{
	struct store_op op = {.verb = STORE_REDEEM, .now_wall = now};
	int r;

	op.redeem.secret = secret_of(secret);
	op.redeem.key = key_of(key);
	r = finish(store, &op);
	if (r == 0 && ret)
		*ret = op.ret_agent;
	if (r == 0 && ret_names)
		*ret_names = op.n_ret_names;
	store_op_done(&op);
	return r;
}

static int revoke_agent(struct store *store, const char *agent)
{
	struct store_op op = {.verb = STORE_REVOKE, .now_wall = NOW};

	strcpy(op.revoke.agent, agent);
	return finish(store, &op);
}

static int give_port(struct store *store, uint64_t agent, const char *service, uint16_t port)
{
	struct store_op op = {.verb = STORE_PORT, .now_wall = NOW};

	op.port.agent = agent;
	op.port.port = port;
	strcpy(op.port.service, service);
	return finish(store, &op);
}

static struct store_image load(struct store *store)
{
	struct store_op op = {.verb = STORE_LOAD};

	assert_int_equal(finish(store, &op), 0);
	return op.ret_image;
}

static void assert_says(const char *part)
{
	if (!strstr(last_error, part))
		fail_msg("\"%s\" is not in: %s", part, last_error);
}

/* ── tests ── */

static void an_invite_makes_an_agent(void **state)
{
	struct store_image image;
	struct store *store = open_store(*state, &image);
	struct store_agent agent = {0};
	size_t names;

	assert_int_equal(image.n_agents, 0);
	assert_int_equal(invite(store, "s1", "Laptop", "Blog.example.org"), 0);
	assert_int_equal(redeem(store, "s1", 1, NOW + 1, &agent, &names), 0);
	assert_string_equal(agent.name, "laptop");
	assert_int_equal(agent.created_wall, NOW + 1);
	assert_int_equal(names, 1);
	assert_true(give_port(store, agent.id, "ssh", 2222) == 0);
	store_seen(store, agent.id, NOW + 5);
	store_seen(store, agent.id, NOW + 3);
	store_close(store);

	store = open_store(*state, &image);
	assert_int_equal(image.n_agents, 1);
	assert_int_equal(image.agents[0].id, agent.id);
	assert_string_equal(image.agents[0].name, "laptop");
	assert_memory_equal(&image.agents[0].key, &agent.key, sizeof(agent.key));
	assert_int_equal(image.agents[0].last_seen_wall, NOW + 5);
	assert_false(image.agents[0].revoked);
	assert_int_equal(image.n_names, 1);
	assert_string_equal(image.names[0].name, "blog.example.org");
	assert_int_equal(image.names[0].agent, agent.id);
	assert_int_equal(image.n_ports, 1);
	assert_int_equal(image.ports[0].port, 2222);
	assert_string_equal(image.ports[0].service, "ssh");
	store_image_done(&image);
	store_close(store);
}

static void a_code_is_good_for_one_key(void **state)
{
	struct store *store = open_store(*state, NULL);
	struct store_agent first = {0}, again = {0};

	assert_int_equal(invite(store, "s1", "laptop", NULL), 0);
	assert_int_equal(redeem(store, "s2", 1, NOW, NULL, NULL), -ERR_NOT_FOUND);
	assert_int_equal(redeem(store, "s1", 1, NOW, &first, NULL), 0);
	assert_int_equal(redeem(store, "s1", 1, NOW, &again, NULL), 0);
	assert_int_equal(again.id, first.id);
	assert_int_equal(redeem(store, "s1", 1, LATE, &again, NULL), 0); /* burnt nothing */
	assert_int_equal(redeem(store, "s1", 2, NOW, NULL, NULL), -ERR_DENIED);
	assert_says("used by another key");
	assert_int_equal(redeem(store, "s1", 2, LATE, NULL, NULL), -ERR_DENIED);
	assert_int_equal(invite(store, "s3", "nas", NULL), 0);
	assert_int_equal(redeem(store, "s3", 2, LATE, NULL, NULL), -ERR_TIMEOUT);
	assert_says("expired");
	assert_int_equal(redeem(store, "s3", 2, NOW + DAY - 1, NULL, NULL), 0);
	store_close(store);
}

static void names_belong_to_one_agent(void **state)
{
	struct store *store = open_store(*state, NULL);
	size_t names = 0;

	assert_int_equal(invite(store, "s1", "laptop", "blog.example.org"), 0);
	assert_int_equal(invite(store, "s2", "nas", "blog.example.org"), -ERR_EXISTS);
	assert_says("blog.example.org is promised to agent laptop");
	assert_int_equal(redeem(store, "s2", 2, NOW, NULL, NULL), -ERR_NOT_FOUND);
	assert_int_equal(redeem(store, "s1", 1, NOW, NULL, NULL), 0);
	assert_int_equal(invite(store, "s2", "nas", "BLOG.example.org"), -ERR_EXISTS);
	assert_says("blog.example.org belongs to agent laptop");
	/* More names for one who is there already. */
	assert_int_equal(invite(store, "s3", "laptop", "photos.example.org"), 0);
	assert_int_equal(redeem(store, "s3", 1, NOW, NULL, &names), 0);
	assert_int_equal(names, 2);
	assert_int_equal(invite(store, "s4", "laptop", "blog.example.org"), 0);
	assert_int_equal(redeem(store, "s4", 1, NOW, NULL, &names), 0);
	assert_int_equal(names, 2);
	store_close(store);
}

static void agents_keep_their_key(void **state)
{
	struct store *store = open_store(*state, NULL);

	assert_int_equal(invite(store, "s1", "laptop", NULL), 0);
	assert_int_equal(redeem(store, "s1", 1, NOW, NULL, NULL), 0);
	assert_int_equal(invite(store, "s2", "laptop", NULL), 0);
	assert_int_equal(redeem(store, "s2", 2, NOW, NULL, NULL), -ERR_EXISTS);
	assert_says("agent laptop has another key; revoke it");
	assert_int_equal(redeem(store, "s2", 1, NOW, NULL, NULL), 0); /* was not burnt */
	assert_int_equal(invite(store, "s3", "nas", NULL), 0);
	assert_int_equal(redeem(store, "s3", 1, NOW, NULL, NULL), -ERR_EXISTS);
	assert_says("this key is agent laptop already");
	store_close(store);
}

static void invites_are_checked(void **state)
{
	struct store *store = open_store(*state, NULL);
	struct store_op op = {.verb = STORE_INVITE, .now_wall = NOW};

	assert_int_equal(invite(store, "s1", "", NULL), -ERR_INVALID);
	assert_int_equal(invite(store, "s1", "a.b", NULL), -ERR_INVALID);
	assert_int_equal(invite(store, "s1", "a b", NULL), -ERR_INVALID);
	assert_says("\"a b\" cannot name an agent");
	assert_int_equal(invite(store, "s1", "laptop", "not a name"), -ERR_INVALID);
	assert_int_equal(invite(store, "s1", "laptop", "*.example.org"), -ERR_INVALID);
	assert_int_equal(redeem(store, "s1", 1, NOW, NULL, NULL), -ERR_NOT_FOUND);
	op.invite.n_names = STORE_INVITE_NAMES_MAX + 1;
	assert_int_equal(finish(store, &op), -ERR_LIMIT);
	store_close(store);
}

static void a_revoked_agent_frees_its_name(void **state)
{
	struct store *store = open_store(*state, NULL);
	struct store_agent first = {0}, next = {0};
	struct store_image image;

	assert_int_equal(revoke_agent(store, "laptop"), -ERR_NOT_FOUND);
	assert_int_equal(invite(store, "s1", "laptop", "blog.example.org"), 0);
	assert_int_equal(redeem(store, "s1", 1, NOW, &first, NULL), 0);
	assert_int_equal(give_port(store, first.id, "ssh", 2222), 0);
	assert_int_equal(invite(store, "s2", "laptop", "more.example.org"), 0);
	assert_int_equal(revoke_agent(store, "laptop"), 0);
	assert_int_equal(revoke_agent(store, "laptop"), -ERR_NOT_FOUND);
	image = load(store);
	assert_int_equal(image.n_agents, 1);
	assert_true(image.agents[0].revoked);
	assert_int_equal(image.n_names, 0);
	assert_int_equal(image.n_ports, 0);
	store_image_done(&image);

	assert_int_equal(redeem(store, "s1", 1, NOW, NULL, NULL), -ERR_DENIED);
	assert_int_equal(redeem(store, "s2", 2, NOW, NULL, NULL), -ERR_NOT_FOUND);
	assert_int_equal(give_port(store, first.id, "ssh", 2222), -ERR_NOT_FOUND);
	assert_int_equal(invite(store, "s3", "laptop", "blog.example.org"), 0);
	assert_int_equal(redeem(store, "s3", 1, NOW, NULL, NULL), -ERR_DENIED);
	assert_says("was revoked");
	assert_int_equal(redeem(store, "s3", 2, NOW, &next, NULL), 0);
	assert_true(next.id > first.id);
	store_close(store);
}

static void a_port_has_one_service(void **state)
{
	struct store *store = open_store(*state, NULL);
	struct store_agent a = {0}, b = {0};
	struct store_image image;

	assert_int_equal(invite(store, "s1", "a", NULL), 0);
	assert_int_equal(redeem(store, "s1", 1, NOW, &a, NULL), 0);
	assert_int_equal(invite(store, "s2", "b", NULL), 0);
	assert_int_equal(redeem(store, "s2", 2, NOW, &b, NULL), 0);
	assert_int_equal(give_port(store, a.id, "ssh", 2001), 0);
	assert_int_equal(give_port(store, a.id, "game", 2002), 0);
	assert_int_equal(give_port(store, a.id, "ssh", 2003), 0); /* moves */
	assert_int_equal(give_port(store, b.id, "ssh", 2002), 0); /* takes it over */
	assert_int_equal(give_port(store, a.id, "none", 0), 0);	  /* had none */
	assert_int_equal(give_port(store, 99, "ssh", 2009), -ERR_NOT_FOUND);
	image = load(store);
	assert_int_equal(image.n_ports, 2);
	assert_int_equal(image.ports[0].port, 2002);
	assert_int_equal(image.ports[0].agent, b.id);
	assert_int_equal(image.ports[1].port, 2003);
	assert_string_equal(image.ports[1].service, "ssh");
	store_image_done(&image);
	assert_int_equal(give_port(store, b.id, "ssh", 0), 0);
	image = load(store);
	assert_int_equal(image.n_ports, 1);
	store_image_done(&image);
	store_close(store);
}

/* ── with a loop ── */

struct crowd {
	struct loop *loop;
	struct store_op *ops;
	unsigned left, failed;
};

static struct crowd crowd;

static void on_invited(struct store_op *op)
{
	crowd.failed += op->r == -ERR_LIMIT;
	if (--crowd.left == 0)
		loop_stop(crowd.loop);
}

static void many_are_answered_on_their_loop(void **state)
{
	struct store *store = open_store(*state, NULL);
	unsigned n = STORE_INVITES_MAX + 200; /* so many fail, beside others that do not */

	crowd = (struct crowd){.left = n, .ops = calloc(n, sizeof(struct store_op))};
	assert_int_equal(loop_new(&crowd.loop, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		struct store_op *op = &crowd.ops[i];

		*op = (struct store_op){.verb = STORE_INVITE,
					.now_wall = NOW,
					.loop = crowd.loop,
					.done = on_invited};
		op->invite.secret.bytes[0] = (uint8_t)i;
		op->invite.secret.bytes[1] = (uint8_t)(i >> 8);
		op->invite.expires_wall = NOW + DAY;
		strcpy(op->invite.agent, "laptop");
		assert_int_equal(store_submit(store, op), 0);
	}
	loop_run(crowd.loop);
	assert_int_equal(crowd.failed, 200);
	store_close(store);
	loop_free(crowd.loop);
	free(crowd.ops);
}

static void closing_does_what_was_submitted(void **state)
{
	struct store *store = open_store(*state, NULL);
	struct store_op op = {.verb = STORE_INVITE, .now_wall = NOW, .done = on_invited};

	crowd = (struct crowd){.left = 1};
	assert_int_equal(loop_new(&crowd.loop, NULL), 0);
	op.loop = crowd.loop;
	op.invite.secret = secret_of("s1");
	op.invite.expires_wall = NOW + DAY;
	strcpy(op.invite.agent, "laptop");
	assert_int_equal(store_submit(store, &op), 0);
	store_close(store);
	loop_run(crowd.loop);
	assert_int_equal(crowd.failed, 0);
	loop_free(crowd.loop);
	store = open_store(*state, NULL);
	assert_int_equal(redeem(store, "s1", 1, NOW, NULL, NULL), 0);
	store_close(store);
}

/* ── what may go wrong ── */

/* A child writes and prints a number for each acknowledged invite, until it is killed. */
static void write_until_killed(const char *folder, int out)
{
	struct store *store = open_store(folder, NULL);
	char secret[32];

	for (uint32_t i = 0;; i++) {
		snprintf(secret, sizeof(secret), "s%u", i);
		if (invite(store, secret, "laptop", NULL) < 0 ||
		    redeem(store, secret, 1, NOW, NULL, NULL) < 0 ||
		    write(out, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

static void a_kill_loses_nothing_acknowledged(void **state)
{
	uint32_t last = 0;
	int fds[2], status;
	struct store *store;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		close(fds[0]);
		write_until_killed(*state, fds[1]);
	}
	close(fds[1]);
	while (last < 60) /* enough for it to be in the middle of anything */
		assert_int_equal(read(fds[0], &last, sizeof(last)), sizeof(last));
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	while (read(fds[0], &last, sizeof(last)) == sizeof(last))
		;
	close(fds[0]);

	store = open_store(*state, NULL);
	for (uint32_t i = 0; i <= last; i++) {
		char secret[32];

		snprintf(secret, sizeof(secret), "s%u", i);
		assert_int_equal(redeem(store, secret, 1, LATE, NULL, NULL), 0);
	}
	store_close(store);
}

static void a_full_disk_is_told_and_changes_nothing(void **state)
{
	struct store_options options = {.bytes_max = 256 * 1024};
	struct store *store;
	char secret[32];
	unsigned done = 0;
	int r = 0;

	assert_int_equal(store_open(*state, &options, &store, NULL, NULL), 0);
	for (; r == 0 && done < 100000; done++) {
		struct store_op op = {.verb = STORE_INVITE, .now_wall = NOW};
		char names[STORE_INVITE_NAMES_MAX][HOSTNAME_MAX];

		op.invite.names = names;
		snprintf(secret, sizeof(secret), "s%u", done);
		op.invite.secret = secret_of(secret);
		op.invite.expires_wall = NOW + (done ? 0 : DAY); /* no limit but the disk */
		op.invite.n_names = STORE_INVITE_NAMES_MAX;
		strcpy(op.invite.agent, "laptop");
		for (int i = 0; i < STORE_INVITE_NAMES_MAX; i++)
			snprintf(op.invite.names[i], HOSTNAME_MAX, "n%d.example.org", i);
		r = finish(store, &op);
	}
	assert_int_equal(r, -ERR_FAILED);
	assert_says("the disk is full; nothing was changed");
	assert_int_equal(redeem(store, secret, 1, NOW, NULL, NULL), -ERR_NOT_FOUND);
	store_close(store);

	store = open_store(*state, NULL); /* with more room it goes on */
	assert_int_equal(redeem(store, "s0", 1, NOW, NULL, NULL), 0);
	assert_int_equal(invite(store, secret, "laptop", NULL), 0);
	store_close(store);
}

static void write_file(const char *folder, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, STORE_FILE);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

static int open_fails(const char *folder)
{
	struct store *store;
	struct store_image image;
	struct err e = {0};
	int r = store_open(folder, NULL, &store, &image, &e);

	strcpy(last_error, e.text);
	return r;
}

static void a_damaged_database_is_told(void **state)
{
	struct store *store = open_store(*state, NULL);
	char path[128];
	int fd;

	for (int i = 0; i < 200; i++) {
		char secret[32];

		snprintf(secret, sizeof(secret), "s%d", i);
		assert_int_equal(invite(store, secret, "laptop", NULL), 0);
	}
	store_close(store);
	snprintf(path, sizeof(path), "%s/%s", (char *)*state, STORE_FILE);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	for (int page = 1; page < 20; page++)
		assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, page * 4096), 8);
	close(fd);
	assert_int_equal(open_fails(*state), -ERR_INVALID);
	assert_says("is damaged");
	assert_says("restore it from a backup");
	write_file(*state, "this is not a database, this is a text that is long enough to be one. "
			   "It goes on for a while, and then it ends.");
	assert_int_equal(open_fails(*state), -ERR_INVALID);
	assert_says("is damaged");
}

static void a_newer_database_is_left_alone(void **state)
{
	char path[128];
	sqlite3 *db;

	store_close(open_store(*state, NULL));
	snprintf(path, sizeof(path), "%s/%s", (char *)*state, STORE_FILE);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(open_fails(*state), -ERR_INVALID);
	assert_says("written by a newer version (99, this one knows 1)");
}

static void an_unwritable_folder_is_told(void **state)
{
	char path[128];
	int status;
	pid_t child;

	snprintf(path, sizeof(path), "%s/%s", (char *)*state, STORE_FILE);
	store_close(open_store(*state, NULL));
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(chmod(*state, 0500), 0);
	child = fork();
	if (child == 0) { /* root may write anything */
		if (geteuid() == 0 && setuid(65534) < 0)
			_exit(2);
		_exit(open_fails(*state) == -ERR_DENIED && strstr(last_error, *state) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(chmod(*state, 0700), 0);
	assert_int_equal(status, 0);
	assert_int_equal(open_fails("/dev/null/state"), -ERR_FAILED);
	assert_says("/dev/null");
}

static void others_cannot_read_it(void **state)
{
	struct store *store = open_store(*state, NULL);
	static const char *const suffixes[] = {"", "-wal", "-shm"};

	assert_int_equal(invite(store, "s1", "laptop", NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char path[128];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s%s", (char *)*state, STORE_FILE, suffixes[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	store_close(store);
}

/* The command line beside a running gateway. */
static void two_processes_can_write(void **state)
{
	struct store *here = open_store(*state, NULL), *there = open_store(*state, NULL);
	struct store_agent agent = {0};

	assert_int_equal(invite(there, "s1", "laptop", NULL), 0);
	assert_int_equal(redeem(here, "s1", 1, NOW, &agent, NULL), 0);
	assert_int_equal(revoke_agent(there, "laptop"), 0);
	assert_int_equal(redeem(here, "s1", 1, NOW, &agent, NULL), -ERR_DENIED);
	store_close(here);
	store_close(there);
}

/* -ERR_DENIED is what an invite says of itself. */
static void a_disk_that_turns_read_only(void **state)
{
	struct store_op op = {.verb = STORE_REDEEM, .now_wall = NOW};
	struct store *store = open_store(*state, NULL);
	struct store_db db;

	assert_int_equal(invite(store, "a", "laptop", NULL), 0);
	store_close(store);
	assert_int_equal(store_db_open(&db, *state, 1 << 20, NULL), 0);
	assert_int_equal(sqlite3_exec(db.db, "PRAGMA query_only = 1", NULL, NULL, NULL), SQLITE_OK);
	op.redeem.secret = secret_of("a");
	op.redeem.key = key_of(1);
	assert_int_equal(store_op_apply(&db, &op), -ERR_FAILED);
	assert_int_equal(op.e.code, ERR_FAILED);
	store_op_done(&op);
	store_db_close(&db);
}

static void what_waits_is_small(void **state)
{
	assert_in_range(sizeof(struct store_op) * STORE_QUEUE_MAX, 1, 32 << 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_disk_that_turns_read_only),
		TEST(what_waits_is_small),
		TEST(an_invite_makes_an_agent),
		TEST(a_code_is_good_for_one_key),
		TEST(names_belong_to_one_agent),
		TEST(agents_keep_their_key),
		TEST(invites_are_checked),
		TEST(a_revoked_agent_frees_its_name),
		TEST(a_port_has_one_service),
		TEST(many_are_answered_on_their_loop),
		TEST(closing_does_what_was_submitted),
		TEST(a_kill_loses_nothing_acknowledged),
		TEST(a_full_disk_is_told_and_changes_nothing),
		TEST(a_damaged_database_is_told),
		TEST(a_newer_database_is_left_alone),
		TEST(an_unwritable_folder_is_told),
		TEST(others_cannot_read_it),
		TEST(two_processes_can_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
