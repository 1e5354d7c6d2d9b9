#include <signal.h>
#include <stdio.h>

#include "agent/control.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "net/fdlimit.h"
#include "net/ctl.h"
#include "net/httpc.h"
#include "net/notify.h"
#include "state/identity.h"
#include "state/lock.h"

#define UP_GRACE	   (30 * USEC_PER_S) /* visitors' time to finish when it stops */
#define UP_TAKE_OVER_PAUSE (20 * USEC_PER_MS)
#define UP_TAKE_OVER_TRIES 100 /* 2 s for a share to give up the link */

struct up_options {
	struct common common;
};

/* The daemon. */
struct up {
	const struct common *common; /* borrowed */
	struct places places;	     /* owned */
	int lock;		     /* owned */
	struct tls_identity *identity;
	struct tls_identity *old_identity; /* of the link before: it may still be ending */
	struct agent_config config;	   /* in force */
	struct joined joined;		   /* likewise */
	struct loop *loop;
	struct httpc *httpc;
	struct uplink_watch *uplink; /* NULL: neither doors nor names so far */
	struct agent *agent;	     /* NULL: alone */
	struct control *control;
	struct doors *doors; /* NULL: none were ever asked for */
	struct doors_watcher router;
	struct ipaddr outside; /* the router's, as it said last; family 0: it did not */
	struct names *names;   /* NULL: none are configured */
	struct hooks hooks;
	struct webhooks *webhooks;
	struct timer pulse; /* of the watchdog */
	bool alone;	    /* no gateway is joined: doors only */
	bool stopping;
	unsigned ending; /* what has not come to its end yet */
};

/* ── the service manager ── */

/* systemctl status shows it. */
#define WORK_TEXT_MAX 96

/* "2 services, 1 door and 3 names"; what there is none of is left out. */
static const char *work_of(char text[static WORK_TEXT_MAX], const struct agent_config *config)
{
	const struct {
		size_t n;
		const char *one;
	} kinds[] = {{config->n_wishes, "service"},
		     {config->n_doors, "door"},
		     {config->n_names, "name"}};
	size_t left = 0, len = 0;

	strcpy(text, "nothing to do");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		left += kinds[i].n > 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!kinds[i].n)
			continue;
		left--;
		len += (size_t)snprintf(text + len, WORK_TEXT_MAX - len, "%zu %s%s%s", kinds[i].n,
					kinds[i].one, kinds[i].n == 1 ? "" : "s",
					left > 1    ? ", "
					: left == 1 ? " and "
						    : "");
	}
	return text;
}

static void tell_status(const struct up *up)
{
	char work[WORK_TEXT_MAX];
	char address[HOSTNAME_MAX + 8];
	struct link_dial_info link;

	if (up->alone) {
		notify("STATUS=%s; no gateway", work_of(work, &up->config));
		return;
	}
	agent_link(up->agent, &link);
	agent_address(up->agent, address);
	notify("STATUS=%s; link to %s: %s%s%s", work_of(work, &up->config), address,
	       link_dial_state_name(link.state), *link.why ? ": " : "", link.why);
}

/* The loop turns, and the link is up or being dialled: an outage is no reason to be restarted, a
 * link that nobody works on is. */
static void on_pulse(void *arg)
{
	struct link_dial_info link;
	struct up *up = arg;

	if (!up->alone)
		agent_link(up->agent, &link);
	if (up->alone || link.at_work)
		notify("WATCHDOG=1");
	else
		log_error("nothing works on the link any more; waiting to be restarted");
	timer_start(&up->pulse, notify_watchdog());
}

static void start_pulse(struct up *up)
{
	timer_init(&up->pulse, up->loop, on_pulse, up);
	if (notify_watchdog())
		timer_start(&up->pulse, 0);
}

/* ── starting and reloading ── */

static void warn_of_trust(const struct agent_config *config)
{
	for (size_t i = 0; i < config->n_wishes; i++) {
		const char *warning = target_warning(&config->wishes[i].target);

		if (warning)
			log_warning("service %s: %s", config->wishes[i].id, warning);
	}
}

static bool same_gateway(const struct agent_config *a, const struct agent_config *b)
{
	return a->gateway.carriers == b->gateway.carriers &&
	       a->gateway.address.set == b->gateway.address.set &&
	       a->gateway.address.port == b->gateway.address.port &&
	       strcmp(a->gateway.address.host, b->gateway.address.host) == 0;
}

static bool same_joined(const struct joined *a, const struct joined *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0 &&
	       memcmp(&a->gateway, &b->gateway, sizeof(a->gateway)) == 0;
}

/* Whether the link must be dialled anew for it: visitors do not survive that. */
static bool must_rejoin(const struct up *up, const struct agent_config *config,
			const struct joined *joined)
{
	struct link_dial_info link;

	agent_link(up->agent, &link);
	return link.state == LINK_DIAL_REFUSED || !same_gateway(&up->config, config) ||
	       !same_joined(agent_joined(up->agent), joined);
}

/* The key is another one when it was revoked and "homeport join" made the next. */
static int rejoin(struct up *up, struct agent_setup *setup, struct err *e)
{
	struct tls_identity *identity = NULL;
	int r = identity_load(up->places.state, JOINED_KEY_FILE, &identity, NULL, e);

	if (r < 0)
		return r;
	setup->identity = identity;
	r = agent_rejoin(up->agent, setup, e);
	if (agent_identity(up->agent) != identity) {
		tls_identity_free(identity);
		return r;
	}
	tls_identity_free(up->old_identity);
	up->old_identity = up->identity;
	up->identity = identity;
	return r;
}

/* ── the addresses of this machine ── */

static void on_uplink(void *arg)
{
	struct up *up = arg;

	if (up->doors)
		doors_look(up->doors);
	if (up->names)
		names_look(up->names);
}

/* Watched for doors and names, once there are any. */
static int have_uplink(struct up *up, struct err *e)
{
	return up->uplink ? 0 : uplink_watch_new(up->loop, NULL, on_uplink, up, &up->uplink, e);
}

/* ── names ── */

static struct names *names_now(void *arg)
{
	const struct up *up = arg;

	return up->names;
}

/* What the gateway sees; it says so at each new link. */
static void tell_names(struct up *up)
{
	struct link_dial_info link;

	if (!up->names || up->alone)
		return;
	agent_link(up->agent, &link);
	for (int family = 4; family <= 6; family += 2) {
		struct ipaddr none = {0};
		bool sees = link.state == LINK_DIAL_UP && link.observed.family == family;

		names_gateway(up->names, family, sees ? &link.observed : &none, &link.local);
	}
}

/* What the router says its address outside is. */
static void on_router(void *arg)
{
	struct ipaddr outside;
	struct up *up = arg;
	const struct router *router;
	bool told;

	if (!up->doors)
		return;
	told = map_outside(doors_map(up->doors), &outside) != MAP_NONE;
	if (outside.family && up->outside.family && !ipaddr_same_host(&outside, &up->outside) &&
	    up->agent)
		agent_ask_link(up->agent); /* it cannot have survived that */
	if (outside.family)
		up->outside = outside;
	if (!up->names)
		return;
	router = map_router(doors_map(up->doors), 4);
	if (told || !router || router_decided(router)) /* else it may still say */
		names_router(up->names, told, &outside);
}

static int have_doors(void *arg, struct doors **ret_doors, struct err *e);

static bool ask_router(void *arg)
{
	struct doors *doors;
	struct err e = {0};

	if (have_doors(arg, &doors, &e) == 0)
		return doors_ask_router(doors);
	log_debug("the router is not asked for the address outside: %s", e.text);
	return false;
}

/* Anew: what is remembered is on disk. */
static void set_names(struct up *up)
{
	struct names_setup setup = {.httpc = up->httpc,
				    .hooks = &up->hooks,
				    .webhooks = up->webhooks,
				    .state = up->places.state,
				    .configured = up->config.names,
				    .n = up->config.n_names,
				    .others = &up->config.observe,
				    .ask_router = ask_router,
				    .arg = up};
	struct err e = {0};
	int r = 0;

	names_free(TAKE(up->names));
	if (setup.n)
		r = have_uplink(up, &e);
	setup.uplink = up->uplink;
	if (setup.n && r == 0)
		r = names_new(up->loop, &setup, &up->names, &e);
	if (r < 0)
		log_error("names are not kept: %s", e.text);
	tell_names(up);
	on_router(up);
}

/* ── doors ── */

/* They cost a router's attention: made when the first is wanted. */
static int have_doors(void *arg, struct doors **ret_doors, struct err *e)
{
	struct up *up = arg;
	struct doors_setup setup = {.httpc = up->httpc, .state = up->places.state};
	int r;

	if (!up->doors) {
		r = have_uplink(up, e);
		setup.uplink = up->uplink;
		if (r == 0)
			r = doors_new(up->loop, &setup, &up->doors, e);
		if (r < 0)
			return r;
		up->router = (struct doors_watcher){.on_router = on_router, .arg = up};
		doors_watch(up->doors, &up->router);
	}
	if (ret_doors)
		*ret_doors = up->doors;
	return 0;
}

static struct doors *doors_now(void *arg)
{
	const struct up *up = arg;

	return up->doors;
}

static void note_door(void *arg, const struct ledger_entry *entry, pid_t holder)
{
	bool *any = arg;

	*any |= !holder;
}

/* Those of the configuration; and what an earlier process left open is to be closed. */
static void set_doors(struct up *up, const struct agent_config *config)
{
	bool left = false;
	struct err e = {0};

	if (!up->doors && !config->n_doors)
		ledger_look(up->places.state, note_door, &left);
	if (!up->doors && !config->n_doors && !left)
		return;
	if (have_doors(up, NULL, &e) < 0)
		log_error("no doors: %s", e.text);
	else
		doors_set_wishes(up->doors, config->doors_wished, config->n_doors);
}

static int apply(struct up *up, const struct agent_config *config, const struct joined *joined,
		 struct err *e)
{
	struct agent_setup setup = common_setup(&up->places, joined, up->identity, config);
	int r = 0;

	if (must_rejoin(up, config, joined))
		r = rejoin(up, &setup, e);
	if (r == 0)
		agent_set_rate(up->agent, setup.rate);
	return r < 0 ? r : agent_set_wishes(up->agent, config->wishes, config->n_wishes, e);
}

/* All of it, or nothing. */
static int read_again(struct up *up, struct err *e)
{
	AUTO(freep) char *path = NULL;
	struct agent_config config;
	struct joined joined;
	int r = common_config(up->common, &config, &path, e);

	if (r < 0)
		return r;
	if (up->alone && config.n_wishes)
		r = err_set(e, ERR_FAILED,
			    "there are services now, and no gateway was joined when homeport "
			    "started: join one, and start it again");
	if (r == 0 && !up->alone)
		r = common_joined(&up->places, &joined, e);
	if (r == 0 && !up->alone)
		r = apply(up, &config, &joined, e);
	if (r < 0) {
		agent_config_done(&config);
		return r;
	}
	names_free(TAKE(up->names)); /* their text is the old configuration's */
	agent_config_done(&up->config);
	agent_config_move(&up->config, &config);
	set_doors(up, &up->config);
	set_names(up);
	log_info("the configuration was read again: %zu services, %zu doors, %zu names",
		 up->config.n_wishes, up->config.n_doors, up->config.n_names);
	warn_of_trust(&up->config);
	return 0;
}

static int reload(void *arg, struct err *e)
{
	struct up *up = arg;
	int r;

	notify_reloading();
	r = read_again(up, e);
	notify("READY=1");
	tell_status(up);
	return r;
}

static void on_hangup(void *arg)
{
	struct up *up = arg;
	struct err e = {0};

	if (!up->stopping && reload(up, &e) < 0)
		log_error("the configuration stays as it was: %s", e.text);
}

/* ── stopping ── */

static void on_stopped(void *arg)
{
	struct up *up = arg;

	if (--up->ending == 0)
		loop_stop(up->loop);
}

static void on_terminate(void *arg)
{
	struct up *up = arg;
	struct link_dial_info link;

	if (up->stopping) {
		loop_stop(up->loop);
		return;
	}
	up->stopping = true;
	notify("STOPPING=1");
	up->ending = 1;
	control_free(TAKE(up->control));
	if (up->doors) {
		up->ending++;
		doors_stop(up->doors, on_stopped, up);
	}
	if (up->alone) {
		on_stopped(up);
		return;
	}
	agent_link(up->agent, &link);
	if (link.visitors)
		log_info("stopping; %u visitors have 30 s to finish", link.visitors);
	agent_stop(up->agent, UP_GRACE, on_stopped, up);
}

static void on_jump(void *arg, usec_t span)
{
	struct up *up = arg;

	if (up->agent)
		agent_on_jump(up->agent, span);
	if (up->uplink)
		uplink_watch_look(up->uplink);
	if (up->doors)
		doors_wake(up->doors);
	if (up->names)
		names_wake(up->names);
}

/* ── the daemon ── */

static void on_link(void *arg)
{
	struct up *up = arg;

	if (up->stopping)
		return;
	tell_status(up);
	tell_names(up);
}

static const struct agent_events agent_events = {.on_link = on_link};

static int handle_signals(struct up *up, struct err *e)
{
	int r = loop_on_signal(up->loop, SIGHUP, on_hangup, up, e);

	if (r == 0)
		r = loop_on_signal(up->loop, SIGTERM, on_terminate, up, e);
	if (r == 0)
		r = loop_on_signal(up->loop, SIGINT, on_terminate, up, e);
	signal(SIGPIPE, SIG_IGN); /* who reads the log may leave */
	return r;
}

static int start_agent(struct up *up, struct err *e)
{
	struct agent_setup setup;
	int r = identity_load(up->places.state, JOINED_KEY_FILE, &up->identity, NULL, e);

	if (r < 0)
		return r;
	setup = common_setup(&up->places, &up->joined, up->identity, &up->config);
	return agent_new(up->loop, &setup, &agent_events, up, &up->agent, e);
}

static int start(struct up *up, struct err *e)
{
	const struct control_owner owner = {.reload = reload,
					    .doors = have_doors,
					    .doors_now = doors_now,
					    .names = names_now,
					    .arg = up};
	int r = loop_new(&up->loop, e);

	if (r == 0)
		r = httpc_new(up->loop, &up->httpc, e);
	if (r == 0)
		r = webhooks_new(up->loop, up->httpc, &up->webhooks, e);
	if (r == 0 && !up->alone)
		r = start_agent(up, e);
	if (r == 0)
		r = handle_signals(up, e);
	if (r == 0)
		r = control_new(up->loop, up->agent, up->places.socket, &owner, &up->control, e);
	if (r == 0 && up->agent)
		r = agent_set_wishes(up->agent, up->config.wishes, up->config.n_wishes, e);
	if (r < 0)
		return r;
	hooks_init(&up->hooks, up->loop);
	set_doors(up, &up->config);
	set_names(up);
	return 0;
}

/* Who has the link may be a homeport share, which then lends its service to us. */
static int take_over(struct up *up, struct err *e)
{
	json_t *answer = NULL, *request = json_pack("{s:s}", "command", "yield");
	struct err held = *e, why = {0};
	int r = request ? ctl_ask(up->places.socket, request, &answer, &why) : -ERR_NOMEM;

	json_decref(answer);
	json_decref(request);
	if (r < 0)
		return err_set(e, ERR_EXISTS, "%s: %s", held.text, why.text);
	for (int i = 0; i < UP_TAKE_OVER_TRIES; i++) {
		r = state_lock(up->places.state, &up->lock, e);
		if (r != -ERR_EXISTS)
			break;
		usleep(UP_TAKE_OVER_PAUSE);
	}
	return r;
}

static int prepare(struct up *up, struct err *e)
{
	int r = places_find(up->common, &up->places, e);

	if (r == 0)
		r = places_prepare(&up->places, e);
	if (r == 0)
		r = common_joined(&up->places, &up->joined, e);
	up->alone = r == -ERR_NOT_FOUND && (up->config.n_doors || up->config.n_names) &&
		    !up->config.n_wishes;
	if (r < 0 && !up->alone)
		return r;
	r = state_lock(up->places.state, &up->lock, e);
	if (r == -ERR_EXISTS)
		r = take_over(up, e);
	if (r == -ERR_EXISTS)
		return err_wrap(e, r, "homeport runs already");
	return r;
}

static int run(struct up *up, struct err *e)
{
	char work[WORK_TEXT_MAX];
	int r;

	fdlimit_raise();
	r = prepare(up, e);

	if (r == 0)
		r = start(up, e);
	if (r < 0)
		return r;
	log_info("homeport is up with %s%s", work_of(work, &up->config),
		 up->alone ? "; no gateway is joined" : "");
	warn_of_trust(&up->config);
	loop_on_jump(up->loop, on_jump, up);
	notify("READY=1");
	tell_status(up);
	start_pulse(up);
	loop_run(up->loop);
	return 0;
}

static void up_done(struct up *up)
{
	timer_stop(&up->pulse);
	control_free(up->control);
	doors_free(up->doors);
	names_free(up->names);
	uplink_watch_free(up->uplink);
	webhooks_free(up->webhooks);
	httpc_free(up->httpc);
	agent_free(up->agent);
	hooks_done(&up->hooks);
	loop_free(up->loop);
	tls_identity_free(up->identity);
	tls_identity_free(up->old_identity);
	agent_config_done(&up->config);
	places_done(&up->places);
	if (up->lock >= 0)
		close(up->lock);
}

static int up_run(const void *options, const struct option_args *args)
{
	const struct up_options *o = options;
	struct up up = {.common = &o->common, .lock = -1};
	AUTO(freep) char *path = NULL;
	struct err e = {0};
	int r = common_config(&o->common, &up.config, &path, &e);

	if (r < 0) {
		fprintf(stderr, "%s\n", e.text);
		return common_config_exit(r);
	}
	if (o->common.verbose)
		log_set_level(LOG_LEVEL_DEBUG);
	r = run(&up, &e);
	up_done(&up);
	return r < 0 ? complain("up", "%s", e.text) : 0;
}

const struct command command_up = {
	.name = "up",
	.summary = "run the services, doors and names of the configuration",
	.details = "Stays in the foreground and tells on stderr what happens. SIGHUP reads the "
		   "configuration again: services that did not change keep their visitors, and a "
		   "mistake leaves everything as it was. SIGTERM and Ctrl-C stop it and leave "
		   "visitors 30 s to finish; a second one ends it at once.",
	.example = "homeport up\n"
		   "homeport --config ./homeport.conf up",
	.options_size = sizeof(struct up_options),
	.run = up_run,
};
