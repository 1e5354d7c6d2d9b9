#include "cli/import_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "dns/import.h"
#include "state/folder.h"

static int read_all(int fd, const char *path, struct buf *b, struct err *e)
{
	uint8_t *to = buf_reserve(b, DNS_IMPORT_FILE_MAX + 1); /* at once: growing leaves copies */
	ssize_t n = 1;

	if (!to)
		return err_set(e, ERR_NOMEM, "%s", path);
	while (n != 0 && buf_len(b) <= DNS_IMPORT_FILE_MAX) {
		n = read(fd, to + buf_len(b), DNS_IMPORT_FILE_MAX + 1 - buf_len(b));
		if (n < 0 && errno != EINTR)
			return err_set_errno(e, ERR_FAILED, "%s", path);
		if (n > 0)
			buf_commit(b, (size_t)n);
	}
	if (buf_len(b) > DNS_IMPORT_FILE_MAX)
		return err_set(e, ERR_LIMIT, "%s: longer than %zu KiB", path,
			       DNS_IMPORT_FILE_MAX / 1024);
	return 0;
}

int import_file_read(const char *path, bool regular, struct buf *b, struct stat *ret, struct err *e)
{
	AUTO(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | (regular ? O_NONBLOCK : 0));

	if (fd < 0 || fstat(fd, ret) < 0)
		return err_set_errno(e, ERR_NOT_FOUND, "%s", path);
	if (S_ISDIR(ret->st_mode))
		return err_set(e, ERR_INVALID, "%s is a folder", path);
	if (regular && !S_ISREG(ret->st_mode))
		return err_set(e, ERR_INVALID, "%s is no ordinary file", path);
	return read_all(fd, path, b, e);
}

void import_file_wipep(struct buf *b)
{
	if (b->bytes)
		secret_wipe(b->bytes, b->size);
	buf_done(b);
}

char *import_file_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static bool write_all(int fd, struct str bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			bytes = str_n(bytes.at + n, bytes.len - (size_t)n);
	}
	return fsync(fd) == 0;
}

/* The name lasts, too. */
static bool sync_folder(const char *folder)
{
	AUTO(closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0;
}

/* Under its name; a link to somewhere else is replaced, not followed. */
static bool publish(const char *temporary, const char *path, bool force)
{
	return force ? rename(temporary, path) == 0
		     : renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0 ||
			       (errno == EINVAL && link(temporary, path) == 0 &&
				unlink(temporary) == 0); /* not every file system can it */
}

int import_file_write(const char *path, mode_t mode, struct str bytes, bool force, struct err *e)
{
	AUTO(freep) char *temporary = NULL;
	AUTO(freep) char *folder = import_file_folder(path);
	AUTO(closep) int fd = -1;
	int r;

	if (!folder || asprintf(&temporary, "%s.%d.tmp", path, getpid()) < 0) {
		temporary = NULL;
		return err_set(e, ERR_NOMEM, "%s", path);
	}
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set_errno(e, ERR_FAILED, "write %s", path);
	state_give(folder, fd);
	if (!write_all(fd, bytes) || !publish(temporary, path, force)) {
		r = err_set_errno(e, errno == EEXIST ? ERR_EXISTS : ERR_FAILED, "write %s", path);
		unlink(temporary);
		return r;
	}
	return sync_folder(folder) ? 0 : err_set_errno(e, ERR_FAILED, "write %s", path);
}
