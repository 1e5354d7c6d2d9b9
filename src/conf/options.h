/*
 * Command lines over tables: a program is a list of commands, a command has rows for its options.
 * Parser, --help, man page and completion come from the same rows.
 *
 *	struct share_options {
 *		const char *config;
 *		bool lan;
 *		struct option_texts name;
 *		int64_t port;			// OPTION_UNSET: not given
 *	};
 *
 *	static const struct option_row share_rows[] = {
 *		{"lan", 'l', OPTION_FLAG, offsetof(struct share_options, lan),
 *		 .help = "this machine and its network only"},
 *		{"name", 'n', OPTION_TEXTS, offsetof(struct share_options, name),
 *		 .arg = "NAME", .help = "public host name (may be repeated)"},
 *		{"port", 'p', OPTION_NUMBER, offsetof(struct share_options, port),
 *		 .arg = "PORT", .min = 1, .max = 65535, .help = "public port"},
 *	};
 *
 *	static int share_run(const void *options, const struct option_args *args)
 *	{
 *		const struct share_options *o = options;
 *		...
 *		return 0;			// the exit code
 *	}
 *
 *	const struct command cmd_share = {
 *		.name = "share", .args = "PATH|PORT|HOST:PORT", .min_args = 1, .max_args = 1,
 *		.summary = "put a folder or a local service on the internet",
 *		.example = "homeport share ./site",
 *		OPTION_ROWS(share_rows, struct share_options), .run = share_run,
 *	};
 *
 *	static const struct command *const commands[] = {&cmd_share, &cmd_up};
 *	static const struct program program = {
 *		.name = "homeport", .version = "0.1.0", .summary = "...",
 *		.commands = commands, .n_commands = ARRAY_LEN(commands)};
 *
 *	int main(int argc, char **argv)
 *	{
 *		return options_main(&program, argc, argv);
 *	}
 *
 * Rules: "--name value", "--name=value", "-n value", "-nvalue", flags together ("-lv"), options
 * anywhere, also before the command when every command has them (`common`), "--" ends them, "-"
 * alone is an argument. No abbreviations. A single value given twice is an error. Every command has
 * -h and --help, the program also --version and "help [COMMAND]".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define OPTION_TEXTS_MAX 32
#define OPTION_ARGS_MAX	 32
#define OPTIONS_SIZE_MAX 2048 /* of a command's struct of options */
#define OPTION_UNSET	 ((int64_t)-1)

enum option_type {
	OPTION_FLAG,   /* bool */
	OPTION_TEXT,   /* const char *, borrowed from argv; NULL: not given */
	OPTION_TEXTS,  /* struct option_texts: may be repeated */
	OPTION_NUMBER, /* int64_t: min..max; OPTION_UNSET: not given */
};

struct option_texts {
	const char *at[OPTION_TEXTS_MAX]; /* borrowed from argv */
	size_t n;
};

struct option_args {
	const char *at[OPTION_ARGS_MAX]; /* borrowed from argv */
	size_t n;
};

struct option_row {
	const char *name; /* without "--" */
	char letter;	  /* 0: none */
	enum option_type type;
	size_t offset;	 /* of the field in the command's struct */
	const char *arg; /* what the value is called; NULL for flags */
	const char *help;
	int64_t min, max; /* numbers; both included, not negative */
};

/* What a command can be told to do. */
struct option_form {
	const char *words; /* "update [NAME]" */
	const char *help;
};

/* Three fields of struct command at once. */
#define OPTION_ROWS(rows, type)                                                                    \
	.options = (rows), .n_options = ARRAY_LEN(rows), .options_size = sizeof(type)

struct command {
	const char *name;
	const char *args; /* "PATH|PORT [NAME]", for the usage line; NULL: none */
	const struct option_form
		*forms; /* then args is what one of them is called, such as "WHAT" */
	size_t n_forms;
	unsigned min_args, max_args;
	const char *summary;		  /* a few words in the list of commands */
	const char *details;		  /* paragraphs for its own help; NULL: none */
	const char *example;		  /* lines that one could type */
	const struct option_row *options; /* its own */
	size_t n_options;
	size_t options_size; /* of the struct; program.common's fields included */

	/* Do it. Both belong to the caller. Returns the exit code: 0 done, 1 did not work, 2 wrong
	 * usage. */
	int (*run)(const void *options, const struct option_args *args);
};

struct program {
	const char *name;
	const char *version;
	const char *summary;
	const struct command *const *commands;
	size_t n_commands;

	/* Options of every command. Their offsets hold in every command's struct, which begins with
	 * the same members. */
	const struct option_row *common;
	size_t n_common;
};

/* What options_parse found: the caller looks at it before anything else. */
enum options_wish { OPTIONS_RUN, OPTIONS_HELP };

/*
 * The command in argv: the first word that is neither an option nor a common option's value.
 * argv[0] is skipped. 0, and *ret_at is its index; -ERR_NOT_FOUND: no word there; -ERR_INVALID:
 * unknown command (the nearest is named), or an option before it that is not a common one.
 */
int options_find_command(const struct program *program, int argc, char **argv,
			 const struct command **ret, int *ret_at, struct err *e) MUST_CHECK;

/*
 * Parse argv (without argv[0] and argv[command_at]) by the rows of a command.
 *
 * options  out: cmd->options_size bytes; zeroed and filled here; not to be used after a failure
 * args     out: what is not an option, between min_args and max_args
 *
 * OPTIONS_RUN; OPTIONS_HELP (--help was there, nothing is missing that counts); -ERR_INVALID and a
 * sentence that fits behind "homeport share: ".
 */
int options_parse(const struct program *program, const struct command *cmd, int argc, char **argv,
		  int command_at, void *options, struct option_args *args,
		  struct err *e) MUST_CHECK;

/* The options of a command one after the other: its own, the common ones, --help. Start with
 * *at = 0; NULL behind the last. cmd NULL: those that work without a command. */
const struct option_row *options_next(const struct program *program, const struct command *cmd,
				      size_t *at);

/* The text of --help, of the program (cmd NULL) or of a command. -ERR_NOMEM. */
int options_help(const struct program *program, const struct command *cmd,
		 struct buf *out) MUST_CHECK;

/* Find the command, parse, run it; or print help (stdout) or the error (stderr). Returns the exit
 * code: the command's, or 2 for wrong usage. */
int options_main(const struct program *program, int argc, char **argv);
