#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static void assert_printable(const char *bytes, size_t len, const char *want)
{
	char text[LOG_TEXT_MAX];

	assert_string_equal(log_text(text, str_n(bytes, len)), want);
}

#define ASSERT_PRINTABLE(literal, want) assert_printable(literal, sizeof(literal) - 1, want)

static void test_text_of_strangers(void **state)
{
	ASSERT_PRINTABLE("", "");
	ASSERT_PRINTABLE("plain text ~", "plain text ~");
	ASSERT_PRINTABLE("a\n\x1b[31m\0\x7f\\", "a\\x0a\\x1b[31m\\x00\\x7f\\x5c");
	assert_printable(NULL, 0, "");
}

static void test_utf8(void **state)
{
	ASSERT_PRINTABLE("b\xc3\xbc"
			 "cher \xe2\x82\xac \xf0\x9f\x98\x80",
			 "b\xc3\xbc"
			 "cher \xe2\x82\xac \xf0\x9f\x98\x80");
	ASSERT_PRINTABLE("\xc0\xaf", "\\xc0\\xaf");		      /* overlong */
	ASSERT_PRINTABLE("\xe0\x80\xaf", "\\xe0\\x80\\xaf");	      /* overlong */
	ASSERT_PRINTABLE("\xed\xa0\x80", "\\xed\\xa0\\x80");	      /* a surrogate */
	ASSERT_PRINTABLE("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* beyond U+10FFFF */
	ASSERT_PRINTABLE("\xf0\x80\x80\x80", "\\xf0\\x80\\x80\\x80"); /* overlong */
	ASSERT_PRINTABLE("\xc2\x9b"
			 "31m",
			 "\\xc2\\x9b"
			 "31m");		    /* a control character */
	ASSERT_PRINTABLE("\xe2\x82", "\\xe2\\x82"); /* cut off */
	ASSERT_PRINTABLE("\x80\xff", "\\x80\\xff");
}

/* Encode c, and say whether log_text lets it through. */
static bool is_let_through(uint32_t c)
{
	char bytes[5] = {0}, text[LOG_TEXT_MAX];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3f));
	bytes[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xf0) | c);
	return strcmp(log_text(text, str_n(bytes, n)), bytes) == 0;
}

static void test_what_nobody_sees(void **state)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {{0, 0x1f},	  {'\\', '\\'},	      {0x7f, 0x9f},
		      {0xad, 0xad},	  {0x61c, 0x61c},     {0x200b, 0x200f},
		      {0x2028, 0x202e},	  {0x2060, 0x2064},   {0x2066, 0x206f},
		      {0xd800, 0xdfff},	  {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},
		      {0xfff9, 0xfffb},	  {0xfffe, 0xffff},   {0x1fffe, 0x1ffff},
		      {0xe0001, 0xe0001}, {0xe0020, 0xe007f}, {0x10fffe, 0x10ffff}};
	static const uint32_t seen[] = {' ',	'~',	0xa0,	0xac,	0xae,	 0xff,	  0x5d0,
					0x627,	0x2010, 0x2027, 0x202f, 0x205f,	 0x2070,  0x20ac,
					0x4e2d, 0xfefe, 0xff00, 0xfffd, 0x10000, 0x1f600, 0x10fffd};

	for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
		for (uint32_t c = hidden[i].first; c <= hidden[i].last; c++)
			if (is_let_through(c))
				fail_msg("U+%04X", c);
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		if (!is_let_through(seen[i]))
			fail_msg("U+%04X", seen[i]);
	ASSERT_PRINTABLE("moc.\xe2\x80\xaegro.evil", "moc.\\xe2\\x80\\xaegro.evil");
	ASSERT_PRINTABLE("\xef\xbb\xbfname", "\\xef\\xbb\\xbfname");
	ASSERT_PRINTABLE("\xc1\x81", "\\xc1\\x81"); /* overlong "A" */
}

static void test_long_text_is_cut(void **state)
{
	char bytes[1000], text[LOG_TEXT_MAX];

	memset(bytes, 'x', sizeof(bytes));
	log_text(text, str_n(bytes, sizeof(bytes)));
	assert_int_equal(strlen(text), LOG_TEXT_MAX - 1);
	assert_string_equal(text + LOG_TEXT_MAX - 4, "...");
	for (size_t n = 0; n < 300; n++) { /* never over the end, whatever is at it */
		memcpy(bytes + n, "\xe2\x82\xac\n", 4);
		log_text(text, str_n(bytes, n + 4));
		assert_true(strlen(text) < LOG_TEXT_MAX);
		memset(bytes + n, 'x', 4);
	}
}

static void set_journal(int fd, int off_by)
{
	char text[64];
	struct stat st;

	fstat(fd, &st);
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino + (unsigned)off_by);
	setenv("JOURNAL_STREAM", text, 1);
}

enum journal { NO_JOURNAL, JOURNAL, JOURNAL_ELSEWHERE };

/* What log_write puts on stderr. */
static void capture_as(char *got, size_t size, enum journal journal, enum log_level level,
		       const char *text)
{
	int fds[2], old = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	dup2(fds[1], STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	if (journal != NO_JOURNAL)
		set_journal(fds[1], journal == JOURNAL_ELSEWHERE);
	log_write(level, "%s", text);
	dup2(old, STDERR_FILENO);
	n = read(fds[0], got, size - 1);
	got[n > 0 ? n : 0] = '\0';
	close(old);
	close(fds[0]);
	close(fds[1]);
	unsetenv("JOURNAL_STREAM");
}

static void capture(char *got, size_t size, enum log_level level, const char *text)
{
	capture_as(got, size, NO_JOURNAL, level, text);
}

static void test_journal(void **state)
{
	char got[64];

	capture_as(got, sizeof(got), JOURNAL, LOG_LEVEL_ERROR, "bad");
	assert_string_equal(got, "<3>bad\n");
	capture_as(got, sizeof(got), JOURNAL, LOG_LEVEL_INFO, "news");
	assert_string_equal(got, "<6>news\n");
	/* inherited from a service, with stderr redirected */
	capture_as(got, sizeof(got), JOURNAL_ELSEWHERE, LOG_LEVEL_ERROR, "bad");
	assert_string_equal(got, "error: bad\n");
}

static void test_lines(void **state)
{
	char got[4096], large[3000];

	capture(got, sizeof(got), LOG_LEVEL_WARNING, "careful");
	assert_string_equal(got, "warning: careful\n");
	capture(got, sizeof(got), LOG_LEVEL_INFO, "news");
	assert_string_equal(got, "news\n");
	capture(got, sizeof(got), LOG_LEVEL_DEBUG, "not asked for");
	assert_string_equal(got, "");
	memset(large, 'y', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	capture(got, sizeof(got), LOG_LEVEL_INFO, large); /* cut, but a line all the same */
	assert_in_range(strlen(got), 2000, 2048);
	assert_int_equal(got[strlen(got) - 1], '\n');
}

/* Into a pipe that blocks: a test that waits is ended by its time limit. */
static void test_a_full_pipe_holds_nobody_up(void **state)
{
	int fds[2], old = dup(STDERR_FILENO);
	char page[4096] = {0}, got[2 * sizeof(page)];
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, sizeof(page)) >= (int)sizeof(page));
	assert_int_equal(write(fds[1], page, sizeof(page)), sizeof(page));
	dup2(fds[1], STDERR_FILENO);
	log_error("one");
	log_error("two");
	assert_int_equal(read(fds[0], got, sizeof(got)), sizeof(page));
	log_error("three");
	dup2(old, STDERR_FILENO);
	n = read(fds[0], got, sizeof(got) - 1);
	got[n > 0 ? n : 0] = '\0';
	assert_string_equal(got, "(2 lines left out)\nerror: three\n");
	close(old);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_of_strangers),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_what_nobody_sees),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_a_full_pipe_holds_nobody_up),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
