/* Inside edge/: a service and the visitors it counts. */
#pragma once

#include "edge/edge.h"
#include "edge/files.h"

/* Anything of a visitor that lives: his connection, or its opening. First in its object. */
struct edge_visit {
	struct list node;
	struct edge_service *service; /* borrowed; NULL: the service is gone */
	/* The service goes: leave it and end, now. Freed here, or by whoever else owns it. */
	void (*end)(struct edge_visit *visit);
	/* The service takes nobody new: end when that disturbs nobody. NULL: never. */
	void (*retire)(struct edge_visit *visit);
};

struct edge_service {
	struct loop *loop; /* borrowed */
	enum edge_kind kind;
	char *id;   /* owned, as the other texts */
	char *path; /* EDGE_FILES */
	struct sock_addr to;
	char to_text[128]; /* for people: "127.0.0.1:8000" */
	enum edge_host host;
	char *host_name; /* EDGE_HOST_NAME; else what EDGE_HOST_LOCAL means */
	char *names[EDGE_NAMES_MAX];
	size_t n_names;
	bool local_names;
	struct cidr *allow; /* owned */
	size_t n_allow;
	bool proxy_protocol; /* EDGE_TCP */
	struct edge_events events;
	void *arg;
	struct edge_files *files; /* a reference; EDGE_FILES */
	struct list visits;
	unsigned n_visits;
	bool retired;
};

void edge_visit_enter(struct edge_visit *visit, struct edge_service *service,
		      void (*end)(struct edge_visit *visit),
		      void (*retire)(struct edge_visit *visit));
void edge_visit_leave(struct edge_visit *visit); /* once or more often */

/* Whether the allow-list has him, or there is none. */
bool edge_service_allows(const struct edge_service *service, const struct edge_visitor *visitor);
#define EDGE_DENIED_NOTE "not on the allow-list"

/* Fill in the service and report to the role. */
void edge_service_report(struct edge_service *service, struct edge_request *request);

#define EDGE_CONNECT_TIMEOUT (10 * USEC_PER_S)
