/* The control socket of a gateway that has many agents: asked as the commands ask. */
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "gateway/control.h"
#include "gateway/registry.h"
#include "net/ctl.h"

#define AGENTS 10000

struct world {
	struct gateway_config config;
	struct worker_shared shared;
	struct worker worker;
	struct gateway_control *control;
	pthread_t thread;
	char folder[32], path[64];
};

/* Each with a name of its own. */
static void load_agents(struct world *w)
{
	struct store_agent *agents = calloc(AGENTS, sizeof(*agents));
	struct store_name *names = calloc(AGENTS, sizeof(*names));
	struct store_image image = {
		.agents = agents, .n_agents = AGENTS, .names = names, .n_names = AGENTS};

	assert_int_equal(registry_new("home.example.org", &w->shared.registry, NULL), 0);
	for (unsigned i = 0; i < AGENTS; i++) {
		agents[i].id = i + 1;
		snprintf(agents[i].name, sizeof(agents[i].name), "agent-%05u", i);
		memcpy(agents[i].key.bytes, &i, sizeof(i));
		agents[i].created_wall = 1000 * USEC_PER_S;
		names[i].agent = i + 1;
		snprintf(names[i].name, sizeof(names[i].name), "%05u.with-a-long-name.example.org",
			 i);
	}
	assert_int_equal(registry_load(w->shared.registry, &image, NULL), 0);
	free(agents);
	free(names);
}

static void *run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct gateway_control_config config = {.path = w->path, .shared = &w->shared};

	*state = w;
	w->shared.config = &w->config;
	w->shared.workers = &w->worker;
	w->shared.n_workers = 1;
	w->worker.shared = &w->shared;
	load_agents(w);
	strcpy(w->folder, "/tmp/homeport-control-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/gateway.sock", w->folder);
	assert_int_equal(loop_new(&w->worker.loop, NULL), 0);
	config.loop = w->worker.loop;
	assert_int_equal(gateway_control_new(&config, &w->control, NULL), 0);
	assert_int_equal(pthread_create(&w->thread, NULL, run_loop, w->worker.loop), 0);
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	loop_stop(w->worker.loop);
	pthread_join(w->thread, NULL);
	gateway_control_free(w->control);
	loop_free(w->worker.loop);
	registry_free(w->shared.registry);
	rmdir(w->folder);
	free(w);
	return 0;
}

/* In order, and each once. */
static void ask_for_list(struct world *w, const char *command, const char *before,
			 const char *behind)
{
	json_t *request = json_pack("{s:s}", "command", command), *answer, *list;
	struct err e = {0};
	char name[64];

	if (ctl_ask(w->path, request, &answer, &e) < 0)
		fail_msg("%s", e.text);
	assert_null(json_object_get(answer, "more"));
	list = json_object_get(answer, command);
	assert_int_equal(json_array_size(list), AGENTS);
	for (unsigned i = 0; i < AGENTS; i++) {
		snprintf(name, sizeof(name), "%s%05u%s", before, i, behind);
		assert_string_equal(
			json_string_value(json_object_get(json_array_get(list, i), "name")), name);
	}
	json_decref(answer);
	json_decref(request);
}

static void test_agents(void **state)
{
	ask_for_list(*state, "agents", "agent-", "");
}

static void test_names(void **state)
{
	ask_for_list(*state, "names", "", ".with-a-long-name.example.org");
}

/* Who leaves in the middle, or asks something else there, leaves nothing behind. */
static void test_no_more(void **state)
{
	static const char text[] = "{\"command\": \"agents\"}\n{\"command\": \"bad\"}\n"
				   "{\"command\": \"more\"}\n{\"command\": \"names\"}\n";
	struct world *w = *state;
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned lines = 0, errors = 0;
	FILE *answers = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;

	strcpy(un.sun_path, w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(send(fd, text, sizeof(text) - 1, 0), sizeof(text) - 1);
	while (lines < 4 && getline(&line, &size, answers) > 0) {
		lines++;
		errors += strncmp(line, "{\"ok\":false", 11) == 0;
	}
	assert_int_equal(lines, 4);
	assert_int_equal(errors, 2);
	free(line);
	fclose(answers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_agents, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_more, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
