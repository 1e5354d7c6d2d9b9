#include "edge/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "edge/filepath.h"

/* The kernel gives EAGAIN when a rename ran beside the resolution of a "..". */
#define OPENAT2_TRIES 8

static int error_code(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case EXDEV: /* it leads out of the folder */
	case ENAMETOOLONG:
	case ENXIO: /* a FIFO or socket */
	case ENODEV:
	case EINVAL:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case EMFILE:
	case ENFILE:
		return ERR_LIMIT;
	default:
		return ERR_FAILED;
	}
}

int edge_folder_root(const char *path, int *ret_fd, struct err *e)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set_errno(e, error_code(errno), "open %s", path);
	*ret_fd = fd;
	return 0;
}

static int open_flags(unsigned flags)
{
	return O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
	       (flags & EDGE_FOLDER_ONLY ? O_DIRECTORY : 0);
}

static int try_openat2(int root_fd, const char *path, unsigned flags, uint64_t resolve)
{
	struct open_how how = {.flags = (uint64_t)open_flags(flags), .resolve = resolve};
	long fd;

	for (int i = 0; i < OPENAT2_TRIES; i++) {
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

/* Where a descriptor leads; empty: nobody knows. */
static struct str path_of(int fd, char text[static PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, text, PATH_MAX);
	return str_n(text, n > 0 && n < PATH_MAX ? (size_t)n : 0);
}

/* Whether a name on the way from the root to the file is hidden: a link's own name says nothing of
 * what it leads to. Also where the way cannot be told. */
static bool leads_to_hidden(int root_fd, int fd)
{
	char root_text[PATH_MAX], text[PATH_MAX];
	struct str root = path_of(root_fd, root_text), path = path_of(fd, text);

	if (str_eq(root, STR("/")))
		root.len = 0;
	else if (root.len == 0)
		return true;
	if (!str_starts(path, root))
		return true;
	path = str_n(path.at + root.len, path.len - root.len);
	return edge_filepath_below_hidden(path);
}

/* Links are followed at the second try: only what they lead to has to be looked at. */
static int open_beneath(int root_fd, const char *path, unsigned flags)
{
	const uint64_t beneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
	int fd = try_openat2(root_fd, path, flags, beneath | RESOLVE_NO_SYMLINKS);

	if (fd >= 0 || errno != ELOOP)
		return fd;
	fd = try_openat2(root_fd, path, flags, beneath);
	if (fd >= 0 && leads_to_hidden(root_fd, fd)) {
		close(fd);
		errno = ENOENT;
		fd = -1;
	}
	return fd;
}

/* Name by name; every one but the last must be a folder, none may be a symbolic link. */
static int open_by_steps(int root_fd, const char *path, unsigned flags)
{
	struct str rest = str_of(path);
	char name[256]; /* NAME_MAX and NUL */
	int dir = openat(root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (dir >= 0) {
		bool got = str_copy(name, sizeof(name), str_split(&rest, '/')), last = !rest.len;
		int next = -1, error;

		if (!got || strcmp(name, "..") == 0)
			errno = ENOENT;
		else
			next = openat(dir, name,
				      O_NOFOLLOW | (last ? open_flags(flags)
							 : O_PATH | O_DIRECTORY | O_CLOEXEC));
		error = errno;
		close(dir);
		errno = error;
		if (last)
			return next;
		dir = next;
	}
	return -1;
}

int edge_folder_open(int root_fd, const char *path, unsigned flags, int *ret_fd, struct err *e)
{
	const char *at = *path ? path : ".";
	int fd = -1;

	errno = ENOSYS;
	if (!(flags & EDGE_FOLDER_WALK))
		fd = open_beneath(root_fd, at, flags);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) /* EPERM: an old container's filter */
		fd = open_by_steps(root_fd, at, flags);
	if (fd < 0)
		return err_set_errno(e, error_code(errno), "open");
	*ret_fd = fd;
	return 0;
}
