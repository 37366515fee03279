/* SPDX-License-Identifier: Apache-2.0 */
/* Our watch may be seconds behind, and the kubelet's tick may have put the amounts back meanwhile. So they
 * are taken down once more, which changes nothing where nobody did: then the server answers with the very
 * version of the node that we knew when we asked. Any other one may have been on offer, and by the time the
 * answer comes the watch shows our own patch. */
#include "agent/state.h"

#include "base/text.h"

#include <jansson.h>

/* False where the server did not say: then there is nothing to wait for either. */
static bool is_another_version(const KubeAnswer *answer, const char *known) {
  json_t *object = json_loadb(answer->body, answer->body_size, 0, NULL);
  const char *version =
      json_string_value(json_object_get(json_object_get(object, "metadata"), "resourceVersion"));
  bool is_other = version && !string_equal(version, known);
  json_decref(object);
  return is_other;
}

static void on_answer(void *userdata, const KubeAnswer *answer) {
  Agent *agent = userdata;
  AgentLeaving *leaving = &agent->leaving;
  Error err;
  leaving->is_confirming = false;
  leaving->is_confirmed =
      !kube_answer_is_ok(answer, &err) || !is_another_version(answer, leaving->confirmed_version);
  if (!leaving->is_confirmed && leaving->confirmed_version) { /* else all that is begun anew already */
    leaving->is_witnessed = leaving->has_ticked = false;
    leaving->ticked_ms = agent->host->now_ms; /* if it was that */
  }
  agent_kick(agent);
}

void agent_leaving_confirm(Agent *agent) {
  CLEANUP(text_deinit) Text body = {0};
  CLEANUP(cleanup_free) char *path = mem_format("/api/v1/nodes/%s/status", agent->node_name);
  text_append(&body, "{\"status\":{\"allocatable\":{");
  for (size_t i = 0; i < agent->resources.count; i++)
    text_format(&body, "%s\"%s\":\"0\"", i ? "," : "", agent->resources.items[i].name);
  text_append(&body, "}}}");
  const Node *node = agent_node(agent);
  agent->leaving.is_confirming = true;
  free(agent->leaving.confirmed_version);
  agent->leaving.confirmed_version =
      node ? mem_strdup(string_or_empty(OBJECT_VERSION(node->meta.resource_version))) : NULL;
  kube_client_call(agent->client, &(KubeCallOptions){.method = "PATCH",
                                                     .path = path,
                                                     .content_type = KUBE_MERGE_PATCH,
                                                     .body = text_string(&body),
                                                     .body_size = body.size,
                                                     .on_answer = on_answer,
                                                     .userdata = agent});
}
