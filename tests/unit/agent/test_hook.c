/* Programs of the user's, in earnest: each writes what it has been told. */
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/hook.h"
#include "base/cleanup.h"

struct world {
	struct loop *loop;
	struct hooks hooks;
	struct timer look;
	unsigned wanted; /* lines of the file */
	char folder[64], program[80], file[80];
};

static void write_program(const struct world *w, const char *text)
{
	FILE *f = fopen(w->program, "we");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s", text);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(w->program, 0755), 0);
}

static unsigned lines(const struct world *w)
{
	FILE *f = fopen(w->file, "re");
	unsigned n = 0;

	for (int c; f && (c = getc(f)) != EOF;)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

static void on_look(void *arg)
{
	struct world *w = arg;

	if (lines(w) >= w->wanted && !w->hooks.running)
		loop_stop(w->loop);
	else
		timer_start(&w->look, 20 * USEC_PER_MS);
}

static void wait_for_lines(struct world *w, unsigned n)
{
	w->wanted = n;
	timer_start(&w->look, 0);
	loop_run(w->loop);
	assert_int_equal(lines(w), n);
}

static void run(struct world *w, const char *name)
{
	const struct hook_value values[] = {{"NAME", name}, {"FILE", w->file}};

	hook_run(&w->hooks, w->program, values, ARRAY_LEN(values));
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(loop_new(&w->loop, NULL), 0);
	hooks_init(&w->hooks, w->loop);
	timer_init(&w->look, w->loop, on_look, w);
	strcpy(w->folder, "/tmp/homeport-hook-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->program, sizeof(w->program), "%s/program", w->folder);
	snprintf(w->file, sizeof(w->file), "%s/file", w->folder);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	timer_stop(&w->look);
	hooks_done(&w->hooks);
	loop_free(w->loop);
	unlink(w->program);
	unlink(w->file);
	rmdir(w->folder);
	free(w);
	return 0;
}

static void test_data_is_in_the_environment(void **state)
{
	struct world *w = *state;
	char line[128] = "";
	FILE *f;

	write_program(w, "echo \"$#.$NAME.$PWD.$HOMEPORT_SECRET\" >>\"$FILE\"\n");
	setenv("HOMEPORT_SECRET", "of the parent", 1);
	run(w, "a $(b) 'c'");
	unsetenv("HOMEPORT_SECRET");
	wait_for_lines(w, 1);
	f = fopen(w->file, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_string_equal(line, "0.a $(b) 'c'./.\n");
}

/* A home's twelve names change at once: each is told, a few at a time. */
static void test_more_than_run_at_once_wait(void **state)
{
	struct world *w = *state;

	write_program(w, "echo \"$NAME\" >>\"$FILE\"\n");
	for (int i = 0; i < 24; i++) {
		char name[32];

		snprintf(name, sizeof(name), "name %d", i);
		run(w, name);
		assert_true(w->hooks.running <= HOOKS_MAX);
	}
	assert_int_equal(w->hooks.running, HOOKS_MAX);
	wait_for_lines(w, 24);
	assert_int_equal(w->hooks.n_waiting, 0);
}

static void test_they_wait_up_to_a_limit(void **state)
{
	struct world *w = *state;

	write_program(w, "exit 0\n");
	for (int i = 0; i < HOOKS_MAX + HOOKS_WAIT_MAX + 3; i++)
		run(w, "x");
	assert_int_equal(w->hooks.n_waiting, HOOKS_WAIT_MAX);
	hooks_done(&w->hooks); /* and whoever stops starts none of them */
	wait_for_lines(w, 0);
	assert_int_equal(w->hooks.n_waiting, 0);
}

static void test_one_that_cannot_be_started(void **state)
{
	struct world *w = *state;

	strcpy(w->program, "/nonexistent/program");
	run(w, "x");
	wait_for_lines(w, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_data_is_in_the_environment),
		TEST(test_more_than_run_at_once_wait),
		TEST(test_they_wait_up_to_a_limit),
		TEST(test_one_that_cannot_be_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
