/*
 * What is made from the programs' tables when they are built: man pages and completion.
 *
 *	generate page TEMPLATE [EXAMPLE]	a man page on stdout
 *	generate bash|zsh PROGRAM		completion on stdout
 *
 * A template is a man page in roff. A line that begins with "@" is replaced:
 *
 *	@title NAME SECTION DATE TITLE...	the heading
 *	@commands PROGRAM			all commands, from .SS down
 *	@options PROGRAM			the options that all commands have
 *	@directives PROGRAM			its configuration, from .SS down
 *	@example				the file EXAMPLE, as it is
 */
#include <ctype.h>
#include <stdio.h>

#include "agent/config.h"
#include "cli/commands.h"
#include "cli/gateway_commands.h"
#include "conf/completion.h"
#include "conf/manual.h"
#include "conf/writer.h"
#include "gateway/config.h"

#define LINE_MAX 78
#define FILE_MAX ((size_t)1 << 20)

static int fail(const char *what, struct str which)
{
	fprintf(stderr, "generate: %s: %.*s\n", what, STR_ARG(which));
	return -1;
}

static int read_file(const char *path, struct buf *text)
{
	FILE *file = fopen(path, "r");
	uint8_t *room = buf_reserve(text, FILE_MAX);
	bool good = file && room;

	if (good) {
		buf_commit(text, fread(room, 1, FILE_MAX, file));
		good = !ferror(file) && buf_len(text) < FILE_MAX;
	}
	if (file)
		fclose(file);
	return good ? 0 : fail("cannot read", str_of(path));
}

static int program_named(struct str name, struct program *ret)
{
	*ret = program_homeport();
	if (str_eq(name, str_of(ret->name)))
		return 0;
	*ret = program_homeport_gateway();
	return str_eq(name, str_of(ret->name)) ? 0 : fail("no such program", name);
}

static const struct conf_schema *schema_of(const struct program *program)
{
	return strcmp(program->name, "homeport") == 0 ? &agent_schema : &gateway_schema;
}

/* ── pages ── */

/* @title homeport 1 2026-11-20 User Commands */
static int put_title(struct str rest, struct buf *out)
{
	struct str name = str_split(&rest, ' ');
	struct str section = str_split(&rest, ' ');
	struct str date = str_split(&rest, ' ');
	struct writer w = {.out = out};

	writer_printf(&w, ".TH \"");
	for (size_t i = 0; i < name.len; i++)
		writer_printf(&w, "%c", toupper(name.at[i]));
	writer_printf(&w, "\" %.*s \"%.*s\" \"homeport %s\" \"%.*s\"\n", STR_ARG(section),
		      STR_ARG(date), HOMEPORT_VERSION, STR_ARG(rest));
	return w.r;
}

static int put_example(const char *path, struct buf *out)
{
	AUTO(buf_donep) struct buf text = {0};

	if (!path)
		return fail("@example needs a file", STR("EXAMPLE"));
	return read_file(path, &text) < 0 ? -1 : manual_write_verbatim(buf_str(&text), out);
}

static int put_table(struct str word, struct str name, struct buf *out)
{
	struct program program;

	if (program_named(name, &program) < 0)
		return -1;
	if (str_eq(word, STR("commands")))
		return manual_write_commands(&program, out);
	if (str_eq(word, STR("options")))
		return manual_write_options(&program, out);
	if (str_eq(word, STR("directives")))
		return conf_write_man(schema_of(&program), out);
	return fail("what is this line of the template", word);
}

/* Behind the "@". */
static int put(struct str line, const char *example, struct buf *out)
{
	struct str rest = line;
	struct str word = str_split(&rest, ' ');

	if (str_eq(word, STR("title")))
		return put_title(rest, out);
	if (str_eq(word, STR("example")))
		return put_example(example, out);
	return put_table(word, rest, out);
}

static int fill_in(const char *template, const char *example, struct buf *out)
{
	AUTO(buf_donep) struct buf text = {0};
	struct writer w = {.out = out};
	struct str rest;

	if (read_file(template, &text) < 0)
		return -1;
	rest = buf_str(&text);
	while (w.r == 0 && rest.len) {
		struct str line = str_split(&rest, '\n');

		if (line.len && line.at[0] == '@')
			w.r = put(str_n(line.at + 1, line.len - 1), example, out);
		else
			writer_printf(&w, "%.*s\n", STR_ARG(line));
	}
	return w.r;
}

/* Words up to LINE_MAX columns; roff fills its lines itself. What it would take for a request stays
 * behind another word. */
static void put_folded(struct writer *w, struct str line)
{
	size_t column = 0;

	while (line.len) {
		struct str word = str_split(&line, ' ');
		bool request = str_starts(word, STR(".")) || str_starts(word, STR("'"));
		bool fold = column + 1 + word.len > LINE_MAX && !request;

		if (column)
			writer_printf(w, fold ? "\n" : " ");
		column = fold ? word.len : column + 1 + word.len;
		writer_printf(w, "%.*s", STR_ARG(word));
	}
	writer_printf(w, "\n");
}

/* The tables' texts are paragraphs; fold what is neither a request nor to stay as it is. */
static int make_page(const char *template, const char *example, struct buf *out)
{
	AUTO(buf_donep) struct buf page = {0};
	struct writer w = {.out = out};
	bool verbatim = false;
	struct str rest;

	if (fill_in(template, example, &page) < 0)
		return -1;
	rest = buf_str(&page);
	while (rest.len) {
		struct str line = str_split(&rest, '\n');

		if (str_eq(line, STR(".nf")) || str_eq(line, STR(".fi")))
			verbatim = line.at[1] == 'n';
		if (verbatim || str_starts(line, STR(".")))
			writer_printf(&w, "%.*s\n", STR_ARG(line));
		else
			put_folded(&w, line);
	}
	return w.r;
}

/* ── main ── */

static int make_completion(bool zsh, const char *name, struct buf *out)
{
	struct program program;

	if (program_named(str_of(name), &program) < 0)
		return -1;
	return zsh ? completion_write_zsh(&program, out) : completion_write_bash(&program, out);
}

static int make(int argc, char **argv, struct buf *out)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (strcmp(what, "page") == 0)
		return make_page(argv[2], argv[3], out);
	if (strcmp(what, "bash") == 0 || strcmp(what, "zsh") == 0)
		return make_completion(what[0] == 'z', argv[2], out);
	return fail("usage", STR("generate page TEMPLATE [EXAMPLE], generate bash|zsh PROGRAM"));
}

int main(int argc, char **argv)
{
	AUTO(buf_donep) struct buf out = {0};

	if (make(argc, argv, &out) < 0)
		return 1;
	return fwrite(buf_head(&out), 1, buf_len(&out), stdout) == buf_len(&out) ? 0 : 1;
}
