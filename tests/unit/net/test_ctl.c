#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/ctl.h"

/* A daemon on a loop of its own, and a command line that asks on another thread. */
struct world {
	struct loop *loop;
	struct ctl_server *server;
	char folder[32];
	char path[64];
	int n_gone;
	const char *request; /* of the asking thread */
	json_t *answer;
	struct err e;
	int r;
};

static void on_request(void *arg, struct ctl_client *client, json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));

	if (strcmp(command, "hello") == 0)
		ctl_reply(client, json_pack("{s:b s:i}", "ok", 1, "uid", ctl_client_uid(client)));
	else if (strcmp(command, "long") == 0)
		ctl_reply(client, json_pack("{s:b s:o}", "ok", 1, "text",
					    json_sprintf("%0*d", (int)NDJSON_LINE_MAX, 0)));
	else if (strcmp(command, "pages") == 0)
		ctl_reply(client,
			  json_pack("{s:b s:b s:[i, i]}", "ok", 1, "more", 1, "list", 1, 2));
	else if (strcmp(command, "more") == 0)
		ctl_reply(client, json_pack("{s:b s:b s:[i]}", "ok", 1, "more", 0, "list", 3));
	else if (strcmp(command, "bye") == 0)
		ctl_close(client);
	else
		ctl_reply_error(client, "unknown command \"%s\"", command);
}

static void on_gone(void *arg, struct ctl_client *client)
{
	struct world *w = arg;

	w->n_gone++;
}

static const struct ctl_handler handler = {.on_request = on_request, .on_gone = on_gone};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->folder, "/tmp/homeport-ctl-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/agent.sock", w->folder);
	assert_int_equal(loop_new(&w->loop, &w->e), 0);
	assert_int_equal(ctl_server_new(w->loop, w->path, &handler, w, &w->server, &w->e), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	ctl_server_free(w->server);
	loop_free(w->loop);
	assert_int_equal(rmdir(w->folder), 0); /* the socket went with the server */
	json_decref(w->answer);
	free(w);
	return 0;
}

static void *ask_thread(void *arg)
{
	struct world *w = arg;
	json_t *request = json_loads(w->request, 0, NULL);

	assert_non_null(request);
	json_decref(TAKE(w->answer));
	w->e = (struct err){0};
	w->r = ctl_ask(w->path, request, &w->answer, &w->e);
	json_decref(request);
	loop_stop(w->loop);
	return NULL;
}

static int ask(struct world *w, const char *request)
{
	pthread_t thread;

	w->request = request;
	assert_int_equal(pthread_create(&thread, NULL, ask_thread, w), 0);
	loop_run(w->loop);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return w->r;
}

static void answers_a_request(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, "{\"command\":\"hello\"}"), 0);
	assert_int_equal(json_integer_value(json_object_get(w->answer, "uid")), getuid());
}

static void joins_the_pages_of_an_answer(void **state)
{
	struct world *w = *state;
	json_t *list;

	assert_int_equal(ask(w, "{\"command\":\"pages\"}"), 0);
	list = json_object_get(w->answer, "list");
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(json_integer_value(json_array_get(list, 2)), 3);
	assert_null(json_object_get(w->answer, "more"));
}

static void passes_the_daemons_sentence_on(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, "{\"command\":\"dance\"}"), -ERR_FAILED);
	assert_string_equal(w->e.text, "unknown command \"dance\"");
	assert_int_equal(ask(w, "{\"what\":1}"), -ERR_FAILED);
	assert_string_equal(w->e.text, "a request needs a \"command\"");
	assert_int_equal(ask(w, "{\"command\":\"long\"}"), -ERR_FAILED);
	assert_string_equal(w->e.text, "the answer is longer than 262144 bytes");
}

static void a_daemon_that_hangs_up_is_an_error(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, "{\"command\":\"bye\"}"), -ERR_FAILED);
	assert_non_null(strstr(w->e.text, "hung up without an answer"));
}

static void no_daemon_is_told_apart(void **state)
{
	struct world *w = *state;
	json_t *answer = NULL, *request = json_pack("{s:s}", "command", "hello");
	struct err e = {0};

	ctl_server_free(TAKE(w->server));
	assert_int_equal(ctl_ask(w->path, request, &answer, &e), -ERR_REFUSED);
	assert_int_equal(ctl_ask("/nowhere/x.sock", request, &answer, &e), -ERR_REFUSED);
	assert_null(answer);
	json_decref(request);
}

static void a_second_daemon_is_refused(void **state)
{
	struct world *w = *state;
	struct ctl_server *second = NULL;
	char path[200];
	struct err e = {0};

	assert_int_equal(ctl_server_new(w->loop, w->path, &handler, w, &second, &e), -ERR_EXISTS);
	assert_non_null(strstr(e.text, w->path));
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(ctl_server_new(w->loop, path, &handler, w, &second, &e), -ERR_FAILED);
	assert_non_null(strstr(e.text, "too long for a socket"));
}

static int connect_to(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(un.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void beyond_the_limit_clients_are_turned_away(void **state)
{
	struct world *w = *state;
	int fds[CTL_CLIENTS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = connect_to(w->path);
	assert_int_equal(ask(w, "{\"command\":\"hello\"}"), -ERR_FAILED);
	assert_string_equal(w->e.text, "too many connections to the control socket");
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	while (ask(w, "{\"command\":\"hello\"}") < 0)
		assert_string_equal(w->e.text, "too many connections to the control socket");
	assert_in_range(w->n_gone, 1, CTL_CLIENTS_MAX + 1);
	ctl_server_free(TAKE(w->server));
	assert_int_equal(w->n_gone, CTL_CLIENTS_MAX + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_a_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(joins_the_pages_of_an_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(passes_the_daemons_sentence_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_daemon_that_hangs_up_is_an_error, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(no_daemon_is_told_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_daemon_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(beyond_the_limit_clients_are_turned_away, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
