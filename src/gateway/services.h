/*
 * What the agents of one worker have public: each list an agent sends is decided (grants.c), put
 * into effect (routes, raw ports) and answered. Two lists in a row differ in what changed only: the
 * ports and visitors of a service that stays are not touched.
 */
#pragma once

#include <jansson.h>

#include "link/message.h"

struct services;
struct worker;

int services_new(struct worker *worker, struct services **ret_services, struct err *e) MUST_CHECK;
void services_free(struct services *services); /* NULL is fine */

/* Of struct link_hub_handler; arg is the worker. */
void services_on_list(void *arg, uint64_t agent, const struct link_services *wanted);
void services_on_online(void *arg, uint64_t agent, bool online, const struct ipaddr *observed);

/* Who may use which name has changed: decide the agent's last list again, if there is one. */
void services_reconsider(struct services *services, uint64_t agent);

/* The agent was revoked: its links are closed, its names and ports are free. */
void services_expel(struct services *services, uint64_t agent);

/* Add to an object, by agent number: {"12": [{"id": "blog", "kind": "http", "granted": true,
 * "names":
 * ["blog.example.org"], "port": 0}]}. */
void services_describe(struct services *services, json_t *to);
