#include "conf/completion.h"

#include <stdio.h>

#include "conf/writer.h"

/* What a value may be, after its name in the tables. */
struct value {
	bool files, folders;
	char words[256]; /* each with a blank before it */
};

static bool small_letters(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!(s.at[i] >= 'a' && s.at[i] <= 'z') && s.at[i] != '-')
			return false;
	return s.len > 0;
}

static void add_word(struct value *value, struct str word)
{
	size_t len = strlen(value->words);

	if (!small_letters(word) || len + word.len + 2 > sizeof(value->words))
		return;
	value->words[len] = ' ';
	memcpy(value->words + len + 1, word.at, word.len);
}

static struct value value_of(const char *name)
{
	struct str rest = str_of(name ? name : "");
	struct value value = {0};

	while (rest.len) {
		struct str part = str_split(&rest, '|');

		value.files |= str_eq(part, STR("FILE")) || str_eq(part, STR("PATH"));
		value.folders |= str_eq(part, STR("FOLDER"));
		add_word(&value, part);
	}
	return value;
}

/* What may follow the command. */
static struct value value_of_args(const struct command *cmd)
{
	struct value value = value_of(cmd->args);

	for (size_t i = 0; i < cmd->n_forms; i++) {
		struct str rest = str_of(cmd->forms[i].words);

		add_word(&value, str_split(&rest, ' '));
	}
	return value;
}

/* ── bash ── */

/* "share/-n|share/--name"; command NULL: any. */
static void bash_pattern(struct writer *w, const char *command, const struct option_row *row)
{
	const char *before = command ? command : "*";

	if (row->letter)
		writer_printf(w, "%s/-%c | ", before, row->letter);
	writer_printf(w, "%s/--%s", before, row->name);
}

static void bash_value(struct writer *w, const struct value *value)
{
	if (value->words[0])
		writer_printf(w, " words='%s'", value->words + 1);
	if (value->files || value->folders)
		writer_printf(w, " files=%s", value->files ? "-f" : "-d");
	writer_printf(w, " ;;\n");
}

static void bash_option_values(struct writer *w, const char *command, const struct option_row *rows,
			       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct value value = value_of(rows[i].arg);

		if (!rows[i].arg)
			continue;
		writer_printf(w, "\t");
		bash_pattern(w, command, &rows[i]);
		writer_printf(w, ")");
		bash_value(w, &value);
	}
}

static void bash_options(struct writer *w, const struct program *program, const struct command *cmd)
{
	const struct option_row *row;

	writer_printf(w, " words='");
	for (size_t at = 0; (row = options_next(program, cmd, &at));)
		writer_printf(w, "%s--%s", at > 1 ? " " : "", row->name);
	writer_printf(w, "' ;;\n");
}

static void bash_command_names(struct writer *w, const struct program *program)
{
	for (size_t i = 0; i < program->n_commands; i++)
		writer_printf(w, "%s ", program->commands[i]->name);
}

/* The first word that is neither an option nor the value of one. */
static void bash_find_command(struct writer *w, const struct program *program)
{
	bool any = false;

	writer_printf(w, "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
			 "\t\tcase ${COMP_WORDS[i]} in\n");
	for (size_t i = 0; i < program->n_common; i++) {
		const struct option_row *row = &program->common[i];

		if (!row->arg)
			continue;
		writer_printf(w, any ? " | " : "\t\t");
		if (row->letter)
			writer_printf(w, "-%c | ", row->letter);
		writer_printf(w, "--%s", row->name);
		any = true;
	}
	writer_printf(w,
		      "%s"
		      "\t\t-*) ;;\n"
		      "\t\t*) command=${COMP_WORDS[i]} && break ;;\n"
		      "\t\tesac\n"
		      "\tdone\n",
		      any ? ") ((i++)) && [[ ${COMP_WORDS[i]} == = ]] && ((i++)) ;;\n" : "");
}

static void bash_function(struct writer *w, const struct program *program)
{
	bash_find_command(w, program);
	writer_printf(w, "\tcase $command/$previous in\n");
	for (size_t i = 0; i < program->n_commands; i++)
		bash_option_values(w, program->commands[i]->name, program->commands[i]->options,
				   program->commands[i]->n_options);
	bash_option_values(w, NULL, program->common, program->n_common);
	writer_printf(w, "\t*) case $command/$current in\n");
	for (size_t i = 0; i < program->n_commands; i++) {
		const struct command *cmd = program->commands[i];
		struct value value = value_of_args(cmd);

		writer_printf(w, "\t\t%s/-*)", cmd->name);
		bash_options(w, program, cmd);
		writer_printf(w, "\t\t%s/*)", cmd->name);
		bash_value(w, &value);
	}
	writer_printf(w, "\t\t/-*)");
	bash_options(w, program, NULL);
	writer_printf(w, "\t\t/*) words='");
	bash_command_names(w, program);
	writer_printf(w, "help' ;;\n\t\thelp/*) words='");
	bash_command_names(w, program);
	writer_printf(w, "' ;;\n"
			 "\t\tesac ;;\n"
			 "\tesac\n");
}

/* A function's name: "_homeport_gateway". */
static void function_name(char name[static 64], const struct program *program)
{
	snprintf(name, 64, "_%s", program->name);
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
}

int completion_write_bash(const struct program *program, struct buf *out)
{
	struct writer w = {.out = out};
	char function[64];

	function_name(function, program);
	writer_printf(&w,
		      "# bash completion of %s, made from its tables\n"
		      "%s()\n"
		      "{\n"
		      "\tlocal current=${COMP_WORDS[COMP_CWORD]} command= words= files= i\n"
		      "\tlocal previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
		      "\n"
		      "\tCOMPREPLY=()\n"
		      "\t# --option=value comes as three words\n"
		      "\tif [[ $current == = ]]; then\n"
		      "\t\tcurrent=\n"
		      "\telif [[ $previous == = ]]; then\n"
		      "\t\tprevious=${COMP_WORDS[COMP_CWORD - 2]}\n"
		      "\tfi\n",
		      program->name, function);
	bash_function(&w, program);
	writer_printf(&w,
		      "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
		      "\tif [[ $files ]]; then\n"
		      "\t\tcompopt -o filenames 2>/dev/null\n"
		      "\t\tmapfile -t -O ${#COMPREPLY[@]} COMPREPLY "
		      "< <(compgen $files -- \"$current\")\n"
		      "\tfi\n"
		      "}\n"
		      "complete -F %s %s\n",
		      function, program->name);
	return w.r;
}

/* ── zsh ── */

/* Within '...', and with what _arguments and _describe would take for their own escaped. */
static void zsh_text(struct writer *w, const char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			writer_printf(w, "'\\''");
		else
			writer_printf(w, strchr(":[]\\", *text) ? "\\%c" : "%c", *text);
}

/* ":NAME:what completes it" */
static void zsh_value(struct writer *w, const char *name, const struct value *value)
{
	writer_printf(w, ":");
	zsh_text(w, name);
	if (value->files)
		writer_printf(w, ":_files");
	else if (value->folders)
		writer_printf(w, ":_files -/");
	else if (value->words[0])
		writer_printf(w, ":(%s)", value->words + 1);
	else
		writer_printf(w, ": ");
}

static void zsh_option(struct writer *w, const struct option_row *row)
{
	struct value value = value_of(row->arg);
	bool repeats = row->type == OPTION_TEXTS;

	if (row->letter && repeats)
		writer_printf(w, "'*'{-%c+,--%s=}'[", row->letter, row->name);
	else if (row->letter)
		writer_printf(w, "'(-%c --%s)'{-%c%s,--%s%s}'[", row->letter, row->name,
			      row->letter, row->arg ? "+" : "", row->name, row->arg ? "=" : "");
	else
		writer_printf(w, "'%s--%s%s[", repeats ? "*" : "", row->name, row->arg ? "=" : "");
	zsh_text(w, row->help);
	writer_printf(w, "]");
	if (row->arg)
		zsh_value(w, row->arg, &value);
	writer_printf(w, "' \\\n");
}

static void zsh_options(struct writer *w, const struct program *program, const struct command *cmd,
			const char *indent)
{
	const struct option_row *row;

	for (size_t at = 0; (row = options_next(program, cmd, &at));) {
		writer_printf(w, "%s", indent);
		zsh_option(w, row);
	}
}

static void zsh_command(struct writer *w, const struct program *program, const struct command *cmd)
{
	writer_printf(w, "\t\t%s) _arguments -S \\\n", cmd->name);
	zsh_options(w, program, cmd, "\t\t\t");
	if (cmd->args && *cmd->args) {
		struct value value = value_of_args(cmd);

		writer_printf(w, "\t\t\t'*");
		zsh_value(w, cmd->args, &value);
		writer_printf(w, "' ");
	} else {
		writer_printf(w, "\t\t\t");
	}
	writer_printf(w, "&& ret=0 ;;\n");
}

int completion_write_zsh(const struct program *program, struct buf *out)
{
	struct writer w = {.out = out};
	char function[64];

	function_name(function, program);
	writer_printf(&w,
		      "#compdef %s\n"
		      "# zsh completion of %s, made from its tables\n"
		      "%s()\n"
		      "{\n"
		      "\tlocal curcontext=\"$curcontext\" state line ret=1\n"
		      "\ttypeset -A opt_args\n"
		      "\tlocal -a commands=(\n",
		      program->name, program->name, function);
	for (size_t i = 0; i < program->n_commands; i++) {
		writer_printf(&w, "\t\t'%s:", program->commands[i]->name);
		zsh_text(&w, program->commands[i]->summary);
		writer_printf(&w, "'\n");
	}
	writer_printf(&w, "\t\t'help:show the help of a command'\n"
			  "\t)\n"
			  "\n"
			  "\t_arguments -C -S \\\n");
	zsh_options(&w, program, NULL, "\t\t");
	writer_printf(&w, "\t\t'1:command:->command' '*::argument:->argument' && ret=0\n"
			  "\tcase $state in\n"
			  "\tcommand) _describe -t commands command commands && ret=0 ;;\n"
			  "\targument)\n"
			  "\t\tcase $words[1] in\n");
	for (size_t i = 0; i < program->n_commands; i++)
		zsh_command(&w, program, program->commands[i]);
	writer_printf(&w,
		      "\t\thelp) _describe -t commands command commands && ret=0 ;;\n"
		      "\t\tesac ;;\n"
		      "\tesac\n"
		      "\treturn ret\n"
		      "}\n"
		      "\n"
		      "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
		      "\t%s \"$@\"\n"
		      "else\n"
		      "\tcompdef %s %s\n"
		      "fi\n",
		      function, function, program->name);
	return w.r;
}
