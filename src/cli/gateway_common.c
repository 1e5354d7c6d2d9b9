#include "cli/gateway_common.h"

#include <stdio.h>

#include "gateway/config.h"
#include "net/ctl.h"
#include "state/folder.h"

const struct option_row gateway_common_rows[] = {
	{"config", 'c', OPTION_TEXT, offsetof(struct gateway_common, config), .arg = "FILE",
	 .help = "configuration file (default: " GATEWAY_CONFIG_PATH ")"},
	{"state", 's', OPTION_TEXT, offsetof(struct gateway_common, state), .arg = "FOLDER",
	 .help = "where the key and the database are (default: /var/lib/homeport-gateway)"},
};
const size_t gateway_common_count = ARRAY_LEN(gateway_common_rows);

static char *no_path(void)
{
	fprintf(stderr, "homeport-gateway: no place for its state; choose one with --state\n");
	return NULL;
}

char *gateway_common_state(const struct gateway_common *common)
{
	char *path = common->state ? strdup(common->state) : state_default_path("homeport-gateway");

	return path ? path : no_path();
}

char *gateway_common_socket(const struct gateway_common *common, const char *state)
{
	AUTO(freep)
	char *folder = common->state ? strdup(common->state)
				     : state_runtime_path("homeport-gateway", state);
	char *path = NULL;

	if (!folder || asprintf(&path, "%s/gateway.sock", folder) < 0)
		return no_path();
	return path;
}

static void say_why_not(int r, const char *path, const struct err *e)
{
	if (r == -ERR_REFUSED)
		fprintf(stderr,
			"homeport-gateway: no gateway is running here (nobody answers on %s); "
			"start "
			"it with: homeport-gateway run\n",
			path);
	else
		fprintf(stderr, "homeport-gateway: %s\n", e->text);
}

int gateway_common_ask(const struct gateway_common *common, json_t *request, json_t **ret_answer)
{
	AUTO(freep) char *state = gateway_common_state(common);
	AUTO(freep) char *path = state ? gateway_common_socket(common, state) : NULL;
	struct err e = {0};
	int r;

	if (!request) {
		fprintf(stderr, "homeport-gateway: what you typed must be UTF-8 text\n");
		return -1;
	}
	if (!path) {
		json_decref(request);
		return -1;
	}
	r = ctl_ask(path, request, ret_answer, &e);
	json_decref(request);
	if (r < 0)
		say_why_not(r, path, &e);
	return r < 0 ? -1 : 0;
}

int gateway_common_print_json(json_t *answer)
{
	json_object_del(answer, "ok");
	json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	return ferror(stdout) ? 1 : 0;
}

const char *gateway_common_text(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "";
}

json_int_t gateway_common_number(const json_t *object, const char *field)
{
	return json_integer_value(json_object_get(object, field));
}

const char *gateway_common_list(char text[static GATEWAY_LIST_MAX], const json_t *array)
{
	const size_t room = GATEWAY_LIST_MAX - sizeof(", ...");
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *item = json_string_value(json_array_get(array, i));
		size_t need = (item ? strlen(item) : 0) + (i ? 2 : 0);

		if (len + need > room) {
			strcpy(text + len, i ? ", ..." : "...");
			break;
		}
		len += (size_t)snprintf(text + len, GATEWAY_LIST_MAX - len, "%s%s", i ? ", " : "",
					item ? item : "");
	}
	return text;
}
