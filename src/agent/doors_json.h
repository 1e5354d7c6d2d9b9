/* Doors and routers as programs and `homeport map` are told of them. New references; NULL: no memory. */
#pragma once

#include <jansson.h>

#include "agent/doors.h"

/*
 * {"family":4,"protocol":"tcp","internal":"192.168.1.10:8000","internal_port":8000,
 *  "external_wished":8000,"exactly":false,"router":"192.168.1.1","interface":"eth0",
 *  "state":"open","why":"","listening":"yes","took_ms":12.1,	of any
 *  "method":"pcp","external":"203.0.113.7:8000","class":"public","external_port":8000,
 *  "lifetime_s":7200,"expires_in_s":7100,"permanent":false,	of an open one
 *  "retry_in_s":30,						of a refused one
 *  "outside":"100.64.0.50","outside_class":"cgnat"}		what the router is known to have outside
 *
 * "state": of LEASE_STATES, or "no network". "listening": "yes", "no", "loopback", null: not known.
 */
json_t *doors_json_door(const struct doors *doors, const struct map_door *door);

/* All, each with "of": "configuration" or "map". */
json_t *doors_json_list(const struct doors *doors);

/*
 * [{"family":4,"router":"192.168.1.1","address":"192.168.1.10","interface":"eth0","decided":true,
 *   "offers":[{"method":"nat-pmp","state":"offered","took_ms":1.2,"text":"",
 *	        "external":"203.0.113.7","class":"public"}]}]
 *
 * "external" is there when the router was asked and has answered; "": it has none.
 */
json_t *doors_json_routers(const struct doors *doors);
