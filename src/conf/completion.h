/*
 * Completion of a program's commands, options and values in a shell, from its tables. What a value
 * is comes from its name there: FILE and PATH are files, FOLDER is a folder, words in small letters
 * ("preserve|local|NAME") are to be typed as they stand, and the rest nobody can guess.
 */
#pragma once

#include "conf/options.h"

/* A script to be sourced by bash 4 or later, of itself or by bash-completion. -ERR_NOMEM. */
int completion_write_bash(const struct program *program, struct buf *out) MUST_CHECK;

/* A function for zsh's completion system, to be found in its fpath as _NAME. -ERR_NOMEM. */
int completion_write_zsh(const struct program *program, struct buf *out) MUST_CHECK;
