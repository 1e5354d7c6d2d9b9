#include "test.h"

#include "edge/folder.h"
#include "tree.h"

static int try_open(const struct tree *t, const char *path, unsigned flags)
{
	int root, fd = -1, r;

	assert_int_equal(edge_folder_root(t->site, &root, NULL), 0);
	r = edge_folder_open(root, path, flags, &fd, NULL);
	if (r == 0)
		close(fd);
	close(root);
	return r;
}

static void opens_what_is_inside(void **state)
{
	static const char *const good[] = {"", "hello.txt", "folder", "folder/inner.html", "fifo"};
	struct tree t;

	tree_init(&t);
	for (unsigned walk = 0; walk <= EDGE_FOLDER_WALK; walk++)
		for (size_t i = 0; i < ARRAY_LEN(good); i++)
			if (try_open(&t, good[i], walk) != 0)
				fail_msg("%s", good[i]);
	assert_int_equal(try_open(&t, "in", 0), 0);
	assert_int_equal(try_open(&t, "in-folder/inner.html", 0), 0);
	assert_int_equal(try_open(&t, "folder/up/hello.txt", 0), 0);
	assert_int_equal(try_open(&t, "through", 0), 0);
	assert_int_equal(try_open(&t, "known.txt", 0), 0);
	/* without the kernel's help no link is followed */
	assert_int_equal(try_open(&t, "in", EDGE_FOLDER_WALK), -ERR_NOT_FOUND);
	assert_int_equal(try_open(&t, "in-folder/inner.html", EDGE_FOLDER_WALK), -ERR_NOT_FOUND);
	tree_done(&t);
}

static void nothing_leads_out(void **state)
{
	static const char *const bad[] = {
		"out",
		"out-folder/secret.txt",
		"out-folder",
		"absolute",
		"loop",
		"proc",
		"dangling",
		"nothing",
		"hello.txt/x",
		"..",
		"../private/secret.txt",
		"folder/../../private/secret.txt",
		"folder/up/../private/secret.txt",
		"/etc/passwd",
		"in-hidden",
		"in-git",
		"in-git/config",
		"folder/in-config",
		"folder/up/in-git/config",
		"in-twice",
		"not-known.txt",
	};
	struct tree t;

	tree_init(&t);
	for (unsigned walk = 0; walk <= EDGE_FOLDER_WALK; walk++)
		for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
			int r = try_open(&t, bad[i], walk);

			if (r != -ERR_NOT_FOUND)
				fail_msg("%s: %d", bad[i], r);
		}
	tree_done(&t);
}

static void may_want_a_folder(void **state)
{
	struct tree t;

	tree_init(&t);
	for (unsigned walk = 0; walk <= EDGE_FOLDER_WALK; walk++) {
		assert_int_equal(try_open(&t, "folder", walk | EDGE_FOLDER_ONLY), 0);
		assert_int_equal(try_open(&t, "", walk | EDGE_FOLDER_ONLY), 0);
		assert_int_equal(try_open(&t, "hello.txt", walk | EDGE_FOLDER_ONLY),
				 -ERR_NOT_FOUND);
	}
	tree_done(&t);
}

static void says_that_the_folder_is_gone(void **state)
{
	struct err e = {0};
	int fd;

	assert_int_equal(edge_folder_root("/nonexistent/folder", &fd, &e), -ERR_NOT_FOUND);
	assert_string_equal(e.text, "open /nonexistent/folder: No such file or directory");
	assert_int_equal(edge_folder_root("/etc/passwd", &fd, &e), -ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_is_inside),
		cmocka_unit_test(nothing_leads_out),
		cmocka_unit_test(may_want_a_folder),
		cmocka_unit_test(says_that_the_folder_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
