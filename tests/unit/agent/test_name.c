#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/name.h"

static char folder[] = "/tmp/homeport-name-XXXXXX";

static int make_folder(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[80];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static const char *path_of(const char *name)
{
	static char path[100];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_secret(const char *name, const char *text, size_t len)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static void assert_secret(const char *where, const char *expected)
{
	char *secret = NULL;
	struct err e = {0};

	if (agent_name_secret(where, &secret, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(secret, expected);
	free(secret);
}

static void assert_none(const char *where, const char *says)
{
	char *secret = NULL;
	struct err e = {0};

	assert_true(agent_name_secret(where, &secret, &e) < 0);
	assert_null(secret);
	if (!strstr(e.text, says))
		fail_msg("%s", e.text);
}

static void test_first_lines(void **state)
{
	static const struct {
		const char *text, *secret;
	} cases[] = {
		{"s3cret", "s3cret"},		{"s3cret\n", "s3cret"},
		{"s3cret\r\nmore\n", "s3cret"}, {" s3 cret #x\n", " s3 cret #x"},
		{"s\xc3\xa9\n", "s\xc3\xa9"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		write_secret("secret", cases[i].text, strlen(cases[i].text));
		assert_secret(path_of("secret"), cases[i].secret);
	}
}

static void test_no_secrets(void **state)
{
	char large[5000];

	assert_none(path_of("missing"), "No such file");
	assert_none(folder, "no ordinary file");
	assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
	assert_none(path_of("pipe"), "no ordinary file"); /* and nobody waits for a writer */
	write_secret("empty", "", 0);
	assert_none(path_of("empty"), "nothing in its first line");
	write_secret("empty", "\ns3cret\n", 8);
	assert_none(path_of("empty"), "nothing in its first line");
	memset(large, 'x', sizeof(large));
	write_secret("large", large, sizeof(large)); /* not the beginning of it */
	assert_none(path_of("large"), "too long");
	large[4000] = '\n';
	write_secret("large", large, sizeof(large));
	large[4000] = '\0';
	assert_secret(path_of("large"), large);
}

static void test_credentials(void **state)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_none("credential:dyn", "systemd passed none");
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	write_secret("dyn", "s3cret\n", 7);
	assert_secret("credential:dyn", "s3cret");
	assert_none("credential:other", "No such file");
	assert_none("credential:../dyn", "systemd passed none");
	assert_none("credential:", "no ordinary file");
	unsetenv("CREDENTIALS_DIRECTORY");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_lines),
		cmocka_unit_test(test_no_secrets),
		cmocka_unit_test(test_credentials),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
