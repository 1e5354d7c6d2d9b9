#include "conf/options.h"

#include <assert.h>
#include <stdio.h>

#include "base/log.h"
#include "conf/nearest.h"
#include "conf/writer.h"

/* Where the parser stands in argv. */
struct parser {
	const struct program *program;
	const struct command *cmd;
	int argc;
	char **argv;
	int command_at;
	int at;	       /* the word being looked at */
	bool all_args; /* "--" was there: no more options */
	bool help;

	char *options; /* the command's struct; borrowed */
	struct option_args *args;
	uint64_t seen; /* rows, by their number in options_next */
};

/* Every command has it; it has no field. */
static const struct option_row help_row = {"help", 'h', OPTION_FLAG, .help = "show this help"};

/* Of the program, without a command. */
static const struct option_row version_row = {"version", 'V', OPTION_FLAG,
					      .help = "show the version"};

const struct option_row *options_next(const struct program *program, const struct command *cmd,
				      size_t *at)
{
	size_t i = (*at)++;
	size_t n_own = cmd ? cmd->n_options : 0;

	if (i < n_own)
		return &cmd->options[i];
	i -= n_own;
	if (i < program->n_common)
		return &program->common[i];
	i -= program->n_common;
	if (i == 0)
		return &help_row;
	return i == 1 && !cmd ? &version_row : NULL;
}

/* ── which option, which command ── */

static const struct option_row *find_long(const struct parser *p, struct str name, size_t *ret_nth)
{
	const struct option_row *row;

	*ret_nth = 0;
	while ((row = options_next(p->program, p->cmd, ret_nth)))
		if (str_eq(name, str_of(row->name)))
			break;
	return row;
}

static const struct option_row *find_short(const struct parser *p, char letter, size_t *ret_nth)
{
	const struct option_row *row;

	*ret_nth = 0;
	while ((row = options_next(p->program, p->cmd, ret_nth)))
		if (row->letter && row->letter == letter)
			break;
	return row;
}

static int unknown_long(const struct parser *p, struct str name, struct err *e)
{
	struct nearest near = nearest_to(name);
	char shown[LOG_TEXT_MAX], hint[NEAREST_HINT_MAX];
	const struct option_row *row;
	size_t at = 0;

	while ((row = options_next(p->program, p->cmd, &at)))
		nearest_try(&near, row->name);
	return err_set(e, ERR_INVALID, "unknown option \"--%s\"%s", log_text(shown, name),
		       nearest_hint(hint, &near, "--"));
}

static int unknown_short(char letter, struct err *e)
{
	char shown[LOG_TEXT_MAX];

	return err_set(e, ERR_INVALID, "unknown option \"-%s\"",
		       log_text(shown, str_n(&letter, 1)));
}

static const struct command *find_command(const struct program *program, const char *name)
{
	for (size_t i = 0; i < program->n_commands; i++)
		if (strcmp(program->commands[i]->name, name) == 0)
			return program->commands[i];
	return NULL;
}

static int unknown_command(const struct program *program, const char *name, struct err *e)
{
	struct nearest near = nearest_to(str_of(name));
	char shown[LOG_TEXT_MAX], hint[NEAREST_HINT_MAX];

	for (size_t i = 0; i < program->n_commands; i++)
		nearest_try(&near, program->commands[i]->name);
	return err_set(e, ERR_INVALID, "unknown command \"%s\"%s", log_text(shown, str_of(name)),
		       nearest_hint(hint, &near, ""));
}

/* ── values ── */

static int take_number(const struct option_row *row, const char *text, int64_t *field,
		       struct err *e)
{
	char shown[LOG_TEXT_MAX];
	uint64_t n;

	if (!str_to_u64(str_of(text), (uint64_t)row->max, &n) || (int64_t)n < row->min)
		return err_set(e, ERR_INVALID, "--%s %s: must be a number from %lld to %lld",
			       row->name, log_text(shown, str_of(text)), (long long)row->min,
			       (long long)row->max);
	*field = (int64_t)n;
	return 0;
}

static int take_texts(const struct option_row *row, const char *text, struct option_texts *field,
		      struct err *e)
{
	if (field->n >= OPTION_TEXTS_MAX)
		return err_set(e, ERR_INVALID, "--%s more than %d times", row->name,
			       OPTION_TEXTS_MAX);
	field->at[field->n++] = text;
	return 0;
}

/* Row number `nth` (from 1, as options_next counts) was given; text is NULL for flags. */
static int take_value(struct parser *p, const struct option_row *row, size_t nth, const char *text,
		      struct err *e)
{
	void *field = p->options + row->offset;
	uint64_t bit = (uint64_t)1 << nth;

	if (row == &help_row) {
		p->help = true;
		return 0;
	}
	if (p->seen & bit && row->type != OPTION_TEXTS && row->type != OPTION_FLAG)
		return err_set(e, ERR_INVALID, "--%s given twice", row->name);
	p->seen |= bit;
	switch (row->type) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)field = text;
		return 0;
	case OPTION_TEXTS:
		return take_texts(row, text, field, e);
	case OPTION_NUMBER:
		return take_number(row, text, field, e);
	}
	assert(!"an option type");
	return 0;
}

/* ── words ── */

/* The next word of argv that is not the command; NULL: no more. */
static const char *next_word(struct parser *p)
{
	p->at++;
	if (p->at == p->command_at)
		p->at++;
	return p->at < p->argc ? p->argv[p->at] : NULL;
}

static int needs_value(const struct option_row *row, struct err *e)
{
	return err_set(e, ERR_INVALID, "--%s needs a value: --%s %s", row->name, row->name,
		       row->arg);
}

/* "--name", "--name=value"; `word` stands behind the dashes. */
static int parse_long(struct parser *p, const char *word, struct err *e)
{
	struct str rest = str_of(word);
	struct str name = str_split(&rest, '=');
	const char *value = word[name.len] == '=' ? rest.at : NULL;
	size_t nth;
	const struct option_row *row = find_long(p, name, &nth);

	if (!row)
		return unknown_long(p, name, e);
	if (row->type == OPTION_FLAG && value)
		return err_set(e, ERR_INVALID, "--%s takes no value", row->name);
	if (row->type != OPTION_FLAG && !value)
		value = next_word(p);
	if (row->type != OPTION_FLAG && !value)
		return needs_value(row, e);
	return take_value(p, row, nth, value, e);
}

/* "-n", "-nvalue", "-lv"; `letters` stands behind the dash. */
static int parse_short(struct parser *p, const char *letters, struct err *e)
{
	for (; *letters; letters++) {
		size_t nth;
		const struct option_row *row = find_short(p, *letters, &nth);
		const char *value;
		int r;

		if (!row)
			return unknown_short(*letters, e);
		if (row->type == OPTION_FLAG) {
			r = take_value(p, row, nth, NULL, e);
			if (r < 0)
				return r;
			continue;
		}
		value = letters[1] ? letters + 1 : next_word(p);
		return value ? take_value(p, row, nth, value, e) : needs_value(row, e);
	}
	return 0;
}

static int parse_word(struct parser *p, const char *word, struct err *e)
{
	char shown[LOG_TEXT_MAX];

	if (!p->all_args && strcmp(word, "--") == 0) {
		p->all_args = true;
		return 0;
	}
	if (!p->all_args && word[0] == '-' && word[1] == '-')
		return parse_long(p, word + 2, e);
	if (!p->all_args && word[0] == '-' && word[1])
		return parse_short(p, word + 1, e);
	if (p->args->n >= MIN(p->cmd->max_args, OPTION_ARGS_MAX))
		return err_set(e, ERR_INVALID, "one argument too many: \"%s\"",
			       log_text(shown, str_of(word)));
	p->args->at[p->args->n++] = word;
	return 0;
}

static void init_options(struct parser *p)
{
	const struct option_row *row;
	size_t at = 0;

	memset(p->options, 0, p->cmd->options_size);
	while ((row = options_next(p->program, p->cmd, &at)))
		if (row->type == OPTION_NUMBER)
			*(int64_t *)(void *)(p->options + row->offset) = OPTION_UNSET;
	assert(at <= 64); /* bits in `seen` */
}

static int too_few(const struct command *cmd, struct err *e)
{
	char text[LOG_TEXT_MAX];
	size_t len = 0;

	if (!cmd->n_forms)
		return err_set(e, ERR_INVALID, "needs %s", cmd->args);
	for (size_t i = 0; i < cmd->n_forms && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? ", " : "",
					cmd->forms[i].words);
	return err_set(e, ERR_INVALID, "needs one of: %s", text);
}

int options_parse(const struct program *program, const struct command *cmd, int argc, char **argv,
		  int command_at, void *options, struct option_args *args, struct err *e)
{
	struct parser p = {.program = program,
			   .cmd = cmd,
			   .argc = argc,
			   .argv = argv,
			   .command_at = command_at,
			   .options = options,
			   .args = args};
	const char *word;
	int r;

	args->n = 0;
	init_options(&p);
	while ((word = next_word(&p))) {
		r = parse_word(&p, word, e);
		if (r < 0)
			return r;
	}
	if (p.help)
		return OPTIONS_HELP;
	if (args->n < cmd->min_args)
		return too_few(cmd, e);
	return OPTIONS_RUN;
}

/* How many words of argv the option at `at` takes: 1, or 2 with its value; 0: unknown here. */
static int option_words(const struct parser *p, const char *word)
{
	size_t nth, len = strcspn(word, "=");
	const struct option_row *row;

	row = word[1] == '-' ? find_long(p, str_n(word + 2, len - 2), &nth)
			     : find_short(p, word[1], &nth);
	if (!row)
		return 0;
	if (row->type == OPTION_FLAG || (word[1] == '-' ? word[len] == '=' : word[2] != '\0'))
		return 1;
	return 2;
}

int options_find_command(const struct program *program, int argc, char **argv,
			 const struct command **ret, int *ret_at, struct err *e)
{
	struct parser p = {.program = program};
	int at = 1;

	while (at < argc && argv[at][0] == '-' && argv[at][1] && strcmp(argv[at], "--") != 0) {
		const char *word = argv[at];
		int n = option_words(&p, word);

		if (n == 0)
			return word[1] == '-'
				       ? unknown_long(&p, str_n(word + 2, strcspn(word + 2, "=")),
						      e)
				       : unknown_short(word[1], e);
		at += n;
	}
	if (at >= argc)
		return err_set(e, ERR_NOT_FOUND, "needs a command");
	*ret_at = at;
	*ret = find_command(program, argv[at]);
	if (!*ret)
		return unknown_command(program, argv[at], e);
	return 0;
}

/* ── help ── */

/* "-n, --name NAME" */
static int option_text(char text[static LOG_TEXT_MAX], const struct option_row *row)
{
	char letter[8] = "    ";

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	return snprintf(text, LOG_TEXT_MAX, "%s--%s%s%s", letter, row->name, row->arg ? " " : "",
			row->arg ? row->arg : "");
}

#define HELP_WIDTH 100

/* Words up to HELP_WIDTH columns, continued at `indent`; the cursor stands at `indent` already. */
static void help_paragraph(struct writer *w, struct str text, size_t indent)
{
	size_t column = indent;

	while (text.len) {
		struct str word = str_split(&text, ' ');

		if (column > indent && column + 1 + word.len > HELP_WIDTH) {
			writer_printf(w, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			writer_printf(w, " ");
			column++;
		}
		writer_printf(w, "%.*s", STR_ARG(word));
		column += word.len;
	}
	writer_printf(w, "\n");
}

/* Paragraphs stand between empty lines. */
static void help_wrapped(struct writer *w, struct str text, size_t indent)
{
	while (text.len)
		help_paragraph(w, str_split(&text, '\n'), indent);
}

static void help_example(struct writer *w, struct str text)
{
	writer_printf(w, "\nExample:\n");
	while (text.len) {
		struct str line = str_split(&text, '\n');

		writer_printf(w, "  %.*s\n", STR_ARG(line));
	}
}

static void help_options(struct writer *w, const struct program *program, const struct command *cmd)
{
	const struct option_row *row;
	char text[LOG_TEXT_MAX];
	int width = 0;

	for (size_t at = 0; (row = options_next(program, cmd, &at));)
		width = MAX(width, option_text(text, row));
	writer_printf(w, "\nOptions:\n");
	for (size_t at = 0; (row = options_next(program, cmd, &at));) {
		option_text(text, row);
		writer_printf(w, "  %-*s  ", width, text);
		help_wrapped(w, str_of(row->help), (size_t)width + 4);
	}
}

static void help_forms(struct writer *w, const struct command *cmd)
{
	int width = 0;

	for (size_t i = 0; i < cmd->n_forms; i++)
		width = MAX(width, (int)strlen(cmd->forms[i].words));
	writer_printf(w, "\n%s is one of\n", cmd->args);
	for (size_t i = 0; i < cmd->n_forms; i++) {
		writer_printf(w, "  %-*s  ", width, cmd->forms[i].words);
		help_wrapped(w, str_of(cmd->forms[i].help), (size_t)width + 4);
	}
}

static void help_command(struct writer *w, const struct program *program, const struct command *cmd)
{
	bool args = cmd->args && *cmd->args;

	writer_printf(w, "Usage: %s %s [OPTION]...%s%s\n\n%s\n", program->name, cmd->name,
		      args ? " " : "", args ? cmd->args : "", cmd->summary);
	if (cmd->n_forms)
		help_forms(w, cmd);
	if (cmd->details) {
		writer_printf(w, "\n");
		help_wrapped(w, str_of(cmd->details), 0);
	}
	help_options(w, program, cmd);
	if (cmd->example)
		help_example(w, str_of(cmd->example));
}

static void help_program(struct writer *w, const struct program *program)
{
	int width = 0;

	for (size_t i = 0; i < program->n_commands; i++)
		width = MAX(width, (int)strlen(program->commands[i]->name));
	writer_printf(w, "Usage: %s COMMAND [OPTION]... [ARGUMENT]...\n\n%s\n\nCommands:\n",
		      program->name, program->summary);
	for (size_t i = 0; i < program->n_commands; i++)
		writer_printf(w, "  %-*s  %s\n", width, program->commands[i]->name,
			      program->commands[i]->summary);
	help_options(w, program, NULL);
	writer_printf(w, "\n\"%s help COMMAND\" tells more about a command.\n", program->name);
}

int options_help(const struct program *program, const struct command *cmd, struct buf *out)
{
	struct writer w = {.out = out};

	if (cmd)
		help_command(&w, program, cmd);
	else
		help_program(&w, program);
	return w.r;
}

/* ── main ── */

static int print_help(const struct program *program, const struct command *cmd, FILE *to)
{
	AUTO(buf_donep) struct buf text = {0};

	if (options_help(program, cmd, &text) < 0)
		return 1;
	return fwrite(buf_head(&text), 1, buf_len(&text), to) == buf_len(&text) ? 0 : 1;
}

static int refuse(const struct program *program, const struct command *cmd, const struct err *e)
{
	fprintf(stderr, "%s%s%s: %s\n", program->name, cmd ? " " : "", cmd ? cmd->name : "",
		e->text);
	fprintf(stderr, "Try \"%s%s%s --help\".\n", program->name, cmd ? " " : "",
		cmd ? cmd->name : "");
	return 2;
}

/* "help [COMMAND]" */
static int main_help(const struct program *program, int argc, char **argv)
{
	const struct command *cmd = NULL;
	struct err e;

	if (argc > 1)
		cmd = find_command(program, argv[1]);
	if (argc > 1 && !cmd) {
		unknown_command(program, argv[1], &e);
		return refuse(program, NULL, &e);
	}
	return print_help(program, cmd, stdout);
}

/* Options and no command: --version and --help are something to do, anything else is not. */
static int main_without_command(const struct program *program, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0)
			return printf("%s %s\n", program->name, program->version) < 0;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return print_help(program, NULL, stdout);
	}
	print_help(program, NULL, stderr);
	return 2;
}

int options_main(const struct program *program, int argc, char **argv)
{
	_Alignas(max_align_t) char options[OPTIONS_SIZE_MAX];
	const struct command *cmd = NULL;
	struct option_args args;
	struct err e;
	int at = 0, r;

	r = options_find_command(program, argc, argv, &cmd, &at, &e);
	if (r < 0 && at && strcmp(argv[at], "help") == 0)
		return main_help(program, argc - at, argv + at);
	if (r == -ERR_NOT_FOUND)
		return main_without_command(program, argc, argv);
	if (r < 0)
		return refuse(program, NULL, &e);
	assert(cmd->options_size <= sizeof(options));
	r = options_parse(program, cmd, argc, argv, at, options, &args, &e);
	if (r < 0)
		return refuse(program, cmd, &e);
	if (r == OPTIONS_HELP)
		return print_help(program, cmd, stdout);
	return cmd->run(options, &args);
}
