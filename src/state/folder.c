#include "state/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

static char *join(const char *folder, const char *file)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", folder, file) < 0 ? NULL : path;
}

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

char *state_default_path(const char *name)
{
	const char *given = variable("STATE_DIRECTORY");
	const char *home = variable("HOME");
	AUTO(freep) char *local = NULL;

	if (given)
		return strndup(given, strcspn(given, ":"));
	if (geteuid() == 0)
		return join("/var/lib", name);
	given = variable("XDG_STATE_HOME");
	if (given)
		return join(given, name);
	if (!home)
		return NULL;
	local = join(home, ".local/state");
	return local ? join(local, name) : NULL;
}

char *state_runtime_path(const char *name, const char *fallback)
{
	const char *given = variable("RUNTIME_DIRECTORY");

	if (given)
		return strndup(given, strcspn(given, ":"));
	if (geteuid() == 0)
		return join("/run", name);
	given = variable("XDG_RUNTIME_DIR");
	return given ? join(given, name) : strdup(fallback);
}

static int make_folders(const char *path, struct err *e)
{
	AUTO(freep) char *partial = strdup(path);

	if (!partial)
		return err_set(e, ERR_NOMEM, "%s", path);
	for (char *p = partial + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(partial, 0700) < 0 && errno != EEXIST)
			return err_set_errno(
				e, errno == EACCES || errno == EROFS ? ERR_DENIED : ERR_FAILED,
				"cannot make the state folder %s", path);
		if (c == '\0')
			return 0;
		*p = c;
	}
}

int state_folder_prepare(const char *path, struct err *e)
{
	int r = make_folders(path, e);

	if (r < 0)
		return r;
	if (access(path, W_OK | X_OK) < 0)
		return err_set_errno(
			e, ERR_DENIED,
			"the state folder %s cannot be written (choose another with --state)",
			path);
	return 0;
}

int state_read(const char *folder, const char *file, struct buf *b, struct err *e)
{
	AUTO(freep) char *path = join(folder, file);
	AUTO(closep) int fd = -1;

	if (!path)
		return err_set(e, ERR_NOMEM, "%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(e,
				     errno == ENOENT   ? ERR_NOT_FOUND
				     : errno == EACCES ? ERR_DENIED
						       : ERR_FAILED,
				     "%s", path);
	for (;;) {
		uint8_t *to = buf_reserve(b, 4096);
		ssize_t n;

		if (!to)
			return err_set(e, ERR_NOMEM, "%s", path);
		n = read(fd, to, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(e, ERR_FAILED, "%s", path);
		if (n == 0)
			return 0;
		buf_commit(b, (size_t)n);
		if (buf_len(b) > STATE_FILE_MAX)
			return err_set(e, ERR_LIMIT, "%s: larger than 1 MiB", path);
	}
}

static int write_all(int fd, struct str bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		bytes = str_n(bytes.at + n, bytes.len - (size_t)n);
	}
	return 0;
}

void state_give(const char *folder, int fd)
{
	struct stat of_folder, of_file;

	if (geteuid() != 0 || stat(folder, &of_folder) < 0 || of_folder.st_uid == 0)
		return;
	if (fstat(fd, &of_file) < 0 || of_file.st_uid != 0 ||
	    (!S_ISDIR(of_file.st_mode) && of_file.st_nlink != 1))
		return;
	if (fchown(fd, of_folder.st_uid, of_folder.st_gid) < 0)
		log_debug("cannot give a file in %s to its owner: %s", folder, strerror(errno));
}

static int sync_folder(const char *folder)
{
	AUTO(closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}

int state_write(const char *folder, const char *file, struct str bytes, struct err *e)
{
	AUTO(freep) char *path = join(folder, file);
	AUTO(freep) char *temporary = NULL;
	AUTO(closep) int fd = -1;

	if (!path || asprintf(&temporary, "%s.%d.tmp", path, getpid()) < 0)
		return err_set(e, ERR_NOMEM, "%s", file);
	unlink(temporary); /* of a process that had this number once */
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set_errno(e, errno == EACCES || errno == EROFS ? ERR_DENIED : ERR_FAILED,
				     "write %s", path);
	state_give(folder, fd);
	if (write_all(fd, bytes) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0) {
		int r = err_set_errno(e, ERR_FAILED, "write %s", path);

		unlink(temporary);
		return r;
	}
	if (sync_folder(folder) < 0)
		return err_set_errno(e, ERR_FAILED, "write %s", path);
	return 0;
}

int state_remove(const char *folder, const char *file, struct err *e)
{
	AUTO(freep) char *path = join(folder, file);

	if (!path)
		return err_set(e, ERR_NOMEM, "%s", file);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set_errno(e, ERR_FAILED, "remove %s", path);
	return 0;
}
