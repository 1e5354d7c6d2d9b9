#include "test.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "state/lock.h"

static void one_process_at_a_time(void **state)
{
	char folder[] = "/tmp/homeport-lock-XXXXXX";
	char command[64], pid[32];
	struct err e = {0};
	int fd = -1, second = -1;

	assert_non_null(mkdtemp(folder));
	assert_int_equal(state_lock(folder, &fd, &e), 0);
	assert_int_equal(state_lock(folder, &second, &e), -ERR_EXISTS);
	snprintf(pid, sizeof(pid), "process %d", getpid());
	assert_non_null(strstr(e.text, pid));
	assert_non_null(strstr(e.text, folder));
	close(fd);
	assert_int_equal(state_lock(folder, &second, &e), 0);
	close(second);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

/* However the process ends, the lock is free. */
static void a_killed_process_holds_nothing(void **state)
{
	char folder[] = "/tmp/homeport-lock-XXXXXX";
	char command[64];
	int fd = -1, status;
	pid_t child;

	assert_non_null(mkdtemp(folder));
	child = fork();
	if (child == 0) {
		if (state_lock(folder, &fd, NULL) < 0)
			_exit(1);
		raise(9);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(state_lock(folder, &fd, NULL), 0);
	close(fd);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

static void a_missing_folder_is_an_error(void **state)
{
	struct err e = {0};
	int fd = -1;

	assert_int_equal(state_lock("/nowhere/at/all", &fd, &e), -ERR_FAILED);
	assert_int_equal(fd, -1);
	assert_non_null(strstr(e.text, "/nowhere/at/all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_process_at_a_time),
		cmocka_unit_test(a_killed_process_holds_nothing),
		cmocka_unit_test(a_missing_folder_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
