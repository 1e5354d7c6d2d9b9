#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void PRINTF(3, 0) set(struct err *e, int code, const char *fmt, va_list ap)
{
	e->code = code;
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -code;
	va_start(ap, fmt);
	set(e, code, fmt, ap);
	va_end(ap);
	return -code;
}

int err_set_errno(struct err *e, int code, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	size_t len;

	if (!e)
		return -code;
	va_start(ap, fmt);
	set(e, code, fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerror(saved));
	errno = saved;
	return -code;
}

int err_wrap(struct err *e, int r, const char *fmt, ...)
{
	char inner[sizeof(e->text)];
	va_list ap;
	size_t len;

	if (!e)
		return r;
	memcpy(inner, e->text, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, ": %s", inner);
	return r;
}

const char *err_name(int r)
{
	switch ((enum err_code)(r < 0 ? -r : r)) {
	case ERR_FAILED:
		return "failed";
	case ERR_NOMEM:
		return "out of memory";
	case ERR_AGAIN:
		return "try again";
	case ERR_INVALID:
		return "invalid";
	case ERR_INCOMPLETE:
		return "incomplete";
	case ERR_LIMIT:
		return "limit reached";
	case ERR_NOT_FOUND:
		return "not found";
	case ERR_EXISTS:
		return "exists";
	case ERR_DENIED:
		return "denied";
	case ERR_REFUSED:
		return "refused";
	case ERR_RESET:
		return "reset";
	case ERR_TIMEOUT:
		return "timeout";
	}
	return "ok";
}
