#include "map/xml.h"

#include <expat.h>

#include "base/log.h"

struct xml {
	XML_Parser parser; /* owned */
	const struct xml_handler *handler;
	unsigned depth;
	int r; /* why we stopped the parser ourselves; 0: we did not */
	bool leaf;
	bool too_long;
	size_t len;
	char text[XML_TEXT_MAX]; /* of the innermost element */
};

static struct str without_prefix(const char *name)
{
	const char *colon = strrchr(name, ':');

	return str_of(colon ? colon + 1 : name);
}

static void xml_stop(struct xml *x, int r)
{
	x->r = r;
	XML_StopParser(x->parser, XML_FALSE);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without white space at either end, and without the NULs that some programs in C send behind. */
static struct str trimmed(struct str s)
{
	while (s.len && (is_space(s.at[s.len - 1]) || s.at[s.len - 1] == '\0'))
		s.len--;
	while (s.len && is_space(s.at[0])) {
		s.at++;
		s.len--;
	}
	return s;
}

/* ── what expat tells ── */

static void on_open(void *arg, const char *name, const char **attributes)
{
	struct xml *x = arg;

	if (x->r)
		return;
	if (x->depth == XML_DEPTH_MAX) {
		xml_stop(x, -ERR_LIMIT);
		return;
	}
	x->depth++;
	x->leaf = true;
	x->too_long = false;
	x->len = 0;
	x->handler->open(x->handler->arg, x->depth, without_prefix(name));
}

static void on_close(void *arg, const char *name)
{
	struct xml *x = arg;
	struct str text = {0};

	if (x->r) /* of an empty element, whose end is told even when its beginning stopped us */
		return;
	if (x->leaf && !x->too_long)
		text = trimmed(str_n(x->text, x->len));
	x->leaf = false;
	x->handler->close(x->handler->arg, x->depth, without_prefix(name), text);
	x->depth--;
}

static void on_text(void *arg, const char *text, int len)
{
	struct xml *x = arg;

	if (x->len + (size_t)len > sizeof(x->text)) {
		x->too_long = true;
		return;
	}
	memcpy(x->text + x->len, text, (size_t)len);
	x->len += (size_t)len;
}

static void on_doctype(void *arg, const char *name, const char *system_id, const char *public_id,
		       int has_internal_subset)
{
	xml_stop(arg, -ERR_DENIED);
}

/* "utf8", "GB2312", "windows-1252": what is ASCII in it is what matters here. */
static int on_unknown_encoding(void *arg, const char *name, XML_Encoding *info)
{
	for (size_t i = 0; i < ARRAY_LEN(info->map); i++)
		info->map[i] = (int)i;
	info->data = NULL;
	info->convert = NULL;
	info->release = NULL;
	return XML_STATUS_OK;
}

/* ── ── */

static int xml_error(const struct xml *x, struct err *e)
{
	unsigned long line = XML_GetCurrentLineNumber(x->parser);

	if (x->r == -ERR_LIMIT)
		return err_set(e, ERR_LIMIT, "XML: nested deeper than %d elements in line %lu",
			       XML_DEPTH_MAX, line);
	if (x->r == -ERR_DENIED)
		return err_set(e, ERR_DENIED, "XML: has a document type in line %lu", line);
	if (XML_GetErrorCode(x->parser) == XML_ERROR_NO_MEMORY)
		return err_set(e, ERR_NOMEM, "XML");
	return err_set(e, ERR_INVALID, "XML: %s in line %lu",
		       XML_ErrorString(XML_GetErrorCode(x->parser)), line);
}

int xml_read(struct str body, const struct xml_handler *handler, struct err *e)
{
	struct xml x = {.handler = handler};
	int r = 0;

	if (body.len > XML_BODY_MAX)
		return err_set(e, ERR_LIMIT, "XML: more than %zu KiB", XML_BODY_MAX / 1024);
	body = trimmed(body);
	if (body.len == 0)
		return err_set(e, ERR_INVALID, "XML: empty");
	x.parser = XML_ParserCreate(NULL);
	if (!x.parser)
		return err_set(e, ERR_NOMEM, "XML");
	XML_SetUserData(x.parser, &x);
	XML_SetElementHandler(x.parser, on_open, on_close);
	XML_SetCharacterDataHandler(x.parser, on_text);
	XML_SetStartDoctypeDeclHandler(x.parser, on_doctype);
	XML_SetUnknownEncodingHandler(x.parser, on_unknown_encoding, NULL);
	if (XML_Parse(x.parser, body.at, (int)body.len, XML_TRUE) != XML_STATUS_OK)
		r = xml_error(&x, e);
	XML_ParserFree(x.parser);
	return r;
}

/* How much of a text fits into `room` bytes without cutting a character (UTF-8) in two. */
static size_t whole_characters(struct str s, size_t room)
{
	size_t len = room;

	if (s.len <= room)
		return s.len;
	while (len && ((unsigned char)s.at[len] & 0xc0) == 0x80)
		len--;
	return len;
}

const char *xml_printable(char *to, size_t size, struct str text)
{
	char printable[LOG_TEXT_MAX];
	size_t len;

	text.len = whole_characters(text, size - 1); /* an escape is longer, never shorter */
	log_text(printable, text);
	len = whole_characters(str_of(printable), size - 1);
	memcpy(to, printable, len);
	to[len] = '\0';
	return to;
}
