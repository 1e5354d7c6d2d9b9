/* Status codes in words (RFC 9110 §15), for status lines and pages. */
#pragma once

/* "Not Found"; "" for a code without a name here. Never NULL. */
const char *http_status_reason(unsigned status);
