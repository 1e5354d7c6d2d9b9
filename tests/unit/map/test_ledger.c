#include "test.h"

#include <dirent.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map/ledger.h"

#define DEADLINE (20 * USEC_PER_S)

static struct loop *loop;
static struct ledger *ledger;
static char state_folder[64];

/* ── waiting for the disk ── */

struct waiter {
	struct ledger_wait wait;
	unsigned done;
	int r;
	char text[512];
};

static void on_written(void *arg, int r, const struct err *e)
{
	struct waiter *w = arg;

	w->done++;
	w->r = r;
	snprintf(w->text, sizeof(w->text), "%s", r < 0 ? e->text : "");
	loop_stop(loop);
}

static void sync_to(struct waiter *w)
{
	*w = (struct waiter){.wait = {.done = on_written, .arg = w}};
	ledger_sync(ledger, &w->wait);
	assert_int_equal(w->done, 0); /* never from inside */
}

static void on_deadline(void *arg)
{
	fail_msg("not written");
}

static void wait_for(struct waiter *w)
{
	struct timer deadline;

	timer_init(&deadline, loop, on_deadline, NULL);
	timer_start(&deadline, DEADLINE);
	while (!w->done)
		loop_run(loop);
	timer_stop(&deadline);
	assert_int_equal(w->done, 1);
}

static int on_disk(void)
{
	struct waiter w;

	sync_to(&w);
	wait_for(&w);
	return w.r;
}

/* ── the folder ── */

static struct ledger *open_one(void)
{
	struct ledger *l = NULL;

	assert_int_equal(ledger_open(loop, state_folder, &l, NULL), 0);
	return l;
}

static int setup(void **state)
{
	strcpy(state_folder, "/tmp/homeport-ledger-XXXXXX");
	assert_non_null(mkdtemp(state_folder));
	assert_int_equal(loop_new(&loop, NULL), 0);
	ledger = open_one();
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	ledger_close(ledger);
	loop_free(loop);
	nftw(state_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* How many processes' folders there are; `ret` is the last one seen. */
static unsigned folders(char ret[static 128])
{
	char doors[80];
	const struct dirent *d;
	unsigned n = 0;
	DIR *dir;

	snprintf(doors, sizeof(doors), "%s/doors", state_folder);
	dir = opendir(doors);
	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.') {
			snprintf(ret, 128, "%s/%.20s", doors, d->d_name);
			n++;
		}
	if (dir)
		closedir(dir);
	return n;
}

/* As a killed process leaves it: what is on disk now is there when `ledger` is closed. */
static void copy_as(const char *id)
{
	char command[300], folder[128];

	assert_true(folders(folder) >= 1); /* all alike */
	snprintf(command, sizeof(command), "cp -a %s %s/doors/%s", folder, state_folder, id);
	assert_int_equal(system(command), 0);
}

static void forget_all(void)
{
	struct ledger_entry *entry;

	while ((entry = ledger_next(ledger, NULL)))
		ledger_remove(ledger, entry);
}

static void close_empty(void)
{
	forget_all();
	ledger_close(TAKE(ledger));
}

static void write_file(const char *id, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/doors/%s", state_folder, id);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/doors/%s/doors.json", state_folder, id);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* ── entries ── */

static struct ledger_entry door(uint16_t port)
{
	return (struct ledger_entry){
		.protocol = IPPROTO_TCP,
		.internal = {.family = 4, .bytes = {192, 168, 1, 5}, .port = port},
		.router = {.family = 4, .bytes = {192, 168, 1, 1}},
		.method = MAP_NONE};
}

static struct ledger_entry *add(uint16_t port)
{
	const struct ledger_entry fresh = door(port);
	struct ledger_entry *entry = ledger_add(ledger, &fresh);

	assert_non_null(entry);
	return entry;
}

static struct ledger_entry *find(uint16_t port)
{
	struct ledger_entry d = door(port);

	return ledger_find(ledger, d.protocol, &d.internal, &d.router);
}

static unsigned count(void)
{
	struct ledger_entry *entry = NULL;
	unsigned n = 0;

	while ((entry = ledger_next(ledger, entry)))
		n++;
	return n;
}

static void adds_and_finds(void **state)
{
	struct ledger_entry *a = add(80), *b = add(81), other = door(80);
	static const uint8_t zeros[LEDGER_NONCE_LEN];

	assert_memory_not_equal(a->nonce, b->nonce, LEDGER_NONCE_LEN);
	assert_memory_not_equal(a->nonce, zeros, LEDGER_NONCE_LEN);
	assert_ptr_equal(find(80), a);
	assert_ptr_equal(find(81), b);
	assert_null(find(82));
	assert_null(ledger_find(ledger, IPPROTO_UDP, &other.internal, &other.router));
	other.internal.bytes[3] = 6;
	assert_null(ledger_find(ledger, IPPROTO_TCP, &other.internal, &other.router));
	other = door(80);
	other.router.bytes[3] = 2;
	assert_null(ledger_find(ledger, IPPROTO_TCP, &other.internal, &other.router));
	ledger_remove(ledger, a);
	assert_null(find(80));
	assert_int_equal(count(), 1);
}

/* A link-local router is the same after a boot, when its link has another number. */
static void scopes_do_not_count(void **state)
{
	struct ledger_entry fresh = {
		.protocol = IPPROTO_UDP,
		.internal = {.family = 6, .bytes = {0x2a, 0x0e, [15] = 7}, .port = 443},
		.router = {.family = 6, .bytes = {0xfe, 0x80, [15] = 1}, .scope = 3},
		.method = MAP_PCP,
		.external_port = 443};
	uint8_t nonce[LEDGER_NONCE_LEN];
	struct ledger_entry *entry;

	memcpy(nonce, ledger_add(ledger, &fresh)->nonce, sizeof(nonce));
	assert_int_equal(on_disk(), 0);
	ledger_close(ledger);
	ledger = open_one();
	fresh.router.scope = 8;
	entry = ledger_find(ledger, IPPROTO_UDP, &fresh.internal, &fresh.router);
	assert_non_null(entry);
	assert_memory_equal(entry->nonce, nonce, sizeof(nonce));
}

static void survives_a_process(void **state)
{
	struct ledger_entry *entry = add(80);
	uint8_t nonce[LEDGER_NONCE_LEN];
	char folder[128];

	memcpy(nonce, entry->nonce, sizeof(nonce));
	assert_int_equal(on_disk(), 0); /* before it is asked for */
	entry->method = MAP_IGD;
	entry->external_port = 8080;
	entry->pinhole = 65535;
	entry->permanent = true;
	entry->expires_s = 1;
	ledger_touch(ledger);
	ledger_close(ledger); /* writes what was not written yet */
	ledger = open_one();
	assert_int_equal(count(), 1);
	entry = find(80);
	assert_memory_equal(entry->nonce, nonce, sizeof(nonce));
	assert_int_equal(entry->method, MAP_IGD);
	assert_int_equal(entry->external_port, 8080);
	assert_int_equal(entry->pinhole, 65535);
	assert_true(entry->permanent);	      /* however long ago it was to expire */
	assert_int_equal(folders(folder), 1); /* the former one was adopted */
	close_empty();
	assert_int_equal(folders(folder), 0);
}

static void what_expired_is_not_adopted(void **state)
{
	struct ledger_entry *old = add(80), *fresh = add(81);

	old->expires_s = ustime_wall() / USEC_PER_S - 10;
	fresh->expires_s = ustime_wall() / USEC_PER_S + 1000;
	add(82); /* asked for, more is not known */
	ledger_close(ledger);
	ledger = open_one();
	assert_null(find(80));
	assert_non_null(find(81));
	assert_non_null(find(82));
}

/* Nonces are keys. */
static void nobody_else_may_read_it(void **state)
{
	char folder[128], path[160];
	struct stat st;

	add(80);
	assert_int_equal(on_disk(), 0);
	assert_int_equal(folders(folder), 1);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	snprintf(path, sizeof(path), "%s/doors.json", folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void empty_leaves_nothing(void **state)
{
	char folder[128];

	assert_int_equal(folders(folder), 1);
	ledger_remove(ledger, add(80));
	assert_int_equal(on_disk(), 0);
	ledger_close(TAKE(ledger));
	assert_int_equal(folders(folder), 0);
}

/* ── processes side by side ── */

struct seen {
	unsigned n;
	uint16_t port;
	pid_t holder;
};

static void on_seen(void *arg, const struct ledger_entry *entry, pid_t holder)
{
	struct seen *seen = arg;

	seen->n++;
	seen->port = entry->internal.port;
	seen->holder = holder;
}

static void each_has_its_own(void **state)
{
	struct ledger *mine = ledger;
	struct ledger_entry *entry;
	struct seen seen = {0};
	char folder[128];

	add(80);
	assert_int_equal(on_disk(), 0);
	ledger = open_one();
	assert_int_equal(count(), 0); /* that one lives */
	assert_int_equal(folders(folder), 2);
	ledger_look(state_folder, on_seen, &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.port, 80);
	assert_int_equal(seen.holder, getpid());
	entry = add(81);
	assert_int_equal(on_disk(), 0);
	ledger_look(state_folder, on_seen, &seen);
	assert_int_equal(seen.n, 3);
	ledger_remove(ledger, entry);
	ledger_close(ledger);
	ledger = mine;
	assert_non_null(find(80));
	assert_int_equal(folders(folder), 1);
}

static void one_that_was_killed(void **state)
{
	struct seen seen = {0};
	char folder[128];
	pid_t child;
	int status;

	ledger_close(TAKE(ledger));
	loop_free(loop);
	child = fork();
	if (child == 0) {
		if (loop_new(&loop, NULL) < 0 || ledger_open(loop, state_folder, &ledger, NULL) < 0)
			_exit(1);
		add(80)->permanent = true;
		_exit(on_disk() == 0 ? 7 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_int_equal(loop_new(&loop, NULL), 0);
	ledger_look(state_folder, on_seen, &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.holder, 0); /* nobody has it */
	ledger = open_one();
	assert_non_null(find(80));
	assert_true(find(80)->permanent);
	assert_int_equal(folders(folder), 1);
	/* adopted means written: should this one be killed, too */
	seen = (struct seen){0};
	ledger_look(state_folder, on_seen, &seen);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.holder, getpid());
}

static void two_left_the_same_door(void **state)
{
	char folder[128];

	add(80);
	assert_int_equal(on_disk(), 0);
	copy_as("00000001");
	copy_as("00000002");
	close_empty();
	ledger = open_one();
	assert_int_equal(count(), 1);
	assert_int_equal(folders(folder), 1);
}

static void what_else_is_there_stays(void **state)
{
	char path[160], folder[128];

	close_empty();
	snprintf(path, sizeof(path), "%s/doors/mine", state_folder);
	assert_int_equal(mkdir(path, 0700), 0);
	ledger = open_one();
	assert_int_equal(folders(folder), 2);
	assert_int_equal(access(path, F_OK), 0);
}

/* ── files that are not as we wrote them ── */

#define ENTRY(port, more)                                                                          \
	"{\"protocol\": \"tcp\", \"internal\": \"192.168.1.5:" port                                \
	"\", \"router\": \"192.168.1.1\", \"nonce\": \"000102030405060708090a0b\"" more "}"

static void damaged_files(void **state)
{
	static const char *const texts[] = {"",
					    "{",
					    "[]",
					    "{\"doors\": 7}",
					    "\x01\x02",
					    "{\"doors\": []} trailing",
					    "{\"doors\": [1, null, []]}"};
	char folder[128];

	close_empty();
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		write_file("00000001", texts[i]);
		ledger = open_one();
		assert_int_equal(count(), 0);
		close_empty();
		assert_true(folders(folder) <= 1);
	}
}

static void damaged_entries(void **state)
{
	static const char text[] = "{\"doors\": [" ENTRY("80", "") ", " ENTRY("0", "") ", " ENTRY("70000", "") ", " ENTRY("81", ", \"external_port\": 65536") ", " ENTRY("82", ", \"external_port\": -1") ", " ENTRY(
		"83",
		", \"expires_s\": -1") ", " ENTRY("84",
						  ", \"pinhole\": 65536") ", " ENTRY("85",
										     ", "
										     "\"method\": "
										     "\"telepathy\""
										     ", "
										     "\"permanent\""
										     ": 1") ", "
											    "{\"pro"
											    "tocol"
											    "\": "
											    "\"tcp"
											    "\", "
											    "\"inte"
											    "rnal\""
											    ": "
											    "\"["
											    "2a0e::"
											    "1]:"
											    "86\", "
											    "\"rout"
											    "er\": "
											    "\"192."
											    "168.1."
											    "1\", "
											    "\"nonc"
											    "e\": "
											    "\"0001"
											    "020304"
											    "050607"
											    "08090a"
											    "0b\"},"
											    " "
											    "{\"pro"
											    "tocol"
											    "\": "
											    "\"tcp"
											    "\", "
											    "\"inte"
											    "rnal\""
											    ": "
											    "\"192."
											    "168.1."
											    "5:"
											    "87\", "
											    "\"rout"
											    "er\": "
											    "\"192."
											    "168.1."
											    "1\", "
											    "\"nonc"
											    "e\": "
											    "\"0001"
											    "\"}, "
											    "{\"pro"
											    "tocol"
											    "\": "
											    "\"tcp"
											    "\", "
											    "\"inte"
											    "rnal\""
											    ": "
											    "\"192."
											    "168.1."
											    "5:"
											    "88\", "
											    "\"rout"
											    "er\": "
											    "\"192."
											    "168.1."
											    "1\"}, "
											    "7]}";

	close_empty();
	write_file("00000001", text);
	ledger = open_one();
	assert_int_equal(count(), 2); /* what can be read of it */
	assert_non_null(find(80));
	assert_int_equal(find(80)->nonce[11], 11);
	assert_non_null(find(85));
	assert_int_equal(find(85)->method, MAP_NONE);
	assert_false(find(85)->permanent);
}

static void so_many_and_no_more(void **state)
{
	struct ledger_entry fresh = door(1);
	char folder[128];

	for (uint16_t port = 1; port <= LEDGER_MAX; port++)
		add(port);
	assert_null(ledger_add(ledger, &fresh));
	assert_int_equal(count(), LEDGER_MAX);
	assert_int_equal(on_disk(), 0);
	copy_as("00000001");
	forget_all();
	for (uint16_t port = 1; port <= 100; port++)
		add((uint16_t)(1000 + port));
	ledger_close(ledger);
	/* more than one ledger can take: nothing is lost, it is adopted later */
	ledger = open_one();
	assert_int_equal(count(), LEDGER_MAX);
	assert_int_equal(folders(folder), 2);
	close_empty();
	ledger = open_one();
	assert_in_range(count(), 100, LEDGER_MAX);
	assert_int_equal(folders(folder), 1);
}

/* ── disks that cannot be written ── */

static void a_folder_that_cannot_be(void **state)
{
	struct ledger *other = NULL;
	char path[80];
	struct err e = {0};
	FILE *f;

	snprintf(path, sizeof(path), "%s/file", state_folder);
	f = fopen(path, "w");
	fclose(f);
	assert_true(ledger_open(loop, path, &other, &e) < 0);
	assert_null(other);
	assert_non_null(strstr(e.text, path));
	assert_true(ledger_open(loop, "/proc/self/nothing", &other, &e) < 0);
	assert_null(other);
}

/* In the place of its folder there is a file: each write fails, each who waits is told. */
static void writes_that_fail(void **state)
{
	char folder[128], away[160];
	struct waiter first, second;

	assert_int_equal(folders(folder), 1);
	snprintf(away, sizeof(away), "%s.away", folder);
	assert_int_equal(rename(folder, away), 0);
	add(80);
	assert_true(on_disk() < 0);
	/* one who comes while that write is under way is not forgotten */
	add(81);
	sync_to(&first);
	loop_stop(loop);
	loop_run(loop); /* it has begun */
	add(82);
	sync_to(&second);
	wait_for(&first);
	assert_true(first.r < 0);
	assert_non_null(strstr(first.text, "doors.json"));
	wait_for(&second);
	assert_true(second.r < 0);
	/* the next change tries again */
	assert_int_equal(rename(away, folder), 0);
	ledger_touch(ledger);
	assert_int_equal(on_disk(), 0);
}

static void many_wait_for_one_write(void **state)
{
	struct waiter a, b, gone;

	add(80);
	sync_to(&a);
	sync_to(&gone);
	sync_to(&b);
	ledger_sync_cancel(&gone.wait);
	wait_for(&a);
	wait_for(&b);
	assert_int_equal(gone.done, 0);
	ledger_sync_cancel(&gone.wait); /* harmless */
	ledger_sync_cancel(&(struct ledger_wait){0});
}

/* The last word wins over a write that is under way, and over one that has not begun. */
static void closed_while_it_writes(void **state)
{
	struct waiter w;
	char folder[128];

	for (int i = 0; i < 20; i++) {
		add(80);
		sync_to(&w);
		if (i % 2) {
			loop_stop(loop);
			loop_run(loop);
		}
		add(81);
		ledger_sync_cancel(&w.wait);
		ledger_close(ledger);
		ledger = open_one();
		assert_int_equal(count(), 2);
		sync_to(&w);
		if (i % 2) {
			loop_stop(loop);
			loop_run(loop);
		}
		ledger_sync_cancel(&w.wait);
		close_empty();
		loop_stop(loop);
		loop_run(loop);
		assert_int_equal(folders(folder), 0); /* and nothing comes after it */
		ledger = open_one();
	}
}

static void without_a_folder(void **state)
{
	struct ledger *kept = ledger;

	assert_int_equal(ledger_open(loop, NULL, &ledger, NULL), 0);
	add(80);
	assert_int_equal(on_disk(), 0);
	assert_non_null(find(80));
	ledger_close(ledger);
	ledger = kept;
	ledger_look("/nowhere/at/all", on_seen, NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(adds_and_finds),	    T(scopes_do_not_count),
		T(survives_a_process),	    T(what_expired_is_not_adopted),
		T(nobody_else_may_read_it), T(empty_leaves_nothing),
		T(each_has_its_own),	    T(one_that_was_killed),
		T(two_left_the_same_door),  T(what_else_is_there_stays),
		T(damaged_files),	    T(damaged_entries),
		T(so_many_and_no_more),	    T(a_folder_that_cannot_be),
		T(writes_that_fail),	    T(many_wait_for_one_write),
		T(closed_while_it_writes),  T(without_a_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
