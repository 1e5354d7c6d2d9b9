/*
 * XML as devices in a home send it: a small document in memory, read once by expat, told element by
 * element. No document type and so no entities but the five that are predefined; bounded in length,
 * depth and text; prefixes of names are dropped, for some devices do not declare theirs.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define XML_BODY_MAX  ((size_t)128 * 1024)
#define XML_DEPTH_MAX 32
#define XML_TEXT_MAX  1024 /* of one element; a longer one counts as empty, half a URL is none */

/* depth is 1 for the outermost element. Names and text are borrowed until the function returns. */
struct xml_handler {
	void (*open)(void *arg, unsigned depth, struct str name);
	/* text: of an element without children, in UTF-8 and trimmed; else empty. */
	void (*close)(void *arg, unsigned depth, struct str name, struct str text);
	void *arg;
};

/*
 * Read all of body. -ERR_LIMIT: too long or too deep; -ERR_DENIED: it has a document type;
 * -ERR_INVALID: not well-formed, e says where; -ERR_NOMEM. What was told before an error is
 * worthless.
 */
int xml_read(struct str body, const struct xml_handler *handler, struct err *e) MUST_CHECK;

/* A device's text made printable (log_text) and cut to size, never within a character. Returns to.
 */
const char *xml_printable(char *to, size_t size, struct str text);
