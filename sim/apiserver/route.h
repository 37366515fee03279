/* SPDX-License-Identifier: Apache-2.0 */
/* One request on its way through the server. Shared by routes.c, create.c and delete.c; nobody else includes
 * this. */
#pragma once

#include "sim/apiserver/answer.h"

typedef struct Route {
  SimApiStore *store;
  const SimApiRequest *request;
  const SimApiTarget *target;
  char key[SIM_API_KEY_SIZE];
  SimApiAnswer *answer;
} Route;

json_t *sim_api_route_find(const Route *route); /* NULL: no such object */
void sim_api_route_answer(Route *route, int status,
                          const json_t *object); /* one that the store has, or had */
void sim_api_route_refuse_unknown(Route *route);
/* The body as a JSON value, or NULL after a refusal. */
json_t *sim_api_route_read_body(Route *route);
json_t *sim_api_route_date(int64_t wall_ms);

/* create.c */
void sim_api_create_object(Route *route);
/* delete.c */
void sim_api_delete_object(Route *route);
