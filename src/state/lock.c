#include "state/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>

#include "state/folder.h"

#define LOCK_FILE "lock"

/* The process that wrote its number there; 0: not told. */
static int holder(int fd)
{
	char text[16];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return atoi(text);
}

static int held(int fd, const char *folder, struct err *e)
{
	int pid = holder(fd);

	if (pid > 0)
		return err_set(e, ERR_EXISTS, "the state folder %s is in use by process %d", folder,
			       pid);
	return err_set(e, ERR_EXISTS, "the state folder %s is in use by another process", folder);
}

int state_lock(const char *folder, int *ret_fd, struct err *e)
{
	AUTO(freep) char *path = NULL;
	AUTO(closep) int fd = -1;

	if (asprintf(&path, "%s/" LOCK_FILE, folder) < 0)
		return err_set(e, ERR_NOMEM, "%s", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set_errno(e, errno == EACCES || errno == EROFS ? ERR_DENIED : ERR_FAILED,
				     "%s", path);
	state_give(folder, fd);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? held(fd, folder, e)
					    : err_set_errno(e, ERR_FAILED, "%s", path);
	/* The number is for people; the lock holds without it. */
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%d\n", getpid());
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int state_lock_wait(const char *folder, int *ret_fd, struct err *e)
{
	AUTO(closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_set_errno(e, errno == EACCES ? ERR_DENIED : ERR_FAILED, "%s", folder);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

pid_t state_lock_holder(const char *folder)
{
	AUTO(freep) char *path = NULL;
	AUTO(closep) int fd = -1;

	if (asprintf(&path, "%s/" LOCK_FILE, folder) < 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return 0;
	return holder(fd);
}
