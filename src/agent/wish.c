#include "agent/wish.h"

void wish_names_done(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

int wish_names_copy(char ***to, size_t *n_to, char *const *from, size_t n_from)
{
	char **names = NULL;
	size_t n = 0;

	for (size_t i = 0; i < n_from; i++) {
		if (link_texts_add(&names, &n, str_of(from[i])) < 0) {
			wish_names_done(names, n);
			return -ERR_NOMEM;
		}
	}
	*to = names;
	*n_to = n;
	return 0;
}

bool wish_names_equal(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

json_t *wish_names_json(char *const *names, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n && array; i++)
		json_array_append_new(array, json_string(names[i]));
	return array;
}

void wish_done(struct wish *wish)
{
	target_done(&wish->target);
	wish_names_done(wish->names, wish->n_names);
	free(wish->allow);
	*wish = (struct wish){0};
}

int wish_copy(struct wish *to, const struct wish *from)
{
	struct wish copy = *from;

	copy.target = (struct target){0};
	copy.names = NULL;
	copy.n_names = 0;
	copy.allow = from->n_allow ? malloc(from->n_allow * sizeof(*copy.allow)) : NULL;
	if (copy.allow)
		memcpy(copy.allow, from->allow, from->n_allow * sizeof(*copy.allow));
	if ((from->n_allow && !copy.allow) || target_copy(&copy.target, &from->target) < 0 ||
	    wish_names_copy(&copy.names, &copy.n_names, from->names, from->n_names) < 0) {
		wish_done(&copy);
		return -ERR_NOMEM;
	}
	*to = copy;
	return 0;
}

static bool allow_equal(const struct wish *a, const struct wish *b)
{
	if (a->n_allow != b->n_allow)
		return false;
	for (size_t i = 0; i < a->n_allow; i++)
		if (!cidr_equal(&a->allow[i], &b->allow[i]))
			return false;
	return true;
}

bool wish_equal(const struct wish *a, const struct wish *b)
{
	return strcmp(a->id, b->id) == 0 && target_equal(&a->target, &b->target) &&
	       a->host == b->host && strcmp(a->host_name, b->host_name) == 0 &&
	       a->port == b->port && a->proxy_protocol == b->proxy_protocol &&
	       a->local_names == b->local_names && a->rate == b->rate && allow_equal(a, b) &&
	       wish_names_equal(a->names, a->n_names, b->names, b->n_names);
}

int wish_allow(struct wish *wish, struct str network, struct err *e)
{
	struct cidr cidr, *list;
	int r = cidr_parse(network, &cidr, e);

	if (r < 0)
		return r;
	if (wish->n_allow >= WISH_ALLOW_MAX)
		return err_set(e, ERR_LIMIT, "more than %d networks", WISH_ALLOW_MAX);
	list = realloc(wish->allow, (wish->n_allow + 1) * sizeof(*list));
	if (!list)
		return err_set(e, ERR_NOMEM, "networks");
	list[wish->n_allow++] = cidr;
	wish->allow = list;
	return 0;
}

json_t *wish_allow_json(const struct wish *wish)
{
	json_t *array = json_array();
	char text[CIDR_TEXT_MAX];

	for (size_t i = 0; i < wish->n_allow && array; i++)
		json_array_append_new(array, json_string(cidr_format(text, &wish->allow[i])));
	return array;
}

int wish_set_host(struct wish *wish, struct str text)
{
	wish->host_name[0] = '\0';
	if (str_eq(text, STR("preserve"))) {
		wish->host = EDGE_HOST_PRESERVE;
		return 0;
	}
	if (str_eq(text, STR("local"))) {
		wish->host = EDGE_HOST_LOCAL;
		return 0;
	}
	if (!hostname_copy(wish->host_name, text))
		return -ERR_INVALID;
	wish->host = EDGE_HOST_NAME;
	return 0;
}
