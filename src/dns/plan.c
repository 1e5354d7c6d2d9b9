#include "dns/plan.h"

#include <stdio.h>

#include "base/cleanup.h"

static const struct dns_step *step_of(const struct dns_plan *plan)
{
	const struct dns_step *steps = plan->entry->provider->steps;

	return plan->step < DNS_STEPS_MAX && steps[plan->step].url ? &steps[plan->step] : NULL;
}

static void end(struct dns_plan *plan, enum dns_verdict verdict)
{
	plan->reply.verdict = verdict;
	plan->ended = true;
}

int dns_plan_start(struct dns_plan *plan, const struct dns_entry *entry, enum dns_what what,
		   const struct dns_target *target, struct err *e)
{
	int r = dns_entry_check(entry, e);

	if (r < 0)
		return r;
	if (entry->provider->rfc2136 || what == DNS_TXT)
		return err_set(e, ERR_INVALID, "not an address at an HTTP provider");
	if (entry->provider->steps[0].url && (what == DNS_BOTH || what == DNS_PREFIX))
		return err_set(e, ERR_INVALID, "%s takes one record at a time",
			       entry->provider->title);
	*plan = (struct dns_plan){.entry = entry, .what = what, .target = *target};
	dns_entry_vars(entry, what, &plan->target, &plan->text, &plan->vars);
	return 0;
}

int dns_plan_request(struct dns_plan *plan, struct dns_request *ret, struct err *e)
{
	const struct dns_provider *row = plan->entry->provider;
	const struct dns_step *step = step_of(plan);
	int r = step ? dns_request_make_step(row, step, &plan->vars, ret, e)
		     : dns_request_make(row, plan->what, &plan->vars, ret, e);

	if (r < 0)
		end(plan, DNS_REFUSED);
	return r;
}

bool dns_plan_reads(const struct dns_plan *plan)
{
	const struct dns_step *step = step_of(plan);

	return step && dns_step_reads(step);
}

int dns_plan_show(const struct dns_plan *plan, struct dns_request *ret, struct err *e)
{
	const struct dns_provider *row = plan->entry->provider;
	const struct dns_step *step = step_of(plan);
	char text[DNS_TAKEN_TEXT_MAX + DNS_HIDDEN_LEN];
	struct dns_vars vars = plan->vars;
	int r;

	dns_vars_hide(&vars);
	if (step && step->within)
		dns_vars_hide_path(&vars, "record", text, sizeof(text));
	r = step ? dns_request_make_step(row, step, &vars, ret, e)
		 : dns_request_make(row, plan->what, &vars, ret, e);
	return r < 0 ? r : dns_request_hide(ret, e);
}

/* "HOST|ADDRESS|URL": that field of the line about this name and type. */
static bool take_field(const struct dns_plan *plan, struct str body, uint64_t field, char *to)
{
	const struct dns_var *host = dns_vars_get(&plan->vars, STR("host"));
	int family = plan->what == DNS_AAAA ? 6 : 4;

	while (body.len) {
		struct str line = str_split(&body, '\n'), rest = line;
		struct str name = str_split(&rest, '|'), address = str_split(&rest, '|');
		struct ipaddr a;

		if (!str_eq_nocase(name, host->value) || ipaddr_parse(address, &a) < 0 ||
		    a.family != family)
			continue;
		for (; field; field--)
			str_split(&line, '|');
		name = str_split(&line, '|');
		if (name.len && name.at[name.len - 1] == '\r')
			name.len--;
		return str_copy(to, DNS_TAKEN_TEXT_MAX, name);
	}
	return false;
}

/* The value at the path, kept as a variable. False: there is none, or more than one. */
static bool take(struct dns_plan *plan, json_t *root, struct str body, const char *name,
		 const char *path, bool *ret_several)
{
	struct buf expanded = {.max = 512};
	char *to = plan->taken[plan->n_taken];
	bool taken = plan->n_taken < DNS_TAKEN_MAX;

	if (taken && path[0] == '|')
		taken = take_field(plan, body, (uint64_t)(path[1] - '0'), to);
	else if (taken)
		taken = dns_template_expand(path, &plan->vars, DNS_ENCODE_NONE, &expanded, NULL) ==
				0 &&
			dns_json_text(dns_json_at(root, buf_str(&expanded), ret_several), to,
				      DNS_TAKEN_TEXT_MAX);
	buf_done(&expanded);
	if (!taken || *ret_several || !*to)
		return false;
	plan->n_taken++;
	dns_vars_set(&plan->vars, name, str_of(to));
	return true;
}

/* Addresses have many spellings. */
static bool same(const struct dns_plan *plan)
{
	const struct dns_var *content = dns_vars_get(&plan->vars, STR("content"));
	const struct dns_var *value = dns_vars_get(&plan->vars, STR("value"));
	struct ipaddr a, b;

	if (!content || !value)
		return false;
	if (str_eq(content->value, value->value))
		return true;
	return ipaddr_parse(content->value, &a) == 0 && ipaddr_parse(value->value, &b) == 0 &&
	       ipaddr_equal(&a, &b);
}

/* What the step takes from its answer. False: that ended the plan. */
static bool take_all(struct dns_plan *plan, const struct dns_step *step, struct str body)
{
	json_t *root = json_loadb(body.at ? body.at : "", body.len, JSON_DECODE_ANY, NULL);

	for (unsigned i = 0; i < DNS_TAKES_MAX && step->take[i].name; i++) {
		const char *name = step->take[i].name;
		bool several = false,
		     taken = take(plan, root, body, name, step->take[i].path, &several);

		if (several)
			end(plan, DNS_SEVERAL);
		else if (!taken && (step->flags & DNS_STEP_NEEDED))
			end(plan, DNS_NOHOST);
		else if (taken && str_eq(str_of(name), STR("record")))
			plan->has_record = true;
	}
	json_decref(root);
	if (!plan->ended && same(plan))
		end(plan, DNS_NOCHG);
	return !plan->ended;
}

static bool applies(const struct dns_plan *plan, const struct dns_step *step)
{
	return !(step->flags & (plan->has_record ? DNS_STEP_IF_NONE : DNS_STEP_IF_RECORD));
}

static void next(struct dns_plan *plan)
{
	do {
		plan->step++;
	} while (step_of(plan) && !applies(plan, step_of(plan)));
	if (!step_of(plan))
		end(plan, DNS_GOOD);
}

static bool is_about(const struct dns_plan *plan, const struct ipaddr *address)
{
	if (plan->entry->provider->grammar->echoes)
		return dns_reply_names(&plan->reply, address);
	return !dns_reply_contradicts(&plan->reply, address);
}

void dns_plan_pass(struct dns_plan *plan)
{
	if (step_of(plan))
		next(plan);
	else
		end(plan, DNS_GOOD);
}

/* "good" for another address is not our success. */
static bool contradicts(const struct dns_plan *plan)
{
	bool a = plan->what == DNS_A || plan->what == DNS_BOTH;
	bool aaaa = plan->what == DNS_AAAA || plan->what == DNS_BOTH;

	return (a && !is_about(plan, &plan->target.ip4)) ||
	       (aaaa && !is_about(plan, &plan->target.ip6));
}

void dns_plan_answer(struct dns_plan *plan, const struct dns_answer *answer)
{
	const struct dns_step *step = step_of(plan);
	bool absent = step && (step->flags & DNS_STEP_FIND) && answer->status == 404;

	dns_reply_read(step && step->grammar ? step->grammar : plan->entry->provider->grammar,
		       answer, &plan->reply);
	dns_reply_hide(&plan->reply, plan->entry);
	if (!absent && dns_verdict_class(plan->reply.verdict) != DNS_CLASS_OK) {
		plan->ended = true;
		return;
	}
	if (!step) {
		end(plan, contradicts(plan) ? DNS_UNKNOWN : plan->reply.verdict);
		return;
	}
	if (absent || take_all(plan, step, answer->body))
		next(plan);
}

void dns_plan_fail(struct dns_plan *plan, const char *why)
{
	snprintf(plan->reply.text, sizeof(plan->reply.text), "%s", why);
	end(plan, DNS_NETWORK);
}
