#include "map/ask.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void on_tell(void *arg)
{
	struct ask *ask = arg;

	ask->busy = false;
	ask->done(ask->arg, &ask->answer);
}

void ask_init(struct ask *ask, struct loop *loop, struct router *router,
	      const struct map_wish *wish, const char *id,
	      void (*done)(void *arg, const struct ask_answer *answer), void *arg)
{
	*ask = (struct ask){
		.router = router, .wish = *wish, .id = id, .done = done, .arg = arg, .loop = loop};
	defer_init(&ask->tell, loop, on_tell, ask);
}

static void begin(struct ask *ask, const struct map_grant *grant)
{
	assert(!ask->busy);
	ask->busy = true;
	ask->again = false;
	ask->ports = 0;
	ask->grant = *grant;
	ask->port = grant->external.port ? grant->external.port : ask->wish.external_port;
	ask->answer = (struct ask_answer){.grant = *grant};
}

void ask_open(struct ask *ask, enum map_method method, const struct map_grant *grant)
{
	begin(ask, grant);
	ask->grant.method = ask->answer.grant.method = method;
	if (method == MAP_IGD)
		ask_igd_open(ask);
	else
		ask_pmp_open(ask);
}

void ask_close(struct ask *ask, const struct map_grant *grant)
{
	begin(ask, grant);
	if (grant->method == MAP_IGD)
		ask_igd_close(ask);
	else
		ask_pmp_close(ask);
}

void ask_verify(struct ask *ask, const struct map_grant *grant)
{
	assert(grant->method == MAP_IGD);
	begin(ask, grant);
	ask_igd_verify(ask);
}

void ask_finish(struct ask *ask, int r, const char *fmt, ...)
{
	char why[ASK_WHY_MAX]; /* the sentence may be made of the former one */
	va_list args;

	ask->answer.r = r;
	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	memcpy(ask->answer.why, why, sizeof(why));
	if (r == 0)
		ask->answer.grant = ask->grant;
	defer_call(&ask->tell);
}

void ask_cancel(struct ask *ask)
{
	pmp_cancel(&ask->rq);
	igd_cancel(TAKE(ask->call));
	defer_cancel(&ask->tell);
	ask->busy = false;
}
