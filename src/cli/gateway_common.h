/* What all commands of homeport-gateway share: their common options, and how they reach the gateway
 * that runs. */
#pragma once

#include <jansson.h>

#include "conf/options.h"

/* The first members of every command's options. */
struct gateway_common {
	const char *config; /* NULL: the file in /etc */
	const char *state;  /* NULL: the default folder */
};

extern const struct option_row gateway_common_rows[];
extern const size_t gateway_common_count;

/* The state folder, and the control socket of the gateway that uses it. The caller frees the text;
 * NULL: said on stderr. */
char *gateway_common_state(const struct gateway_common *common);
char *gateway_common_socket(const struct gateway_common *common, const char *state);

/*
 * Ask the running gateway. Takes the request, NULL when its words are no UTF-8; the answer is the
 * caller's. 0, or -1: it was said on stderr why not, the command ends with exit code 1.
 */
int gateway_common_ask(const struct gateway_common *common, json_t *request,
		       json_t **ret_answer) MUST_CHECK;

/* Print an answer as JSON without "ok", for --json. Returns the exit code. */
int gateway_common_print_json(json_t *answer);

/* A field of an answer; "" or 0 when it is not there. */
const char *gateway_common_text(const json_t *object, const char *field);
json_int_t gateway_common_number(const json_t *object, const char *field);

/* The texts of an array with a comma between them, cut with "..." when they do not fit. Returns
 * text. */
#define GATEWAY_LIST_MAX 128
const char *gateway_common_list(char text[static GATEWAY_LIST_MAX], const json_t *array);
