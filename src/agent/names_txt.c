#include "agent/names_txt.h"

#include <string.h>

#include "base/log.h"

struct names_txt {
	struct dns_txt_change *change; /* borrowed; NULL: it is over */
	void (*emit)(void *arg, json_t *answer);
	void *arg;
};

bool names_txt_knows(const char *command)
{
	return strcmp(command, "dns-txt") == 0;
}

static const char *served_word(const struct dns_txt_result *result)
{
	if (!result->watched)
		return "not asked";
	return result->served.state == DNS_SERVED_YES ? "yes" : "unknown";
}

static json_t *refusal(const struct err *e)
{
	return json_pack("{s:b s:s}", "ok", 0, "error", e->text);
}

static void on_done(void *arg, const struct dns_txt_result *result)
{
	struct names_txt *txt = arg;

	txt->change = NULL;
	if (result->r < 0)
		txt->emit(txt->arg, refusal(&result->err));
	else
		txt->emit(txt->arg,
			  json_pack("{s:b s:s s:s s:s s:s s:b s:s s:i s:i}", "ok", 1, "name",
				    result->name, "value", result->value, "section", result->label,
				    "provider", result->provider, "changed", result->changed,
				    "served", served_word(result), "servers",
				    (int)result->served.n_servers, "serving",
				    (int)result->served.n_good));
}

static usec_t seconds(const json_t *request, const char *field)
{
	json_int_t s = json_integer_value(json_object_get(request, field));

	return s > 0 ? (usec_t)MIN(s, INT32_MAX) * USEC_PER_S : 0;
}

int names_txt_start(struct dns_keeper *keeper, const json_t *request,
		    void (*emit)(void *arg, json_t *answer), void *arg, struct names_txt **ret_txt,
		    struct err *e)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	const char *value = json_string_value(json_object_get(request, "value"));
	const struct dns_txt_wish wish = {
		.name = name ? name : "",
		.value = value ? value : "",
		.remove = json_is_true(json_object_get(request, "remove")),
		.wait = seconds(request, "wait_s"),
		.keep = seconds(request, "keep_s"),
	};
	struct names_txt *txt = calloc(1, sizeof(*txt));
	struct err why = {0};

	if (!txt)
		return err_set(e, ERR_NOMEM, "no memory");
	txt->emit = emit;
	txt->arg = arg;
	if (dns_keeper_txt(keeper, &wish, on_done, txt, &txt->change, &why) < 0)
		emit(arg, refusal(&why));
	*ret_txt = txt;
	return 0;
}

void names_txt_free(struct names_txt *txt)
{
	if (!txt)
		return;
	dns_keeper_txt_forget(txt->change);
	free(txt);
}

void names_txt_log(const struct dns_txt_result *result)
{
	const char *why = result->by_itself ? " after a while" : "";

	if (result->r == 0)
		log_info("TXT value of %s: %s%s, at %s", result->name,
			 result->remove ? "removed" : "added", why, result->provider);
	else
		log_warning("TXT value of %s: %s%s: %s", result->name,
			    result->remove ? "to be removed" : "to be added", why,
			    result->err.text);
}
