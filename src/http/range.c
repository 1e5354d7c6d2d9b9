#include "http/range.h"

#include "http/date.h"

/* The next entity tag of a list: its opaque part with quotes. False: no more, or bad syntax, which
 * ends the list. */
static bool next_etag(struct str *list, struct str *ret_tag, bool *ret_weak)
{
	size_t i = 0, start;

	while (i < list->len && (list->at[i] == ' ' || list->at[i] == '\t' || list->at[i] == ','))
		i++;
	*ret_weak = list->len - i >= 2 && memcmp(list->at + i, "W/", 2) == 0;
	if (*ret_weak)
		i += 2;
	if (i >= list->len || list->at[i] != '"')
		return false;
	for (start = i++; i < list->len && list->at[i] != '"'; i++)
		;
	if (i >= list->len)
		return false;
	*ret_tag = str_n(list->at + start, i + 1 - start);
	*list = str_n(list->at + i + 1, list->len - i - 1);
	return true;
}

static bool list_matches(struct str list, struct str etag, bool weak_counts)
{
	struct str tag;
	bool weak;

	if (str_eq(list, STR("*")))
		return true;
	while (next_etag(&list, &tag, &weak))
		if ((weak_counts || !weak) && str_eq(tag, etag))
			return true;
	return false;
}

/* 1: one of the fields of that name matches; 0: none does; -1: there is no such field. */
static int match_fields(const struct httphead *head, struct str name, struct str etag,
			bool weak_counts)
{
	int found = -1;

	for (size_t i = 0; i < head->n_fields; i++) {
		if (!str_eq_nocase(head->fields[i].name, name))
			continue;
		found = MAX(found, 0);
		if (list_matches(head->fields[i].value, etag, weak_counts))
			return 1;
	}
	return found;
}

static bool field_date(const struct httphead *head, struct str name, int64_t *ret_s)
{
	struct str value = httphead_field(head, name);

	return value.at && http_date_parse(value, ret_s);
}

enum http_verdict http_precondition(const struct httphead *head, const struct http_validators *v)
{
	int match = match_fields(head, STR("if-match"), v->etag, false);
	int none_match = match_fields(head, STR("if-none-match"), v->etag, true);
	int64_t date;

	if (match == 0)
		return HTTP_PRECONDITION_FAILED;
	if (match < 0 && field_date(head, STR("if-unmodified-since"), &date) &&
	    v->modified_s > date)
		return HTTP_PRECONDITION_FAILED;
	if (none_match == 1)
		return HTTP_NOT_MODIFIED;
	if (none_match < 0 && field_date(head, STR("if-modified-since"), &date) &&
	    v->modified_s <= date)
		return HTTP_NOT_MODIFIED;
	return HTTP_SEND;
}

/* RFC 9110 §13.1.5: an entity tag compared strongly, or exactly the date we gave, if that is
 * strong: what was changed just now may change again within the same second (§8.8.2.2). */
static bool if_range_holds(const struct httphead *head, const struct http_validators *v)
{
	struct str value = httphead_field(head, STR("if-range"));
	int64_t date;

	if (!value.at)
		return true;
	if (value.len && (value.at[0] == '"' || value.at[0] == 'W'))
		return str_eq(value, v->etag);
	return http_date_parse(value, &date) && date == v->modified_s &&
	       v->modified_s <= v->now_s - HTTP_RANGE_DATE_STRONG_S;
}

/* "first-last", "first-", "-suffix" behind "bytes=". False: bad syntax. first > last comes out for
 * what cannot be satisfied. */
static bool parse_spec(struct str spec, uint64_t size, uint64_t *ret_first, uint64_t *ret_last)
{
	struct str rest = str_trim(spec), first;
	bool has_dash = str_find(rest, '-') >= 0;

	first = str_split(&rest, '-');
	if (!has_dash || (first.len == 0 && rest.len == 0))
		return false;
	*ret_last = size - 1;
	if (first.len == 0) { /* the last n bytes */
		uint64_t n;

		if (!str_to_u64(rest, UINT64_MAX, &n))
			return false;
		*ret_first = n == 0 ? size : size - MIN(n, size);
		return true;
	}
	if (!str_to_u64(first, UINT64_MAX, ret_first))
		return false;
	if (rest.len == 0)
		return true;
	if (!str_to_u64(rest, UINT64_MAX, ret_last) || *ret_last < *ret_first)
		return false;
	*ret_last = MIN(*ret_last, size - 1);
	return true;
}

enum http_range http_range(const struct httphead *head, const struct http_validators *v,
			   uint64_t size, uint64_t *ret_first, uint64_t *ret_last)
{
	struct str value = httphead_field(head, STR("range")), rest = value, unit;
	uint64_t first, last;

	if (!value.at || !str_eq(head->method, STR("GET")))
		return HTTP_RANGE_WHOLE;
	unit = str_split(&rest, '=');
	if (!str_eq_nocase(unit, STR("bytes")) || str_find(rest, ',') >= 0 ||
	    !if_range_holds(head, v))
		return HTTP_RANGE_WHOLE;
	if (size == 0) /* no byte of it can be asked for, but nothing is also all there is */
		return HTTP_RANGE_WHOLE;
	if (!parse_spec(rest, size, &first, &last))
		return HTTP_RANGE_WHOLE;
	if (first >= size)
		return HTTP_RANGE_UNSATISFIABLE;
	*ret_first = first;
	*ret_last = last;
	return HTTP_RANGE_PART;
}
