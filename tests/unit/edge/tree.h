/* A temporary folder to share, and something beside it that must stay private. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tree {
	char top[64];  /* private/secret.txt and site/ are in here */
	char site[80]; /* what is shared */
};

static inline const char *tree_path(const struct tree *t, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", t->site, name);
	return path;
}

static inline void tree_file(const struct tree *t, const char *name, const void *bytes, size_t n)
{
	int fd = open(tree_path(t, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

static inline void tree_text(const struct tree *t, const char *name, const char *text)
{
	tree_file(t, name, text, strlen(text));
}

static inline void tree_folder(const struct tree *t, const char *name)
{
	assert_int_equal(mkdir(tree_path(t, name), 0755), 0);
}

static inline void tree_link(const struct tree *t, const char *name, const char *to)
{
	assert_int_equal(symlink(to, tree_path(t, name)), 0);
}

static inline int tree_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void tree_done(struct tree *t)
{
	nftw(t->top, tree_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void tree_init(struct tree *t)
{
	strcpy(t->top, "/tmp/homeport-test-XXXXXX");
	assert_non_null(mkdtemp(t->top));
	snprintf(t->site, sizeof(t->site), "%s/site", t->top);
	assert_int_equal(mkdir(t->site, 0755), 0);
	tree_folder(t, "../private");
	tree_text(t, "../private/secret.txt", "secret");
	tree_text(t, "hello.txt", "Hello, world\n");
	tree_folder(t, "folder");
	tree_text(t, "folder/inner.html", "<p>inner</p>");
	tree_folder(t, "indexed");
	tree_text(t, "indexed/index.html", "<p>index</p>");
	tree_text(t, ".hidden", "hidden");
	tree_folder(t, ".git");
	tree_text(t, ".git/config", "hidden");
	tree_link(t, "in", "hello.txt");
	tree_link(t, "in-folder", "folder");
	tree_link(t, "out", "../private/secret.txt");
	tree_link(t, "out-folder", "../private");
	tree_link(t, "absolute", "/etc/passwd");
	tree_link(t, "loop", "loop");
	tree_link(t, "proc", "/proc/self/root/etc/passwd");
	tree_link(t, "dangling", "nothing");
	tree_link(t, "folder/up", "..");
	tree_link(t, "in-hidden", ".hidden");
	tree_link(t, "in-git", ".git");
	tree_link(t, "folder/in-config", "../.git/config");
	tree_link(t, "in-twice", "in-hidden");
	tree_link(t, "through", ".git/../hello.txt");
	tree_folder(t, ".well-known");
	tree_text(t, ".well-known/security.txt", "known");
	tree_link(t, "known.txt", ".well-known/security.txt");
	tree_folder(t, "folder/.well-known");
	tree_text(t, "folder/.well-known/inner", "hidden");
	tree_link(t, "not-known.txt", "folder/.well-known/inner");
	assert_int_equal(mkfifo(tree_path(t, "fifo"), 0644), 0);
}
