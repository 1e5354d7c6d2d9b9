#include "conf/manual.h"

#include "conf/writer.h"

static void roff(struct writer *w, const char *before, const char *text, const char *after)
{
	writer_printf(w, "%s", before);
	writer_roff(w, text);
	writer_printf(w, "%s", after);
}

/* "-n, --name NAME", then what it is for. */
static void option(struct writer *w, const struct option_row *row)
{
	writer_printf(w, ".TP\n");
	if (row->letter)
		writer_printf(w, "\\fB\\-%c\\fR, ", row->letter);
	roff(w, "\\fB\\-\\-", row->name, "\\fR");
	if (row->arg)
		roff(w, " \\fI", row->arg, "\\fR");
	roff(w, "\n", row->help, ".\n");
	if (row->max)
		writer_printf(w, "From %lld to %lld.\n", (long long)row->min, (long long)row->max);
}

static void verbatim(struct writer *w, struct str text)
{
	writer_printf(w, ".RS 4\n.nf\n");
	while (text.len) {
		struct str part = str_split(&text, '\n');
		AUTO(freep) char *line = str_dup(part);

		if (!line)
			w->r = -ERR_NOMEM;
		else
			roff(w, "", line, "\n");
	}
	writer_printf(w, ".fi\n.RE\n");
}

/* A sentence begins with a capital and ends with a full stop; summaries do neither. */
static void summary(struct writer *w, const char *text)
{
	char first[2] = {text[0], '\0'};

	if (first[0] >= 'a' && first[0] <= 'z')
		first[0] = (char)(first[0] - 'a' + 'A');
	roff(w, "", first, "");
	roff(w, "", text + 1, ".\n");
}

static void command(struct writer *w, const struct program *program, const struct command *cmd)
{
	bool args = cmd->args && *cmd->args;

	roff(w, ".SS \"", program->name, " ");
	roff(w, "", cmd->name, " [OPTION]...");
	roff(w, args ? " " : "", args ? cmd->args : "", "\"\n");
	summary(w, cmd->summary);
	for (size_t i = 0; i < cmd->n_forms; i++) {
		roff(w, ".TP\n.B ", cmd->forms[i].words, "\n");
		roff(w, "", cmd->forms[i].help, "\n");
	}
	if (cmd->details)
		roff(w, ".PP\n", cmd->details, "\n");
	for (size_t i = 0; i < cmd->n_options; i++)
		option(w, &cmd->options[i]);
	if (cmd->example) {
		writer_printf(w, ".PP\n");
		verbatim(w, str_of(cmd->example));
	}
}

int manual_write_commands(const struct program *program, struct buf *out)
{
	struct writer w = {.out = out};

	for (size_t i = 0; i < program->n_commands; i++)
		command(&w, program, program->commands[i]);
	return w.r;
}

int manual_write_options(const struct program *program, struct buf *out)
{
	struct writer w = {.out = out};
	const struct option_row *row;

	for (size_t at = 0; (row = options_next(program, NULL, &at));)
		option(&w, row);
	return w.r;
}

int manual_write_verbatim(struct str text, struct buf *out)
{
	struct writer w = {.out = out};

	verbatim(&w, text);
	return w.r;
}
