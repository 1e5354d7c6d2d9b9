#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/lan.h"
#include "agent/sharing.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/live.h"
#include "net/fdlimit.h"
#include "state/identity.h"

#define LAN_PORT_DEFAULT 8080 /* if it is free */

struct share_options {
	struct common common;
	struct option_texts names, allow;
	const char *host;
	int64_t port;
	bool lan, proxy_protocol, json;
};

static const struct option_row share_rows[] = {
	{"name", 'n', OPTION_TEXTS, offsetof(struct share_options, names), .arg = "NAME",
	 .help = "public host name, or its first part (may be repeated; default: after the folder "
		 "or port); with --lan, a name it is asked for by, besides this machine's own"},
	{"lan", 'l', OPTION_FLAG, offsetof(struct share_options, lan),
	 .help = "for this machine and its network only, without a gateway"},
	{"port", 'p', OPTION_NUMBER, offsetof(struct share_options, port), .arg = "PORT", .min = 1,
	 .max = 65535,
	 .help = "port to listen on with --lan (default: 8080 or a free one), or the public port "
		 "wished for a tcp:// or udp:// service"},
	{"host", 0, OPTION_TEXT, offsetof(struct share_options, host), .arg = "preserve|local|NAME",
	 .help = "Host that a local HTTP server sees (default: preserve)"},
	{"allow", 'a', OPTION_TEXTS, offsetof(struct share_options, allow), .arg = "NETWORK",
	 .help = "serve only visitors from there, such as 203.0.113.7 or 2001:db8::/32 (may be "
		 "repeated)"},
	{"proxy-protocol", 0, OPTION_FLAG, offsetof(struct share_options, proxy_protocol),
	 .help = "tell a tcp:// or https:// server who the visitor is, by a PROXY v2 header"},
	{"json", 0, OPTION_FLAG, offsetof(struct share_options, json),
	 .help = "tell everything in JSON, one object a line"},
};

/* One running share. */
struct share {
	const struct share_options *options; /* borrowed */
	struct wish wish;		     /* owned */
	struct live live;
	struct loop *loop;	 /* owned */
	struct sharing *sharing; /* owned; one of the two */
	struct lan *lan;
	struct places places; /* owned */
	struct tls_identity *identity;
	bool granted; /* it was public already */
	bool stopping;
	int exit_code;
};

/* ── what is to be shared ── */

static int check_folder(struct target *target, const char *typed, struct err *e)
{
	struct stat st;
	char *path;

	if (stat(target->text, &st) < 0 && errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND,
			       "%s: no such folder; or else type PORT, HOST:PORT or a URL", typed);
	path = realpath(target->text, NULL);
	if (!path)
		return err_set_errno(e, ERR_FAILED, "%s", typed);
	free(target->text);
	target->text = path;
	if (stat(path, &st) < 0)
		return err_set_errno(e, ERR_FAILED, "%s", typed);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_FAILED, "%s is a file; share the folder that it is in",
			       typed);
	return 0;
}

static bool has_dot(const char *name)
{
	return strchr(name, '.') != NULL;
}

/* NAME is a host name, or what stands before AGENT.DOMAIN. */
static int add_name(struct wish *wish, const char *typed, const struct joined *joined,
		    struct err *e)
{
	char name[HOSTNAME_MAX], whole[2 * HOSTNAME_MAX];

	snprintf(whole, sizeof(whole), "%s", typed);
	if (!has_dot(typed) && joined)
		snprintf(whole, sizeof(whole), "%.255s.%s.%.190s", typed, joined->agent,
			 joined->domain);
	if (!hostname_copy(name, str_of(whole)))
		return err_set(e, ERR_INVALID, "--name %s: not a host name", typed);
	return link_texts_add(&wish->names, &wish->n_names, str_of(name));
}

static int name_it(struct wish *wish, const struct option_texts *names, const struct joined *joined,
		   struct err *e)
{
	struct str rest = str_of(names->n ? names->at[0] : "");
	int r = 0;

	if (names->n)
		target_make_id(str_split(&rest, '.'), wish->id);
	else
		target_default_id(&wish->target, wish->id);
	for (size_t i = 0; i < names->n && r == 0; i++)
		r = add_name(wish, names->at[i], joined, e);
	return r;
}

static int add_networks(struct wish *wish, const struct option_texts *networks, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < networks->n && r == 0; i++)
		r = wish_allow(wish, str_of(networks->at[i]), e);
	return r < 0 ? err_wrap(e, r, "--allow") : 0;
}

/* Wrong usage is -ERR_INVALID. */
static int make_wish(const struct share_options *o, const char *typed, struct wish *wish,
		     struct err *e)
{
	int r = target_parse(str_of(typed), &wish->target, e);

	if (r < 0)
		return err_wrap(e, r, "%s", typed);
	if (o->host && wish_set_host(wish, str_of(o->host)) < 0)
		return err_set(e, ERR_INVALID, "--host %s: preserve, local or a host name",
			       o->host);
	if (o->host && wish->target.edge != EDGE_HTTP)
		return err_set(e, ERR_INVALID, "--host is for local HTTP servers");
	if (o->lan && wish->target.link == LINK_UDP)
		return err_set(e, ERR_INVALID, "--lan is not for udp:// services");
	if (o->names.n && link_kind_has_port(wish->target.link))
		return err_set(e, ERR_INVALID,
			       "--name: a tcp:// or udp:// service is found by its port");
	if (o->port != OPTION_UNSET && !o->lan && !link_kind_has_port(wish->target.link))
		return err_set(e, ERR_INVALID,
			       "--port is for --lan and for tcp:// and udp:// services");
	if (o->port != OPTION_UNSET)
		wish->port = (uint16_t)o->port;
	if (o->proxy_protocol && wish->target.edge != EDGE_TCP)
		return err_set(e, ERR_INVALID,
			       "--proxy-protocol is for tcp:// and https:// servers");
	wish->proxy_protocol = o->proxy_protocol;
	r = add_networks(wish, &o->allow, e);
	if (r < 0)
		return r;
	return wish->target.edge == EDGE_FILES ? check_folder(&wish->target, typed, e) : 0;
}

/* ── what happens ── */

static void end(struct share *share, const char *why)
{
	live_error(&share->live, why);
	share->exit_code = 1;
	loop_stop(share->loop);
}

static void on_request(void *arg, const struct edge_request *request)
{
	struct share *share = arg;

	live_request(&share->live, request);
}

static void on_reach(void *arg, enum origin_reach reach, const char *why)
{
	struct share *share = arg;

	live_reach(&share->live, reach, why);
}

static void on_link(void *arg, const char *state, const char *why)
{
	struct share *share = arg;

	if (share->stopping)
		return;
	if (strcmp(state, link_dial_state_name(LINK_DIAL_REFUSED)) == 0)
		end(share, why);
	else
		live_link(&share->live, state, why);
}

static void on_grant(void *arg, const struct link_grant *grant)
{
	struct share *share = arg;
	char text[1024], escaped[LOG_TEXT_MAX];

	if (grant->granted) {
		share->granted = true;
		live_urls(&share->live, (const char *const *)grant->urls, grant->n_urls);
		return;
	}
	snprintf(text, sizeof(text), "the gateway does not make it public: %s",
		 log_text(escaped, str_of(*grant->text ? grant->text : grant->reason)));
	if (share->granted)
		live_warning(&share->live, text);
	else
		end(share, text);
}

static void on_end(void *arg, const struct err *why)
{
	end(arg, why->text);
}

static const struct sharing_events sharing_events = {
	.on_grant = on_grant,
	.on_link = on_link,
	.on_reach = on_reach,
	.on_request = on_request,
	.on_end = on_end,
};

static void on_lan_reach(void *arg, struct origin *origin)
{
	on_reach(arg, origin_reach(origin), origin_why(origin));
}

static const struct origin_events lan_events = {.on_request = on_request, .on_reach = on_lan_reach};

/* ── signals ── */

static void on_stopped(void *arg)
{
	struct share *share = arg;

	loop_stop(share->loop);
}

static void on_terminate(void *arg)
{
	struct share *share = arg;

	if (share->stopping || !share->sharing) {
		loop_stop(share->loop);
		return;
	}
	share->stopping = true;
	sharing_stop(share->sharing, on_stopped, share);
}

static void on_jump(void *arg, usec_t span)
{
	struct share *share = arg;

	if (share->sharing)
		sharing_on_jump(share->sharing, span);
}

static int make_loop(struct share *share, struct err *e)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	int r;

	fdlimit_raise();
	signal(SIGPIPE, SIG_IGN); /* who reads our lines may leave; visitors are served on */
	r = loop_new(&share->loop, e);
	for (size_t i = 0; i < ARRAY_LEN(signals) && r == 0; i++)
		r = loop_on_signal(share->loop, signals[i], on_terminate, share, e);
	if (r == 0)
		loop_on_jump(share->loop, on_jump, share);
	return r;
}

/* ── the two ways ── */

static int run_lan(struct share *share, struct err *e)
{
	const struct share_options *o = share->options;
	uint16_t port = o->port == OPTION_UNSET ? LAN_PORT_DEFAULT : (uint16_t)o->port;
	const char *urls[LAN_URLS_MAX];
	int r;

	r = name_it(&share->wish, &o->names, NULL, e);
	if (r < 0)
		return r;
	strcpy(share->wish.id, "lan");
	r = lan_new(share->loop, &share->wish, port, &lan_events, share, &share->lan, e);
	if (r == -ERR_EXISTS && o->port == OPTION_UNSET)
		r = lan_new(share->loop, &share->wish, 0, &lan_events, share, &share->lan, e);
	if (r == -ERR_EXISTS)
		return err_wrap(e, r, "choose another port with --port");
	if (r == -ERR_DENIED)
		return err_wrap(e, r, "choose a port from 1024 on with --port");
	if (r < 0)
		return r;
	live_urls(&share->live, urls, lan_urls(share->lan, urls));
	loop_run(share->loop);
	return 0;
}

static int run_sharing(struct share *share, const struct joined *joined,
		       const struct agent_config *config, struct err *e)
{
	struct sharing_setup setup = {
		.agent = common_setup(&share->places, joined, share->identity, config),
		.socket = share->places.socket,
		.folder = share->places.folder,
		.wish = &share->wish,
	};
	int r = sharing_new(share->loop, &setup, &sharing_events, share, &share->sharing, e);

	if (r == 0)
		loop_run(share->loop);
	return r;
}

/* What is damaged on this machine was not typed wrong. */
static int not_usage(int r)
{
	return r == -ERR_INVALID ? -ERR_FAILED : r;
}

static int run_gateway(struct share *share, const struct agent_config *config, struct err *e)
{
	struct joined joined;
	int r = places_find(&share->options->common, &share->places, e);

	if (r < 0)
		return r;
	r = common_joined(&share->places, &joined, e);
	if (r == -ERR_NOT_FOUND)
		strncat(e->text, ". Or share in your own network only, with --lan",
			sizeof(e->text) - strlen(e->text) - 1);
	if (r < 0)
		return not_usage(r);
	r = name_it(&share->wish, &share->options->names, &joined, e);
	if (r < 0)
		return r;
	r = places_prepare(&share->places, e);
	if (r == 0)
		r = identity_load(share->places.state, JOINED_KEY_FILE, &share->identity, NULL, e);
	return not_usage(r < 0 ? r : run_sharing(share, &joined, config, e));
}

static void share_done(struct share *share)
{
	sharing_free(share->sharing);
	lan_free(share->lan);
	live_done(&share->live);
	loop_free(share->loop);
	tls_identity_free(share->identity);
	wish_done(&share->wish);
	places_done(&share->places);
}

static int share_it(struct share *share, const char *typed, struct err *e)
{
	AUTO(freep) char *path = NULL;
	struct agent_config config;
	const char *warning;
	int r = make_wish(share->options, typed, &share->wish, e);

	if (r < 0)
		return r;
	share->live = (struct live){
		.json = share->options->json, .id = share->wish.id, .target = &share->wish.target};
	r = make_loop(share, e);
	if (r == 0)
		r = live_start(&share->live, share->loop, e);
	if (r < 0)
		return r;
	warning = target_warning(&share->wish.target);
	if (warning)
		live_warning(&share->live, warning);
	if (share->options->lan)
		return run_lan(share, e);
	r = common_config(&share->options->common, &config, &path, e);
	if (r < 0)
		return r;
	r = run_gateway(share, &config, e);
	agent_config_done(&config);
	return r;
}

static int share_run(const void *options, const struct option_args *args)
{
	const struct share_options *o = options;
	struct share share = {.options = o};
	struct err e = {0};
	int r;

	log_set_level(o->common.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	r = share_it(&share, args->at[0], &e);
	if (r < 0) {
		share.live.json = o->json;
		live_error(&share.live, e.text);
		share.exit_code = r == -ERR_INVALID ? 2 : 1;
	}
	share_done(&share);
	return share.exit_code;
}

const struct command command_share = {
	.name = "share",
	.args = "FOLDER|PORT|HOST:PORT|URL",
	.min_args = 1,
	.max_args = 1,
	.summary = "put a folder or a local service on the internet",
	.details = "Shares a folder, a local HTTP server (PORT, HOST:PORT, http://HOST:PORT, "
		   "http://unix:/PATH), a server with TLS of its own (https://HOST:PORT) or any "
		   "TCP or UDP server (tcp://HOST:PORT, udp://HOST:PORT), prints its public "
		   "address and then every request, until Ctrl-C. Needs a gateway (homeport join), "
		   "or --lan. Beside a "
		   "running homeport up it disturbs nothing.",
	.example = "homeport share ./site\n"
		   "homeport share 8000 --name blog\n"
		   "homeport share tcp://localhost:22\n"
		   "homeport share udp://localhost:51820\n"
		   "homeport share ./photos --lan",
	OPTION_ROWS(share_rows, struct share_options),
	.run = share_run,
};
