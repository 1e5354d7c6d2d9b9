/*
 * What is said to a UPnP service and what it answers: SOAP 1.1 envelopes (UPnP Device Architecture
 * 1.1 §3.2), without the HTTP around them.
 */
#pragma once

#include "base/buf.h"

#define SOAP_ACTION_MAX	 160 /* "urn:…:service:WANIPConnection:1#Action", in quotes, and NUL */
#define SOAP_VALUE_MAX	 128
#define SOAP_REQUEST_MAX 4096

/* An argument of an action; value is text, which is escaped. */
struct soap_arg {
	const char *name;
	const char *value;
};

/* The body of a request: the action with its arguments, in their order. -ERR_NOMEM, -ERR_LIMIT. */
int soap_encode(struct buf *to, const char *urn, const char *action, const struct soap_arg *args,
		size_t n, struct err *e) MUST_CHECK;

/* The value of the header SOAPAction, with its quotes. Returns to. */
const char *soap_action(char to[static SOAP_ACTION_MAX], const char *urn, const char *action);

/* A value that an answer is asked for. */
struct soap_value {
	const char *name;
	bool found;
	char text[SOAP_VALUE_MAX]; /* as the device has it, not printable; cut */
};

struct soap_fault {
	unsigned code;		   /* UPnPError's errorCode; 0: it has none */
	char text[SOAP_VALUE_MAX]; /* errorDescription, or faultstring: printable, cut; maybe "" */
};

/*
 * Read what was answered. 0: values has what was found, which may be nothing. -ERR_REFUSED: a
 * fault, in *ret_fault. -ERR_INVALID: neither (then, and at errors of xml_read, values is
 * worthless).
 */
int soap_decode(struct str body, struct soap_value *values, size_t n, struct soap_fault *ret_fault,
		struct err *e) MUST_CHECK;
