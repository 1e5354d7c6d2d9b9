/* replay FOLDER...: run the fuzz target linked with this file once on every file of the folders. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

/* A copy of exactly the file's size, so that the address sanitizer sees one byte too many. */
static int replay_file(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *bytes;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(name);
		exit(1);
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return 0;
	}
	bytes = malloc((size_t)st.st_size);
	n = read(fd, bytes, (size_t)st.st_size);
	close(fd);
	if (n != st.st_size) {
		perror(name);
		exit(1);
	}
	printf("%s: %zd bytes\n", name, n);
	fflush(stdout); /* names the guilty seed when the next line aborts */
	LLVMFuzzerTestOneInput(bytes, (size_t)n);
	free(bytes);
	return 1;
}

static int replay_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (!dir) {
		perror(path);
		exit(1);
	}
	while ((entry = readdir(dir)))
		n += replay_file(dirfd(dir), entry->d_name);
	closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++)
		n += replay_folder(argv[i]);
	printf("%d seeds\n", n);
	return n ? 0 : 1; /* a target without a seed tests nothing */
}
