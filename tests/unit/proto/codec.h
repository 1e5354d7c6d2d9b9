/* For tests of encoders and decoders. */
#pragma once

#include "test.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether `attempt` dies of an assertion, in a process of its own. */
static inline bool dies(void (*attempt)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		close(STDERR_FILENO); /* what it says is not for the test's log */
		attempt();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* Every single byte turned into every other, the one at `at` in each call. bytes is as before in the end. */
static inline void each_mutation(char *bytes, size_t len,
				 void (*check)(const char *bytes, size_t len, size_t at))
{
	for (size_t at = 0; at < len; at++) {
		char was = bytes[at];

		for (unsigned value = 0; value < 256; value++) {
			bytes[at] = (char)value;
			check(bytes, len, at);
		}
		bytes[at] = was;
	}
}
