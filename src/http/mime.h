/* Media types of files, by the end of their name. */
#pragma once

#include "base/str.h"

/* "text/html; charset=utf-8" for "index.HTML"; "application/octet-stream" when nothing is known.
 * Never NULL. */
const char *http_mime(struct str file_name);
