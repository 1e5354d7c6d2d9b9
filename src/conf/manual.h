/*
 * A program's man page, as far as its tables tell it: roff with man macros, to be put between
 * sections that people write. The directives of a configuration file: conf_write_man.
 */
#pragma once

#include "conf/options.h"

/* All commands from .SS down: usage, what it does, its own options, examples. -ERR_NOMEM. */
int manual_write_commands(const struct program *program, struct buf *out) MUST_CHECK;

/* The options that every command has. -ERR_NOMEM. */
int manual_write_options(const struct program *program, struct buf *out) MUST_CHECK;

/* A text as it stands, indented: an example file. -ERR_NOMEM. */
int manual_write_verbatim(struct str text, struct buf *out) MUST_CHECK;
