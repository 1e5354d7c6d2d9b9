/*
 * One value of the configuration: between its text and the field that its row names. For conf.c and
 * text.c, and for who shows a number as one would write it; roles include conf/conf.h.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"

/* Make the field unset. */
void value_init(const struct conf_row *row, void *field);

/* Free what the field owns; it is unset then. */
void value_done(const struct conf_row *row, void *field);

/*
 * Set the field from a text that is not empty; a list gets the words added. `dir` is what relative
 * paths start with: empty, or with a "/" at its end.
 * -ERR_INVALID and a text that fits behind "key = value: "; -ERR_LIMIT; -ERR_NOMEM.
 */
int value_parse(const struct conf_row *row, void *field, struct str text, struct str dir,
		struct err *e) MUST_CHECK;

bool value_is_set(const struct conf_row *row, const void *field);
bool value_equal(const struct conf_row *row, const void *a, const void *b);

/* How many texts the value is written as: the words of a list, else 1 or (unset) 0. */
size_t value_count(const struct conf_row *row, const void *field);

/* Append text i of a value that is set. value_parse understands it. -ERR_NOMEM. */
int value_format(const struct conf_row *row, const void *field, size_t i,
		 struct buf *out) MUST_CHECK;

/* A number as a row of its type writes it: "30s", "64 KiB", "4". Returns text. */
#define VALUE_NUMBER_MAX 32
const char *value_number(char text[static VALUE_NUMBER_MAX], enum conf_type type, int64_t n);

/* What the value looks like, for the man page: "NUMBER", "yes|no". Returns text. */
#define VALUE_SHAPE_MAX 256
const char *value_shape(char text[static VALUE_SHAPE_MAX], const struct conf_row *row);
