#include "cli/router_look.h"

#include "cli/doors_client.h"

struct look {
	struct loop *loop;
	struct doors_client *client;
	json_t *routers;
	int r;
	struct err *e; /* borrowed */
};

static void on_ready(void *arg, bool local)
{
	struct look *look = arg;

	doors_client_send(look->client, json_pack("{s:s}", "command", "map-probe"));
}

static void on_object(void *arg, const json_t *object)
{
	struct look *look = arg;

	if (json_is_true(json_object_get(object, "ok")))
		look->routers = json_incref(json_object_get(object, "routers"));
	else
		look->r = err_set(look->e, ERR_FAILED, "%s", json_text(object, "error"));
	loop_stop(look->loop);
}

static void on_end(void *arg, int r, const struct err *e)
{
	struct look *look = arg;

	look->r = err_set(look->e, r < 0 ? -r : ERR_FAILED, "%s", e ? e->text : "no answer");
	loop_stop(look->loop);
}

int router_look(const struct places *places, const char *interface, json_t **ret_routers,
		struct err *e)
{
	static const struct doors_client_handler handler = {
		.on_ready = on_ready, .on_object = on_object, .on_end = on_end};
	const struct doors_local local = {.interface = interface,
					  .setup = {.leave_leftovers = true}};
	struct look look = {.e = e};
	int r = loop_new(&look.loop, e);

	if (r == 0)
		r = doors_client_new(look.loop, places, &local, &handler, &look, &look.client, e);
	if (r == 0)
		loop_run(look.loop);
	doors_client_free(look.client);
	loop_free(look.loop);
	if (r == 0)
		r = look.routers ? 0 : look.r;
	if (r == 0)
		*ret_routers = look.routers;
	return r;
}
