#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_LINE_MAX	2048
#define LOG_PATIENCE_MS 100

/* The mutable globals of the program: how loudly it speaks, and what nobody listened to. */
static enum log_level log_level = LOG_LEVEL_INFO;
static atomic_uint log_missed;

void log_set_level(enum log_level level)
{
	log_level = level;
}

bool log_enabled(enum log_level level)
{
	return level <= log_level;
}

/* Whether stderr leads to the journal: the variable is its device and inode (systemd.exec(5)). A
 * child that has stderr somewhere else inherits the variable all the same. */
static bool to_journal(void)
{
	const char *journal = getenv("JOURNAL_STREAM");
	char here[64];
	struct stat st;

	if (!journal || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(here, journal) == 0;
}

static const char *log_prefix(enum log_level level)
{
	static const char *const plain[] = {"error: ", "warning: ", "", "debug: "};
	static const char *const journal[] = {"<3>", "<4>", "<6>", "<7>"};

	return to_journal() ? journal[level] : plain[level];
}

/* Whether stderr takes a line without waiting for whoever reads it (PIPE_BUF, pipe(7)); who is slow
 * gets a moment, once. */
static bool writable(bool missed)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, missed ? 0 : LOG_PATIENCE_MS) != 0;
}

static void put(const char *line, size_t len)
{
	unsigned missed = atomic_load(&log_missed);
	char text[LOG_LINE_MAX + 64];
	int n = 0;

	if (!writable(missed != 0)) {
		atomic_fetch_add(&log_missed, 1);
		return;
	}
	if (missed && (missed = atomic_exchange(&log_missed, 0)))
		n = snprintf(text, sizeof(text), "(%u lines left out)\n", missed);
	memcpy(text + n, line, len);
	if (write(STDERR_FILENO, text, (size_t)n + len) < 0)
		return; /* nowhere left to complain */
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;
	size_t len;
	int n;

	if (!log_enabled(level))
		return;
	len = (size_t)snprintf(line, sizeof(line), "%s", log_prefix(level));
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	len = MIN(len + (size_t)n, sizeof(line) - 2);
	line[len++] = '\n';
	put(line, len);
}

/* Characters that nobody sees, and that turn the text around them or let one name look like another: a
 * terminal obeys them (Unicode 14, categories Cf, Zl and Zp, and letters without ink). */
static bool is_invisible(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x80, 0x9f},	/* C1 control characters */
		{0xad, 0xad},	/* soft hyphen */
		{0x34f, 0x34f}, /* combining grapheme joiner */
		{0x600, 0x605}, /* signs that go before or around numbers */
		{0x61c, 0x61c}, /* Arabic letter mark */
		{0x6dd, 0x6dd},	    {0x70f, 0x70f},	{0x890, 0x891},
		{0x8e2, 0x8e2},	    {0x115f, 0x1160}, /* Hangul fillers */
		{0x17b4, 0x17b5},		      /* Khmer vowels without ink */
		{0x180b, 0x180f},		      /* Mongolian selectors and separator */
		{0x200b, 0x200f},		      /* zero width; marks of direction */
		{0x2028, 0x202e}, /* separators of lines; embedding and override of direction */
		{0x2060, 0x206f}, /* word joiner, invisible operators, isolates of direction */
		{0x3164, 0x3164}, /* Hangul filler */
		{0xfe00, 0xfe0f}, /* variation selectors */
		{0xfeff, 0xfeff}, /* byte order mark */
		{0xffa0, 0xffa0}, /* Hangul filler */
		{0xfff0, 0xfffb}, /* unassigned, and anchors of annotations */
		{0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x13438},
		{0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, /* musical formatting */
		{0xe0000, 0xe0fff},			/* tags, selectors */
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	/* no characters at all: the last two of each plane, and 32 of the first */
	return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

/* Length of the sequence at p if it is valid UTF-8 (RFC 3629 §4) that can be seen, or 0. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80		   ? 1
		   : (p[0] & 0xe0) == 0xc0 ? 2
		   : (p[0] & 0xf0) == 0xe0 ? 3
		   : (p[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	uint32_t c;

	if (n == 0 || n > left)
		return 0;
	c = p[0] & lead[n];
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || is_invisible(c))
		return 0;
	return n;
}

/* Length of the printable character at p, or 0. */
static size_t plain_len(const unsigned char *p, size_t left)
{
	return p[0] < 0x20 || p[0] == 0x7f ? 0 : utf8_len(p, left);
}

bool log_text_is_plain(struct str s)
{
	size_t n = 1;

	for (size_t i = 0; i < s.len && n; i += n)
		n = plain_len((const unsigned char *)s.at + i, s.len - i);
	return n > 0;
}

const char *log_text(char text[static LOG_TEXT_MAX], struct str s)
{
	const size_t room = LOG_TEXT_MAX - 4; /* for "..." and NUL */
	size_t len = 0;

	for (size_t i = 0; i < s.len;) {
		const unsigned char *p = (const unsigned char *)s.at + i;
		size_t n = plain_len(p, s.len - i);
		bool plain = n && p[0] != '\\';
		size_t need = plain ? n : 4;

		if (len + need > room) {
			memcpy(text + len, "...", 3);
			len += 3;
			break;
		}
		if (plain)
			memcpy(text + len, p, n);
		else
			snprintf(text + len, 5, "\\x%02x", p[0]);
		len += need;
		i += plain ? n : 1;
	}
	text[len] = '\0';
	return text;
}
