/* Whole files: of another client, which hold secrets, and new ones of ours. */
#pragma once

#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * The file in one piece of memory (import_file_wipep), at most DNS_IMPORT_FILE_MAX. regular: nothing but a
 * file of the disk will do, and a pipe does not hold us up. -ERR_NOT_FOUND, -ERR_INVALID: a folder, or not
 * regular; -ERR_LIMIT, -ERR_NOMEM, -ERR_FAILED.
 */
int import_file_read(const char *path, bool regular, struct buf *b, struct stat *ret,
		     struct err *e) MUST_CHECK;

void import_file_wipep(struct buf *b);

/* A new file, whole or not at all; another one of that name stays as it is, unless forced. It belongs to
 * whom state_give says. -ERR_EXISTS, -ERR_FAILED, -ERR_NOMEM. */
int import_file_write(const char *path, mode_t mode, struct str bytes, bool force,
		      struct err *e) MUST_CHECK;

/* The folder of a file: "." for a name alone. The caller frees it; NULL: no memory. */
char *import_file_folder(const char *path);
