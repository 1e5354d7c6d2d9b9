#include <stdio.h>

#include "agent/control.h"
#include "base/secret.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "net/ctl.h"
#include "state/identity.h"

struct join_options {
	struct common common;
	bool json;
};

static const struct option_row join_rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct join_options, json),
	 .help = "print JSON, for programs"},
};

/* The pairing under way. */
struct pairing {
	struct loop *loop; /* owned */
	const struct link_code *code;
	const struct places *places;
	const struct tls_identity *identity;
	bool json;
	bool new_key; /* the identity is the one in JOINED_NEW_KEY_FILE */
	int r;
	struct err e;
};

/* ── the code ── */

static int read_code(struct link_code *ret, struct err *e)
{
	char line[LINK_CODE_TEXT_MAX + 64];
	int r;

	if (isatty(STDIN_FILENO))
		fprintf(stderr, "Paste the code that \"homeport-gateway invite\" printed: ");
	if (!fgets(line, sizeof(line), stdin))
		return err_set(e, ERR_INVALID, "no code given");
	r = link_code_parse(str_of(line), ret, e);
	secret_wipe(line, sizeof(line));
	return r;
}

/* ── what came of it ── */

static void print_names(const struct link_joined *joined)
{
	for (size_t i = 0; i < joined->n_names; i++)
		printf("%-10s %s\n", i ? "" : "names", joined->names[i]);
	printf("%-10s %severy name below %s.%s\n", joined->n_names ? "" : "names",
	       joined->n_names ? "and " : "", joined->agent, joined->domain);
}

static void print_for_person(const struct pairing *p, const struct link_joined *joined)
{
	char key[TLS_KEY_HASH_TEXT_MAX];

	printf("joined     the gateway %s:%u\n", p->code->host, p->code->port);
	printf("as         %s\n", joined->agent);
	printf("this key   %s\n", tls_key_hash_format(key, tls_identity_hash(p->identity)));
	printf("its key    %s\n", tls_key_hash_format(key, &p->code->gateway));
	print_names(joined);
	printf("next       homeport share ./folder       or a port: homeport share 8000\n");
}

static int print_json(const struct pairing *p, const struct link_joined *joined)
{
	char key[TLS_KEY_HASH_TEXT_MAX], gateway[TLS_KEY_HASH_TEXT_MAX];
	json_t *object;

	tls_key_hash_format(key, tls_identity_hash(p->identity));
	tls_key_hash_format(gateway, &p->code->gateway);
	object = json_pack("{s:s s:i s:s s:s s:o s:s s:s}", "gateway", p->code->host, "port",
			   (int)p->code->port, "agent", joined->agent, "domain", joined->domain,
			   "names", wish_names_json(joined->names, joined->n_names), "key", key,
			   "gateway_key", gateway);
	if (!object)
		return -ERR_NOMEM;
	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(object);
	return 0;
}

static int store(const struct pairing *p, const struct link_joined *joined, struct err *e)
{
	struct joined j = {.port = p->code->port, .gateway = p->code->gateway};
	int r = p->new_key ? joined_take_new_key(p->places->state, e) : 0;

	if (r < 0)
		return r;
	str_copy(j.host, sizeof(j.host), str_of(p->code->host));
	str_copy(j.agent, sizeof(j.agent), str_of(joined->agent));
	str_copy(j.domain, sizeof(j.domain), str_of(joined->domain));
	return joined_store(p->places->state, &j, e);
}

static void on_paired(void *arg, int r, const struct link_joined *joined, const struct err *e)
{
	struct pairing *p = arg;

	if (r == 0)
		r = store(p, joined, &p->e);
	else
		p->e = *e;
	if (r == 0 && p->json)
		r = print_json(p, joined);
	else if (r == 0)
		print_for_person(p, joined);
	p->r = r;
	loop_stop(p->loop);
}

static int pair(struct pairing *p)
{
	struct link_pair *pair = NULL;
	int r = loop_new(&p->loop, &p->e);

	if (r < 0)
		return r;
	r = link_pair_start(p->loop, p->code, p->identity, on_paired, p, &pair, &p->e);
	if (r == 0) {
		loop_run(p->loop);
		r = p->r;
	}
	loop_free(p->loop);
	return r;
}

/* An agent that runs already learns of the gateway now, not at its next start. */
static void tell_agent(const struct places *places)
{
	json_t *answer = NULL, *request = json_pack("{s:s}", "command", "reload");

	if (request && ctl_ask(places->socket, request, &answer, NULL) == 0)
		fprintf(stderr, "The homeport up that runs here uses it from now on.\n");
	json_decref(answer);
	json_decref(request);
}

/* The gateway has revoked the key we have: it may take another one with the same code. The old one
 * stays until it did. */
static int pair_with_new_key(struct pairing *p)
{
	struct tls_identity *identity = NULL;
	int r = identity_load(p->places->state, JOINED_NEW_KEY_FILE, &identity, NULL, &p->e);

	if (r < 0)
		return r;
	p->identity = identity;
	p->new_key = true;
	r = pair(p);
	p->identity = NULL;
	tls_identity_free(identity);
	return r;
}

static int join(const struct join_options *o, struct places *places, const struct link_code *code,
		struct err *e)
{
	struct pairing p = {.code = code, .places = places, .json = o->json};
	struct tls_identity *identity = NULL;
	int r = places_prepare(places, e);

	if (r == 0)
		r = identity_load(places->state, JOINED_KEY_FILE, &identity, NULL, e);
	if (r < 0)
		return r;
	p.identity = identity;
	r = pair(&p);
	if (r == -ERR_EXISTS)
		r = pair_with_new_key(&p);
	if (r < 0)
		*e = p.e;
	else
		tell_agent(places);
	tls_identity_free(identity);
	return r;
}

static int join_run(const void *options, const struct option_args *args)
{
	const struct join_options *o = options;
	AUTO(places_done) struct places places = {0};
	struct link_code code;
	struct err e = {0};
	int r;

	if (args->n) {
		complain("join", "the code is a secret, and others on this machine can read what "
				 "is on a command line: type \"homeport join\" and paste it then, "
				 "or pipe it in");
		return 2;
	}
	r = places_find(&o->common, &places, &e);
	if (r == 0)
		r = read_code(&code, &e);
	if (r == 0)
		r = join(o, &places, &code, &e);
	secret_wipe(&code, sizeof(code));
	return r < 0 ? complain("join", "%s", e.text) : 0;
}

const struct command command_join = {
	.name = "join",
	.args = "",
	.max_args = 1, /* to say why not */
	.summary = "pair this machine with a gateway",
	.details = "Asks for the pairing code that \"homeport-gateway invite\" printed on the "
		   "gateway, or reads it from standard input. The code is good for one machine and "
		   "24 hours; what stays is a key of this machine, kept in the state folder.",
	.example = "homeport join\n"
		   "ssh gateway homeport-gateway invite laptop | homeport join",
	OPTION_ROWS(join_rows, struct join_options),
	.run = join_run,
};
