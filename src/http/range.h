/*
 * Which bytes of a file a GET asked for, and whether it wants them at all: Range, If-Range and the
 * conditional fields (RFC 9110 §13 and §14). Pure: a head and what is known of the file come in, a
 * verdict comes out.
 */
#pragma once

#include "proto/httphead.h"

#define HTTP_RANGE_DATE_STRONG_S 60 /* so old a Last-Modified identifies one state */

/* What identifies one state of a file. */
struct http_validators {
	struct str etag;    /* strong, with its quotes */
	int64_t modified_s; /* Last-Modified, seconds since 1970 */
	int64_t now_s;	    /* of the request */
};

enum http_verdict { HTTP_SEND, HTTP_NOT_MODIFIED, HTTP_PRECONDITION_FAILED };

/* If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since, in the order of RFC 9110
 * §13.2.2, for GET and HEAD of something that exists. */
enum http_verdict http_precondition(const struct httphead *head, const struct http_validators *v);

enum http_range { HTTP_RANGE_WHOLE, HTTP_RANGE_PART, HTTP_RANGE_UNSATISFIABLE };

/*
 * The bytes to send of `size`: the first and last one are written for PART only. Whatever is not a
 * single good byte range is to be answered with the whole (RFC 9110 §14.2 allows that for several
 * ranges, and wants it for other units and bad syntax); so is a range whose If-Range does not
 * match.
 */
enum http_range http_range(const struct httphead *head, const struct http_validators *v,
			   uint64_t size, uint64_t *ret_first, uint64_t *ret_last);
