#include "dns/txt.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"

/* ── names and values ── */

bool dns_txt_value_valid(struct str value)
{
	if (value.len == 0 || value.len > DNS_TXT_VALUE_MAX)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] < ' ' || value.at[i] > '~')
			return false;
	return true;
}

static bool is_in(const char *name, const char *zone)
{
	struct str sub;

	return zone && dns_sub_of(name, zone, &sub);
}

size_t dns_txt_serves(const struct dns_entry *entry, const char *name)
{
	const struct dns_txt_row *row = dns_txt_row_find(entry->provider);
	const char *zone = entry->provider->zone ? entry->provider->zone : entry->zone;
	const char *host = entry->host + (strncmp(entry->host, "*.", 2) == 0 ? 2 : 0);
	bool zone_too = entry->provider->rfc2136 ||
			(row && (row->scope == DNS_TXT_ZONE || row->scope == DNS_TXT_ASKED));

	if (entry->provider->closed || (!row && !entry->provider->rfc2136))
		return 0;
	if (is_in(name, host))
		return HOSTNAME_MAX + strlen(host); /* better than any zone */
	return zone_too && is_in(name, zone) ? strlen(zone) : 0;
}

/* As in a zone file (RFC 1035 §5.1). */
static void quote(char to[static 2 * DNS_TXT_VALUE_MAX + 3], const char *value)
{
	*to++ = '"';
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			*to++ = '\\';
		*to++ = *value;
	}
	*to++ = '"';
	*to = '\0';
}

/* Whether what a provider shows, with quotes and perhaps in several strings, is this value. Numbers behind a
 * backslash are for what ours never have. */
static bool same_value(const char *shown, const char *plain)
{
	bool inside = false;

	if (*shown != '"')
		return strcmp(shown, plain) == 0;
	for (; *shown; shown++) {
		if (*shown == '"') {
			inside = !inside;
			continue;
		}
		if (!inside && *shown == ' ')
			continue;
		if (*shown == '\\')
			shown++;
		if (!inside || !*plain || *shown != *plain++)
			return false;
	}
	return !inside && !*plain;
}

/* ── steps ── */

static const struct dns_txt_step *step_of(const struct dns_txt *txt)
{
	const struct dns_txt_step *steps = txt->row->steps;

	return txt->step < DNS_TXT_STEPS_MAX && steps[txt->step].step.url ? &steps[txt->step]
									  : NULL;
}

static void end(struct dns_txt *txt, enum dns_verdict verdict)
{
	txt->reply.verdict = verdict;
	txt->ended = true;
}

static void refuse(struct dns_txt *txt, const char *why)
{
	snprintf(txt->reply.text, sizeof(txt->reply.text), "%s", why);
	end(txt, DNS_REFUSED);
}

static bool applies(const struct dns_txt *txt, const struct dns_txt_step *s)
{
	if (s->each && txt->n_ids == 0)
		return false;
	if (s->when & (txt->remove ? DNS_TXT_ADD : DNS_TXT_REMOVE))
		return false;
	return !(s->when & (txt->n_others ? DNS_TXT_ALONE : DNS_TXT_BESIDE));
}

static void next(struct dns_txt *txt)
{
	do {
		txt->step++;
	} while (step_of(txt) && !applies(txt, step_of(txt)));
	if (!step_of(txt))
		end(txt, DNS_GOOD);
}

/* ── lists ── */

/* One of the set as it has to be. False: too long. */
static bool add_item(struct dns_txt *txt, const char *value)
{
	const char *item = txt->row->item;
	bool xml = item && item[0] == '<';
	int r = 0;

	if (!item)
		return true;
	dns_vars_set(&txt->vars, "item", str_of(value));
	if (buf_len(&txt->values) && !xml)
		r = buf_append(&txt->values, ",", 1);
	if (r == 0)
		r = dns_template_expand(item, &txt->vars, xml ? DNS_ENCODE_XML : DNS_ENCODE_JSON,
					&txt->values, NULL);
	dns_vars_set(&txt->vars, "item", (struct str){0}); /* it lives with the answer */
	return r == 0;
}

static bool add_verbatim(struct dns_txt *txt, const json_t *element)
{
	AUTO(freep) char *text = json_dumps(element, JSON_COMPACT | JSON_PRESERVE_ORDER);

	return text && (buf_len(&txt->values) == 0 || buf_append(&txt->values, ",", 1) == 0) &&
	       buf_append_str(&txt->values, str_of(text)) == 0;
}

/* A record of the name. value NULL: the list does not tell. element: what is kept of another's; NULL: its value.
 * False: that ended it. */
static bool add_record(struct dns_txt *txt, const char *id, const char *value,
		       const json_t *element)
{
	bool ours = value && same_value(value, txt->plain);

	if (txt->n_ids + txt->n_others == DNS_TXT_VALUES_MAX) {
		refuse(txt, "too many values are there already");
		return false;
	}
	txt->found |= ours;
	if (ours || !value) {
		if (!id)
			return true;
		snprintf(txt->ids[txt->n_ids++], DNS_TXT_ID_MAX, "%s", id);
	} else {
		txt->n_others++;
		if (!(element ? add_verbatim(txt, element) : add_item(txt, value))) {
			refuse(txt, "what is there already is too long to be kept");
			return false;
		}
	}
	return true;
}

static bool take_member(json_t *element, const char *path, char *to, size_t size)
{
	bool several;

	return dns_json_text(dns_json_at(element, str_of(path), &several), to, size) && *to &&
	       !several;
}

/* Whether an element has all the members of "type=TXT,name={sub0}". */
static bool fits(const struct dns_txt *txt, const json_t *element, const char *where)
{
	AUTO(buf_donep) struct buf expanded = {.max = 2 * HOSTNAME_MAX};
	struct str rest;

	if (where && dns_template_expand(where, &txt->vars, DNS_ENCODE_NONE, &expanded, NULL) < 0)
		return false;
	rest = buf_str(&expanded);
	while (rest.len) {
		struct str value = str_split(&rest, ','), key = str_split(&value, '=');
		char have[HOSTNAME_MAX];

		if (!dns_json_text(json_object_getn(element, key.at, key.len), have,
				   sizeof(have)) ||
		    !str_eq_nocase(str_of(have), value))
			return false;
	}
	return true;
}

static bool read_json_element(struct dns_txt *txt, const struct dns_txt_list *list, json_t *element)
{
	char id[DNS_TXT_ID_MAX], value[DNS_TXT_RAW_MAX];

	if (list->id && !take_member(element, list->id, id, sizeof(id))) {
		refuse(txt, "a record there has no number");
		return false;
	}
	if (list->value && !take_member(element, list->value, value, sizeof(value))) {
		if (list->verbatim)
			return add_record(txt, NULL, "", element); /* another's, whatever it is */
		if (!txt->row->item)
			return true; /* not ours, and not ours to keep */
		refuse(txt, "what is there already is too long to be kept");
		return false;
	}
	return add_record(txt, list->id ? id : NULL, list->value ? value : NULL,
			  list->verbatim ? element : NULL);
}

static void set_ttl(struct dns_txt *txt, struct str ttl)
{
	uint64_t seconds;

	if (str_to_u64(ttl, UINT32_MAX, &seconds) &&
	    str_copy(txt->text.ttl, sizeof(txt->text.ttl), ttl))
		dns_vars_set(&txt->vars, "ttl", str_of(txt->text.ttl));
}

/* Whether the value at a path is that: "status.code=10". */
static bool says(json_t *root, struct str condition)
{
	struct str value = condition, path = str_split(&value, '=');
	char have[DNS_TXT_ID_MAX];

	return dns_json_text(dns_json_at(root, path, NULL), have, sizeof(have)) &&
	       str_eq(str_of(have), value);
}

static void read_json_list(struct dns_txt *txt, const struct dns_txt_list *list, json_t *root)
{
	json_t *elements = dns_json_at(root, str_of(list->path), NULL), *element;
	char ttl[12];
	size_t i;

	if (list->none && says(root, str_of(list->none)))
		return;
	if (!json_is_array(elements)) {
		end(txt, DNS_UNKNOWN);
		return;
	}
	if (list->ttl &&
	    dns_json_text(dns_json_at(root, str_of(list->ttl), NULL), ttl, sizeof(ttl)))
		set_ttl(txt, str_of(ttl));
	json_array_foreach(elements, i, element)
	{
		if (fits(txt, element, list->where) && !read_json_element(txt, list, element))
			return;
	}
}

/* ── Route 53's list: one set, <ResourceRecordSet> with Name, Type, TTL and Value elements ── */

/* The text of an element, its entities decoded. False: too long, or none that we know. */
static bool xml_text(struct str text, char *to, size_t size)
{
	static const struct {
		const char *entity;
		char c;
	} entities[] = {{"&quot;", '"'}, {"&#34;", '"'}, {"&apos;", '\''}, {"&#39;", '\''},
			{"&lt;", '<'},	 {"&gt;", '>'},	 {"&amp;", '&'}};
	size_t n = 0;

	while (text.len) {
		size_t used = 1;
		char c = text.at[0];

		for (size_t i = 0; c == '&' && i < ARRAY_LEN(entities) && used == 1; i++)
			if (str_starts(text, str_of(entities[i].entity))) {
				c = entities[i].c;
				used = strlen(entities[i].entity);
			}
		if ((text.at[0] == '&' && used == 1) || !c || n + 1 >= size)
			return false;
		to[n++] = c;
		text = str_n(text.at + used, text.len - used);
	}
	to[n] = '\0';
	return true;
}

/* The next element's name and the text behind its tag; false: there is none. */
static bool xml_next(struct str *rest, struct str *ret_tag, struct str *ret_text)
{
	str_split(rest, '<');
	if (!rest->len)
		return false;
	*ret_tag = str_split(rest, '>');
	*ret_text = *rest;
	*ret_text = str_split(ret_text, '<');
	return true;
}

/* Whether the set is the one of this name. *ret_policy: it is one of several by a routing policy. */
static bool is_our_set(const struct dns_txt *txt, struct str set, bool *ret_policy)
{
	char name[HOSTNAME_MAX + 1] = "", type[8] = "";
	struct str tag, text;
	size_t len;

	*ret_policy = false;
	while (xml_next(&set, &tag, &text)) {
		if (str_eq(tag, STR("Name")) && !xml_text(text, name, sizeof(name)))
			return false;
		if (str_eq(tag, STR("Type")) && !xml_text(text, type, sizeof(type)))
			return false;
		*ret_policy |= str_eq(tag, STR("SetIdentifier"));
	}
	len = strlen(name);
	if (len && name[len - 1] == '.')
		name[len - 1] = '\0';
	return str_eq_nocase(str_of(name), str_of(txt->entry.host)) && strcmp(type, "TXT") == 0;
}

/* The first <ResourceRecordSet>; empty: there is none. */
static struct str first_set(struct str body)
{
	struct str tag, text, inside = {0};

	while (xml_next(&body, &tag, &text)) {
		if (str_eq(tag, STR("ResourceRecordSet")))
			inside = body;
		if (str_eq(tag, STR("/ResourceRecordSet")) && inside.at)
			return str_n(inside.at, (size_t)(tag.at - inside.at));
	}
	return (struct str){0};
}

static void read_xml_list(struct dns_txt *txt, struct str body)
{
	struct str set = first_set(body), rest = set, tag, text;
	char value[DNS_TXT_RAW_MAX];
	bool policy;

	if (!is_our_set(txt, set, &policy))
		return;
	if (policy)
		refuse(txt, "the name has several sets, by a routing policy");
	while (!txt->ended && xml_next(&rest, &tag, &text))
		if (str_eq(tag, STR("TTL")))
			set_ttl(txt, text);
	rest = set;
	while (!txt->ended && xml_next(&rest, &tag, &text)) {
		if (!str_eq(tag, STR("Value")))
			continue;
		if (!xml_text(text, value, sizeof(value)))
			refuse(txt, "what is there already is too long to be kept");
		else
			add_record(txt, NULL, value, NULL);
	}
}

/* ── answers ── */

/* Nothing is to be done any more, if it is as it should be. */
static void decide(struct dns_txt *txt)
{
	if (txt->ended)
		return;
	if (txt->found != txt->remove)
		end(txt, DNS_NOCHG);
	else if (!txt->remove && !add_item(txt, txt->value))
		refuse(txt, "what is there already is too long to be kept");
}

static void read_list(struct dns_txt *txt, const struct dns_txt_list *list, json_t *root,
		      struct str body, bool absent)
{
	if (!absent && list->xml)
		read_xml_list(txt, body);
	else if (!absent)
		read_json_list(txt, list, root);
	if (list->value || list->xml || txt->n_ids == 0)
		decide(txt); /* else each has to be asked for */
}

/* One of those whose value the list did not tell. True: another one is to be asked for. */
static bool read_each(struct dns_txt *txt, const char *member, json_t *root)
{
	char value[DNS_TXT_RAW_MAX];

	if (take_member(root, member, value, sizeof(value)) && same_value(value, txt->plain)) {
		txt->found = true;
		if (txt->id)
			memcpy(txt->ids[0], txt->ids[txt->id], DNS_TXT_ID_MAX);
		txt->n_ids = 1;
	} else if (++txt->id < txt->n_ids) {
		return true;
	} else {
		txt->n_ids = 0;
	}
	txt->id = 0;
	decide(txt);
	return false;
}

/* The provider has said which zone it is. */
static void set_zone(struct dns_txt *txt, const char *zone)
{
	struct str sub;

	if (!hostname_copy(txt->zone, str_of(zone)) ||
	    !dns_sub_of(txt->entry.host, txt->zone, &sub) ||
	    !str_copy(txt->text.sub, sizeof(txt->text.sub), sub)) {
		end(txt, DNS_NOHOST);
		return;
	}
	dns_vars_set(&txt->vars, "zone", str_of(txt->zone));
	dns_vars_set(&txt->vars, "sub0", str_of(txt->text.sub));
	dns_vars_set(&txt->vars, "sub", sub.len ? str_of(txt->text.sub) : STR("@"));
}

static void take_all(struct dns_txt *txt, const struct dns_step *step, json_t *root)
{
	for (unsigned i = 0; i < DNS_TAKES_MAX && step->take[i].name && !txt->ended; i++) {
		AUTO(buf_donep) struct buf path = {.max = 2 * HOSTNAME_MAX};
		char *to = txt->taken[txt->n_taken];
		bool several = false,
		     taken = txt->n_taken < ARRAY_LEN(txt->taken) &&
			     dns_template_expand(step->take[i].path, &txt->vars, DNS_ENCODE_NONE,
						 &path, NULL) == 0 &&
			     dns_json_text(dns_json_at(root, buf_str(&path), &several), to,
					   sizeof(txt->taken[0])) &&
			     *to;

		if (several) {
			end(txt, DNS_SEVERAL);
		} else if (!taken) {
			end(txt, DNS_NOHOST);
		} else if (strcmp(step->take[i].name, "zone") == 0) {
			set_zone(txt, to);
		} else if (strcmp(step->take[i].name, "ttl") == 0) {
			set_ttl(txt, str_of(to));
		} else {
			txt->n_taken++;
			dns_vars_set(&txt->vars, step->take[i].name, str_of(to));
		}
	}
}

/* Another record of the same value. */
static bool deletes_another(struct dns_txt *txt, const struct dns_txt_step *s)
{
	bool of_one = dns_template_uses(s->step.url, "record") ||
		      dns_template_uses(s->step.body, "record");

	return (s->when & DNS_TXT_REMOVE) && of_one && ++txt->id < txt->n_ids;
}

void dns_txt_answer(struct dns_txt *txt, const struct dns_answer *answer)
{
	const struct dns_txt_step *s = step_of(txt);
	const struct dns_grammar *grammar = s->step.grammar	? s->step.grammar
					    : txt->row->grammar ? txt->row->grammar
								: txt->entry.provider->grammar;
	bool absent = (s->step.flags & DNS_STEP_FIND) && answer->status == 404, again = false;
	json_t *root;

	dns_reply_read(grammar, answer, &txt->reply);
	dns_reply_hide(&txt->reply, &txt->entry);
	if (!absent && dns_verdict_class(txt->reply.verdict) != DNS_CLASS_OK) {
		txt->ended = true;
		return;
	}
	root = json_loadb(answer->body.at ? answer->body.at : "", answer->body.len, JSON_DECODE_ANY,
			  NULL);
	take_all(txt, &s->step, root);
	if (!txt->ended && (s->list.path || s->list.xml))
		read_list(txt, &s->list, root, answer->body, absent);
	else if (!txt->ended && s->each)
		again = read_each(txt, s->each, root);
	json_decref(root);
	if (!txt->ended && !again && !deletes_another(txt, s))
		next(txt);
}

void dns_txt_fail(struct dns_txt *txt, const char *why)
{
	snprintf(txt->reply.text, sizeof(txt->reply.text), "%s", why);
	end(txt, DNS_NETWORK);
}

/* ── requests ── */

int dns_txt_request(struct dns_txt *txt, struct dns_request *ret, struct err *e)
{
	struct dns_provider row = *txt->entry.provider;
	int r;

	if (txt->row->header) {
		row.header = txt->row->header;
		row.basic = NULL;
	}
	if (txt->id < txt->n_ids)
		dns_vars_set(&txt->vars, "record", str_of(txt->ids[txt->id]));
	dns_vars_set(&txt->vars, "values", buf_len(&txt->values) ? buf_str(&txt->values) : STR(""));
	r = dns_request_make_step(&row, &step_of(txt)->step, &txt->vars, ret, e);
	if (r < 0)
		end(txt, DNS_REFUSED);
	return r;
}

/* ── life ── */

static int check(const struct dns_entry *entry, const struct dns_txt_row *row, const char *name,
		 const char *value, struct err *e)
{
	if (!row)
		return err_set(e, ERR_INVALID, "%s has no interface for TXT records",
			       entry->provider->title);
	if (!hostname_valid(str_of(name)))
		return err_set(e, ERR_INVALID, "this is no name");
	if (!dns_txt_value_valid(str_of(value)))
		return err_set(e, ERR_INVALID, "a TXT value is 1 to %d printable ASCII characters",
			       DNS_TXT_VALUE_MAX);
	if (!dns_txt_serves(entry, name))
		return err_set(e, ERR_INVALID, "%s has no place at %s, for %s", name,
			       entry->provider->title, entry->host);
	return 0;
}

int dns_txt_start(struct dns_txt *txt, const struct dns_entry *entry, const char *name,
		  const char *value, bool remove, struct err *e)
{
	const struct dns_txt_row *row = dns_txt_row_find(entry->provider);
	int r = check(entry, row, name, value, e);

	if (r < 0)
		return r;
	*txt = (struct dns_txt){
		.row = row, .entry = *entry, .remove = remove, .values.max = DNS_EXPANDED_MAX};
	hostname_copy(txt->host, str_of(row->scope == DNS_TXT_SINGLE ? entry->host : name));
	txt->entry.host = txt->host;
	if (row->scope == DNS_TXT_BELOW)
		txt->entry.zone = entry->host;
	str_copy(txt->plain, sizeof(txt->plain), str_of(value));
	if (row->quoted)
		quote(txt->value, txt->plain);
	else
		str_copy(txt->value, sizeof(txt->value), str_of(value));
	r = dns_entry_check(&txt->entry, e);
	if (r < 0)
		return r;
	dns_entry_vars(&txt->entry, DNS_TXT, &(struct dns_target){.txt = txt->value}, &txt->text,
		       &txt->vars);
	if (!applies(txt, step_of(txt)))
		next(txt);
	return 0;
}

void dns_txt_done(struct dns_txt *txt)
{
	buf_done(&txt->values);
	secret_wipe(txt, sizeof(*txt));
}
