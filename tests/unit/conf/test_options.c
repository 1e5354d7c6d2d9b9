#include "test.h"

#include <stdio.h>

#include "conf/options.h"

struct share_options {
	const char *config; /* common */
	bool json;	    /* common */
	bool lan;
	struct option_texts name;
	int64_t port;
	const char *to;
};

#define AT(field) offsetof(struct share_options, field)

static const struct option_row common_rows[] = {
	{"config", 'c', OPTION_TEXT, AT(config), "FILE", "configuration to read"},
	{"json", 0, OPTION_FLAG, AT(json), .help = "for programs"},
};

static const struct option_row share_rows[] = {
	{"lan", 'l', OPTION_FLAG, AT(lan), .help = "this network only"},
	{"name", 'n', OPTION_TEXTS, AT(name), "NAME", "public name"},
	{"port", 'p', OPTION_NUMBER, AT(port), "PORT", "public port", .min = 1, .max = 65535},
	{"to", 0, OPTION_TEXT, AT(to), "URL", "where to"},
};

static int share_run(const void *options, const struct option_args *args)
{
	const struct share_options *o = options;

	return o->lan && args->n == 1 ? 40 : 41;
}

static const struct command cmd_share = {
	.name = "share",
	.args = "PATH|PORT",
	.min_args = 1,
	.max_args = 2,
	.summary = "put a folder on the internet",
	.details = "Until Ctrl-C.",
	.example = "homeport share ./site",
	OPTION_ROWS(share_rows, struct share_options),
	.run = share_run,
};

static const struct command cmd_status = {
	.name = "status",
	.summary = "what runs",
	.options_size = sizeof(struct share_options),
	.run = share_run,
};

static const struct option_form map_forms[] = {
	{"PORT", "open a door"},
	{"list [PORT]", "the doors there are"},
};

static const struct command cmd_map = {
	.name = "map",
	.args = "WHAT",
	.forms = map_forms,
	.n_forms = ARRAY_LEN(map_forms),
	.min_args = 1,
	.max_args = 2,
	.summary = "doors",
	.options_size = sizeof(struct share_options),
	.run = share_run,
};

static const struct command *const commands[] = {&cmd_share, &cmd_status};

static const struct program program = {
	.name = "homeport",
	.version = "1.2.3",
	.summary = "Reach home.",
	.commands = commands,
	.n_commands = ARRAY_LEN(commands),
	.common = common_rows,
	.n_common = ARRAY_LEN(common_rows),
};

/* "homeport " and the words of `line`, cut at its blanks. */
static int cut_words(char *line, char **argv)
{
	int argc = 1;

	argv[0] = (char *)"homeport";
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

/* Find the command and parse; the words stay in `line`. */
static int parse(char *line, struct share_options *o, struct option_args *args, struct err *e)
{
	const struct command *cmd;
	char *argv[64];
	int argc = cut_words(line, argv), at, r;

	r = options_find_command(&program, argc, argv, &cmd, &at, e);
	if (r < 0)
		return r;
	memset(o, 0x5a, sizeof(*o));
	return options_parse(&program, cmd, argc, argv, at, o, args, e);
}

static void takes_options_anywhere(void **state)
{
	static const char *const lines[] = {
		"share -l --name a --name=b -p 80 --config=x --to=u=v --json site",
		"share site --json -lp80 -na -nb --config x --to u=v",
		"--json -cx share --lan -n a site -p 80 --name b --to u=v",
		"--config x --json share --port=80 --name a -n b -l --to u=v -- site",
		"--config=x share --json --port 80 -ln a -n b --to u=v -l site",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char line[128];
		struct share_options o;
		struct option_args args;
		struct err e = {0};

		snprintf(line, sizeof(line), "%s", lines[i]);
		if (parse(line, &o, &args, &e) != OPTIONS_RUN)
			fail_msg("%s: %s", lines[i], e.text);
		assert_string_equal(o.config, "x");
		assert_true(o.json);
		assert_true(o.lan);
		assert_int_equal(o.name.n, 2);
		assert_string_equal(o.name.at[0], "a");
		assert_string_equal(o.name.at[1], "b");
		assert_int_equal(o.port, 80);
		assert_string_equal(o.to, "u=v");
		assert_int_equal(args.n, 1);
		assert_string_equal(args.at[0], "site");
	}
}

static void leaves_unset_what_is_not_there(void **state)
{
	char line[] = "share - -- --lan";
	struct share_options o;
	struct option_args args;
	struct err e;

	(void)state;
	assert_int_equal(parse(line, &o, &args, &e), OPTIONS_RUN);
	assert_null(o.config);
	assert_false(o.lan);
	assert_int_equal(o.name.n, 0);
	assert_int_equal(o.port, OPTION_UNSET);
	assert_int_equal(args.n, 2);
	assert_string_equal(args.at[0], "-");
	assert_string_equal(args.at[1], "--lan");
}

static void refuses(void **state)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{"", "needs a command"},
		{"--json", "needs a command"},
		{"shrae x", "unknown command \"shrae\"; did you mean \"share\"?"},
		{"frobnicate", "unknown command \"frobnicate\""},
		{"--jsno status", "unknown option \"--jsno\"; did you mean \"--json\"?"},
		{"--jsno=x status", "unknown option \"--jsno\"; did you mean \"--json\"?"},
		{"-x status", "unknown option \"-x\""},
		{"share x --nmae=y", "unknown option \"--nmae\"; did you mean \"--name\"?"},
		{"share x --zzzzzz", "unknown option \"--zzzzzz\""},
		{"share x --nam y", "unknown option \"--nam\"; did you mean \"--name\"?"},
		{"share x -lx", "unknown option \"-x\""},
		{"share x -\x1b", "unknown option \"-\\x1b\""},
		{"status --lan", "unknown option \"--lan\""},
		{"share", "needs PATH|PORT"},
		{"share a b c", "one argument too many: \"c\""},
		{"status a", "one argument too many: \"a\""},
		{"share x --to", "--to needs a value: --to URL"},
		{"share x -n", "--name needs a value: --name NAME"},
		{"share x --lan=yes", "--lan takes no value"},
		{"share x --to a --to b", "--to given twice"},
		{"share x -p 0", "--port 0: must be a number from 1 to 65535"},
		{"share x -p 65536", "--port 65536: must be a number from 1 to 65535"},
		{"share x -p -1", "--port -1: must be a number from 1 to 65535"},
		{"share x --port=", "--port : must be a number from 1 to 65535"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char line[128];
		struct share_options o;
		struct option_args args;
		struct err e = {0};
		int r;

		snprintf(line, sizeof(line), "%s", cases[i].line);
		r = parse(line, &o, &args, &e);
		assert_string_equal(e.text, cases[i].error);
		assert_true(r < 0);
	}
}

static void has_limits(void **state)
{
	char line[512] = "share x";
	struct share_options o;
	struct option_args args;
	struct err e;

	(void)state;
	for (int i = 0; i <= OPTION_TEXTS_MAX; i++)
		strcat(line, " -na");
	assert_int_equal(parse(line, &o, &args, &e), -ERR_INVALID);
	assert_string_equal(e.text, "--name more than 32 times");
}

static void forms(void **state)
{
	static const struct command *const all[] = {&cmd_map};
	static const struct program with_forms = {
		.name = "homeport", .commands = all, .n_commands = ARRAY_LEN(all)};
	AUTO(buf_donep) struct buf text = {0};
	char name[] = "homeport", map[] = "map", *argv[] = {name, map};
	struct option_args args;
	struct share_options o;
	struct err e = {0};

	assert_int_equal(options_help(&with_forms, &cmd_map, &text), 0);
	assert_int_equal(buf_append(&text, "", 1), 0);
	assert_non_null(strstr((const char *)buf_head(&text),
			       "Usage: homeport map [OPTION]... WHAT\n"
			       "\n"
			       "doors\n"
			       "\n"
			       "WHAT is one of\n"
			       "  PORT         open a door\n"
			       "  list [PORT]  the doors there are\n"));
	assert_int_equal(options_parse(&with_forms, &cmd_map, 2, argv, 1, &o, &args, &e),
			 -ERR_INVALID);
	assert_string_equal(e.text, "needs one of: PORT, list [PORT]");
}

static void helps(void **state)
{
	static const char of_share[] = "Usage: homeport share [OPTION]... PATH|PORT\n"
				       "\n"
				       "put a folder on the internet\n"
				       "\n"
				       "Until Ctrl-C.\n"
				       "\n"
				       "Options:\n"
				       "  -l, --lan          this network only\n"
				       "  -n, --name NAME    public name\n"
				       "  -p, --port PORT    public port\n"
				       "      --to URL       where to\n"
				       "  -c, --config FILE  configuration to read\n"
				       "      --json         for programs\n"
				       "  -h, --help         show this help\n"
				       "\n"
				       "Example:\n"
				       "  homeport share ./site\n";
	static const char of_program[] = "Usage: homeport COMMAND [OPTION]... [ARGUMENT]...\n"
					 "\n"
					 "Reach home.\n"
					 "\n"
					 "Commands:\n"
					 "  share   put a folder on the internet\n"
					 "  status  what runs\n"
					 "\n"
					 "Options:\n"
					 "  -c, --config FILE  configuration to read\n"
					 "      --json         for programs\n"
					 "  -h, --help         show this help\n"
					 "  -V, --version      show the version\n"
					 "\n"
					 "\"homeport help COMMAND\" tells more about a command.\n";
	static const char *const asks[] = {"share --help", "share -lh", "--help share",
					   "share x --json -h"};
	AUTO(buf_donep) struct buf text = {0};
	struct share_options o;
	struct option_args args;
	struct err e;

	(void)state;
	assert_int_equal(options_help(&program, &cmd_share, &text), 0);
	assert_int_equal(buf_append(&text, "", 1), 0);
	assert_string_equal((const char *)buf_head(&text), of_share);
	buf_consume(&text, buf_len(&text));
	assert_int_equal(options_help(&program, NULL, &text), 0);
	assert_int_equal(buf_append(&text, "", 1), 0);
	assert_string_equal((const char *)buf_head(&text), of_program);
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		char line[64];

		snprintf(line, sizeof(line), "%s", asks[i]);
		assert_int_equal(parse(line, &o, &args, &e), OPTIONS_HELP);
	}
}

/* Exit codes, with what is printed sent away. */
static void runs(void **state)
{
	static const struct {
		const char *line;
		int exit_code;
	} cases[] = {
		{"share -l x", 40}, {"share x", 41},   {"", 2},		  {"shrae", 2},
		{"share", 2},	    {"--help", 0},     {"--version", 0},  {"-c x --help", 0},
		{"help", 0},	    {"help share", 0}, {"help shrae", 2}, {"share --help", 0},
		{"--json", 2},
	};
	FILE *kept_out = stdout, *kept_err = stderr, *null = fopen("/dev/null", "w");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char line[64], *argv[64];
		int argc, r;

		snprintf(line, sizeof(line), "%s", cases[i].line);
		argc = cut_words(line, argv);
		stdout = stderr = null;
		r = options_main(&program, argc, argv);
		stdout = kept_out;
		stderr = kept_err;
		assert_int_equal(r, cases[i].exit_code);
	}
	fclose(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_options_anywhere),
		cmocka_unit_test(leaves_unset_what_is_not_there),
		cmocka_unit_test(refuses),
		cmocka_unit_test(has_limits),
		cmocka_unit_test(helps),
		cmocka_unit_test(forms),
		cmocka_unit_test(runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
