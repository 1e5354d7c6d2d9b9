#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/folder.h"
#include "state/lock.h"

/* A folder of its own for each test. */
static int folder_new(void **state)
{
	char *path = strdup("/tmp/homeport-test-XXXXXX");

	*state = path;
	return mkdtemp(path) ? 0 : -1;
}

static int folder_remove(void **state)
{
	char *command = NULL;
	int r = asprintf(&command, "chmod -R u+rwX %s; rm -r %s", (char *)*state, (char *)*state);

	r = r < 0 ? -1 : system(command);
	free(command);
	free(*state);
	return r;
}

static char *in(const char *folder, const char *file)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	return path;
}

static unsigned count_files(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* ── where ── */

static void clear_environment(void)
{
	static const char *const names[] = {"STATE_DIRECTORY", "RUNTIME_DIRECTORY",
					    "XDG_STATE_HOME", "XDG_RUNTIME_DIR"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
}

static void assert_path(char *path, const char *expected)
{
	assert_string_equal(path, expected);
	free(path);
}

static void test_default_paths(void **state)
{
	bool root = geteuid() == 0;

	clear_environment();
	setenv("HOME", "/home/ann", 1);
	assert_path(state_default_path("homeport"),
		    root ? "/var/lib/homeport" : "/home/ann/.local/state/homeport");
	assert_path(state_runtime_path("homeport", "/home/ann/state"),
		    root ? "/run/homeport" : "/home/ann/state");
	setenv("XDG_STATE_HOME", "/home/ann/xdg", 1);
	setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
	assert_path(state_default_path("homeport"),
		    root ? "/var/lib/homeport" : "/home/ann/xdg/homeport");
	assert_path(state_runtime_path("homeport", "/home/ann/state"),
		    root ? "/run/homeport" : "/run/user/1000/homeport");
	setenv("STATE_DIRECTORY", "/var/lib/hp:/var/lib/other", 1); /* systemd lists several */
	setenv("RUNTIME_DIRECTORY", "/run/hp", 1);
	assert_path(state_default_path("homeport"), "/var/lib/hp");
	assert_path(state_runtime_path("homeport", "/home/ann/state"), "/run/hp");
	setenv("STATE_DIRECTORY", "", 1); /* empty is as good as none */
	assert_path(state_default_path("homeport"),
		    root ? "/var/lib/homeport" : "/home/ann/xdg/homeport");
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	if (!root)
		assert_null(state_default_path("homeport"));
	clear_environment();
}

static void test_runtime_directory_of_several(void **state)
{
	clear_environment();
	setenv("RUNTIME_DIRECTORY", "/run/hp:/run/other", 1);
	assert_path(state_runtime_path("homeport", "/x"), "/run/hp");
	clear_environment();
}

static void test_prepare(void **state)
{
	const char *deep = in(*state, "a/b/c");
	struct err e = {0};

	assert_int_equal(state_folder_prepare(deep, &e), 0);
	assert_int_equal(mode_of(deep), 0700);
	assert_int_equal(state_folder_prepare(deep, &e), 0); /* it is there already */
	assert_int_equal(state_folder_prepare("/", &e) < 0, geteuid() != 0);
}

static void test_prepare_fails_with_words(void **state)
{
	const char *file = in(*state, "file");
	struct err e = {0};

	close(open(file, O_CREAT | O_WRONLY, 0600));
	assert_true(state_folder_prepare(in(*state, "file/x"), &e) < 0);
	assert_non_null(strstr(e.text, "cannot make the state folder "));
	assert_non_null(strstr(e.text, "Not a directory"));
	assert_true(state_folder_prepare(in(*state, "file"), &e) < 0);
	assert_non_null(strstr(e.text, "/file"));
	assert_true(state_folder_prepare("/proc/homeport", &e) < 0);
	if (geteuid() == 0)
		return; /* nothing is denied to root */
	assert_int_equal(chmod(*state, 0500), 0);
	assert_int_equal(state_folder_prepare(*state, &e), -ERR_DENIED);
	assert_non_null(strstr(e.text, "--state"));
	assert_int_equal(state_folder_prepare(in(*state, "new"), &e), -ERR_DENIED);
	assert_non_null(strstr(e.text, "Permission denied"));
}

/* ── files ── */

static void test_write_and_read(void **state)
{
	AUTO(buf_donep) struct buf b = {0};
	struct err e = {0};

	assert_int_equal(state_write(*state, "key", STR("first\0secret"), &e), 0);
	assert_int_equal(mode_of(in(*state, "key")), 0600);
	assert_int_equal(state_write(*state, "key", STR("2nd"), &e), 0);
	assert_int_equal(state_read(*state, "key", &b, &e), 0);
	assert_true(str_eq(buf_str(&b), STR("2nd")));
	assert_int_equal(count_files(*state), 1); /* no temporary file stays */
	assert_int_equal(state_write(*state, "empty", STR(""), &e), 0);
	buf_done(&b);
	assert_int_equal(state_read(*state, "empty", &b, &e), 0);
	assert_int_equal(buf_len(&b), 0);
}

static void test_mode_is_that_of_a_secret(void **state)
{
	mode_t before = umask(0);

	assert_int_equal(state_write(*state, "key", STR("x"), NULL), 0);
	umask(before);
	assert_int_equal(mode_of(in(*state, "key")), 0600);
	assert_int_equal(chmod(in(*state, "key"), 0644), 0);
	assert_int_equal(state_write(*state, "key", STR("y"), NULL), 0);
	assert_int_equal(mode_of(in(*state, "key")), 0600);
}

static void test_read_what_is_not_there(void **state)
{
	AUTO(buf_donep) struct buf b = {0};
	struct err e = {0};

	assert_int_equal(state_read(*state, "none", &b, &e), -ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "/none: No such file or directory"));
	assert_int_equal(state_read("/nowhere", "none", &b, &e), -ERR_NOT_FOUND);
	assert_int_equal(state_read("/", "tmp", &b, &e), -ERR_FAILED);
	assert_non_null(strstr(e.text, "Is a directory"));
	if (geteuid() == 0)
		return;
	assert_int_equal(state_write(*state, "key", STR("x"), &e), 0);
	assert_int_equal(chmod(in(*state, "key"), 0), 0);
	assert_int_equal(state_read(*state, "key", &b, &e), -ERR_DENIED);
}

static void test_at_most_1_mib(void **state)
{
	AUTO(buf_donep) struct buf b = {0};
	AUTO(freep) char *bytes = calloc(1, STATE_FILE_MAX + 1);
	struct err e = {0};

	assert_int_equal(state_write(*state, "large", str_n(bytes, STATE_FILE_MAX), &e), 0);
	assert_int_equal(state_read(*state, "large", &b, &e), 0);
	assert_int_equal(buf_len(&b), STATE_FILE_MAX);
	buf_done(&b);
	assert_int_equal(state_write(*state, "large", str_n(bytes, STATE_FILE_MAX + 1), &e), 0);
	assert_int_equal(state_read(*state, "large", &b, &e), -ERR_LIMIT);
	assert_non_null(strstr(e.text, "larger than 1 MiB"));
}

/* A write that fails leaves the old file as it was, and nothing beside it. */
static void test_a_failed_write(void **state)
{
	AUTO(buf_donep) struct buf b = {0};
	struct err e = {0};

	assert_int_equal(mkdir(in(*state, "folder"), 0700), 0);
	assert_int_equal(mkdir(in(*state, "folder/x"), 0700), 0);
	assert_int_equal(state_write(*state, "folder", STR("x"), &e), -ERR_FAILED);
	assert_non_null(strstr(e.text, "write "));
	assert_int_equal(count_files(*state), 1);
	assert_true(state_write("/nowhere", "file", STR("x"), &e) < 0);
	assert_int_equal(state_write(*state, "key", STR("old"), &e), 0);
	if (geteuid() == 0)
		return;
	assert_int_equal(chmod(*state, 0500), 0);
	assert_int_equal(state_write(*state, "key", STR("new"), &e), -ERR_DENIED);
	assert_int_equal(state_read(*state, "key", &b, &e), 0);
	assert_true(str_eq(buf_str(&b), STR("old")));
}

/* What an earlier process left under the temporary name is in nobody's way; a link there is not
 * followed. */
static void test_leftovers(void **state)
{
	char temporary[64], target[4096];
	struct err e = {0};

	snprintf(temporary, sizeof(temporary), "key.%d.tmp", getpid());
	close(open(in(*state, temporary), O_CREAT | O_WRONLY, 0644));
	assert_int_equal(state_write(*state, "key", STR("x"), &e), 0);
	assert_int_equal(count_files(*state), 1);
	assert_int_equal(mode_of(in(*state, "key")), 0600);
	snprintf(target, sizeof(target), "%s", in(*state, "target"));
	assert_int_equal(symlink(target, in(*state, temporary)), 0);
	assert_int_equal(state_write(*state, "key", STR("y"), &e), 0);
	assert_int_equal(access(target, F_OK), -1);
}

static void test_remove(void **state)
{
	struct err e = {0};

	assert_int_equal(state_write(*state, "key", STR("x"), &e), 0);
	assert_int_equal(state_remove(*state, "key", &e), 0);
	assert_int_equal(access(in(*state, "key"), F_OK), -1);
	assert_int_equal(state_remove(*state, "key", &e), 0);
	assert_true(state_remove("/", "proc", &e) < 0);
	assert_non_null(strstr(e.text, "remove //proc"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_new, folder_remove)

/* ── whose it is ── */

#define SOMEBODY 12345

static uid_t owner_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_uid;
}

static void test_what_root_writes_is_the_folders_owners(void **state)
{
	struct err e = {0};
	int lock = -1;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(*state, SOMEBODY, SOMEBODY), 0);
	assert_int_equal(state_write(*state, "file", STR("key"), &e), 0);
	assert_int_equal(owner_of(in(*state, "file")), SOMEBODY);
	assert_int_equal(mode_of(in(*state, "file")), 0600);
	assert_int_equal(state_lock(*state, &lock, &e), 0);
	assert_int_equal(owner_of(in(*state, "lock")), SOMEBODY);
	close(lock);
}

static void test_a_file_that_is_elsewhere_too_is_not_given(void **state)
{
	int fd;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(*state, SOMEBODY, SOMEBODY), 0);
	fd = open(in(*state, "file"), O_CREAT | O_WRONLY, 0600);
	assert_int_equal(linkat(fd, "", AT_FDCWD, in(*state, "other"), AT_EMPTY_PATH), 0);
	state_give(*state, fd);
	assert_int_equal(owner_of(in(*state, "file")), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_paths),
		cmocka_unit_test(test_runtime_directory_of_several),
		TEST(test_prepare),
		TEST(test_prepare_fails_with_words),
		TEST(test_write_and_read),
		TEST(test_mode_is_that_of_a_secret),
		TEST(test_read_what_is_not_there),
		TEST(test_at_most_1_mib),
		TEST(test_a_failed_write),
		TEST(test_leftovers),
		TEST(test_remove),
		TEST(test_what_root_writes_is_the_folders_owners),
		TEST(test_a_file_that_is_elsewhere_too_is_not_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
