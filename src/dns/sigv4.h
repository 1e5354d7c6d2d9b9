/* Signatures of Amazon's interfaces: AWS Signature Version 4. */
#pragma once

#include "dns/request.h"

struct dns_sigv4 {
	const char *user, *secret;    /* access key and its secret */
	const char *region, *service; /* "us-east-1", "route53" */
	int64_t now_s;		      /* the wall clock: minutes off are refused */
};

/* Appends X-Amz-Date and Authorization to the request's headers. A query must have its parameters in
 * the order of their names, and their values encoded. -ERR_INVALID: now_s is no time; -ERR_NOMEM,
 * -ERR_LIMIT. */
int dns_sigv4_sign(struct dns_request *request, const struct dns_sigv4 *with,
		   struct err *e) MUST_CHECK;
