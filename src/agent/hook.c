#include "agent/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"

/* What a hook has of our environment. */
static const char *const inherited[] = {"PATH", "HOME", "USER", "LANG", "TZ"};

struct hook {
	struct job job;
	struct list node;    /* of those that wait */
	struct hooks *hooks; /* borrowed */
	char *program;	     /* owned */
	char **environment;  /* owned, and each; NULL behind the last */
	int status;	     /* of waitpid */
	int error;	     /* errno: it could not be started */
	bool killed;	     /* it took too long */
};

static void hook_free(struct hook *hook)
{
	if (!hook)
		return;
	for (char **e = hook->environment; e && *e; e++)
		free(*e);
	free(hook->environment);
	free(hook->program);
	free(hook);
}

/* -1: no memory. */
static int add_value(struct hook *hook, size_t i, const char *name, const char *value)
{
	return asprintf(&hook->environment[i], "%s=%s", name, value) < 0 ? -1 : 0;
}

static int fill(struct hook *hook, const char *program, const struct hook_value *values, size_t n)
{
	size_t k = 0;

	hook->program = strdup(program);
	hook->environment = calloc(ARRAY_LEN(inherited) + n + 1, sizeof(*hook->environment));
	if (!hook->program || !hook->environment)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(inherited); i++) {
		const char *value = getenv(inherited[i]);

		if (value && add_value(hook, k++, inherited[i], value) < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (add_value(hook, k++, values[i].name, values[i].value) < 0)
			return -1;
	return 0;
}

/* ── on a thread of the pool ── */

static int start(struct hook *hook, pid_t *ret_pid)
{
	char *const argv[] = {hook->program, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addchdir_np(&actions, "/");
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0); /* it is killed with what it has started */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	error = posix_spawn(ret_pid, hook->program, &actions, &attributes, argv, hook->environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Whether it has ended by then. */
static bool ends_before(pid_t pid, usec_t deadline)
{
	AUTO(closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = {.fd = fd, .events = POLLIN};

	for (usec_t now = ustime_boot(); now < deadline; now = ustime_boot()) {
		siginfo_t info = {0};

		/* Without pidfd_open (a kernel or sandbox that forbids it) it is looked at now and then. */
		usec_t span = fd >= 0 ? deadline - now : MIN(deadline - now, 100 * USEC_PER_MS);

		poll(&ended, fd >= 0, (int)(span / USEC_PER_MS) + 1); /* a signal ends it, too */
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid == pid)
			return true;
	}
	return false;
}

static void wait_for(struct hook *hook, pid_t pid)
{
	if (!ends_before(pid, ustime_boot() + HOOK_TIME)) {
		hook->killed = true;
		kill(-pid, SIGKILL);
	}
	while (waitpid(pid, &hook->status, 0) < 0 && errno == EINTR)
		;
}

static void work(struct job *job)
{
	struct hook *hook = container_of(job, struct hook, job);
	pid_t pid;

	hook->error = start(hook, &pid);
	if (hook->error == 0)
		wait_for(hook, pid);
}

/* ── on the loop ── */

static void start_next(struct hooks *hooks);

static void done(struct job *job)
{
	struct hook *hook = container_of(job, struct hook, job);
	struct hooks *hooks = hook->hooks;
	char text[LOG_TEXT_MAX];

	hooks->running--;
	log_text(text, str_of(hook->program));
	if (hook->error)
		log_warning("%s could not be started: %s", text, strerror(hook->error));
	else if (hook->killed)
		log_warning("%s took more than 30 s and was killed", text);
	else if (WIFSIGNALED(hook->status))
		log_warning("%s ended by signal %d", text, WTERMSIG(hook->status));
	else if (WEXITSTATUS(hook->status))
		log_warning("%s ended with exit code %d", text, WEXITSTATUS(hook->status));
	hook_free(hook);
	start_next(hooks);
}

static void start_next(struct hooks *hooks)
{
	while (hooks->n_waiting && hooks->running < HOOKS_MAX && !hooks->ended) {
		struct hook *hook = list_entry(hooks->waiting.next, struct hook, node);

		list_remove(&hook->node);
		hooks->n_waiting--;
		if (job_start(&hook->job, hooks->loop, work, done, NULL) < 0)
			hook_free(hook);
		else
			hooks->running++;
	}
}

void hook_run(struct hooks *hooks, const char *program, const struct hook_value *values, size_t n)
{
	struct hook *hook = calloc(1, sizeof(*hook));
	char text[LOG_TEXT_MAX];

	if (hooks->n_waiting == HOOKS_WAIT_MAX) {
		log_warning("%s was not started: %d others wait", log_text(text, str_of(program)),
			    HOOKS_WAIT_MAX);
		free(hook);
		return;
	}
	if (!hook || fill(hook, program, values, n) < 0) {
		hook_free(hook);
		return;
	}
	hook->hooks = hooks;
	list_push(&hooks->waiting, &hook->node);
	hooks->n_waiting++;
	start_next(hooks);
}

/* ── life ── */

void hooks_init(struct hooks *hooks, struct loop *loop)
{
	*hooks = (struct hooks){.loop = loop};
	list_init(&hooks->waiting);
}

void hooks_done(struct hooks *hooks)
{
	struct hook *hook, *next;

	if (!hooks->loop)
		return;
	list_for_each_safe (hook, next, &hooks->waiting, node)
		hook_free(hook);
	list_init(&hooks->waiting);
	hooks->n_waiting = 0;
	hooks->ended = true;
}
