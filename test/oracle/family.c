/* SPDX-License-Identifier: Apache-2.0 */
/* The pods ask between 60 and 160 % of the free slots, and a node's cpu, memory, cards and places for pods
 * are drawn so that each of them is the scarcest on some node. */
#include "family.h"

typedef struct Generator {
  Family *family;
  const FamilyMix *mix;
  Random *random;
  const char *models[3];
  int model_count;
  int slots_free; /* of all GPUs */
} Generator;

static int draw(Generator *g, int least, int most) {
  return least + (int)random_below(g->random, (uint64_t)(most - least) + 1);
}

static bool one_in(Generator *g, int n) {
  return random_below(g->random, (uint64_t)n) == 0;
}

static const MigModel *find_model(const char *name) {
  const MigModelRow *row = mig_model_find(name);
  assert_non_null(row);
  return &row->model;
}

static void choose_models(Generator *g) {
  static const char *const all[] = {A100, H100, A30, A100_40, PRO6000};
  g->model_count = g->mix->many_models ? draw(g, 2, 3) : 1;
  for (int i = 0; i < g->model_count; i++)
    g->models[i] = all[random_below(g->random, COUNT_OF(all))];
}

/* Some slices are in use; of the others, where there are some, a quarter is kept. */
static void add_gpu(Generator *g, Node *node, const char *name) {
  const MigModel *model = find_model(name);
  MigLayout layout;
  MigList list = {0};
  char status[MIG_STATUS_TEXT_SIZE], kept[MIG_SPEC_TEXT_SIZE];
  uint32_t used = 0;
  mig_layout_init(&layout, model);
  for (int tries = one_in(g, 2) ? 0 : draw(g, 1, 3); tries > 0; tries--) {
    int profile = draw(g, 0, model->profile_count - 1), start = draw(g, 0, model->slot_count - 1);
    if (model->profiles[profile].size > model->slot_count / 2 ||
        !mig_layout_can_place(&layout, profile, start))
      continue;
    mig_layout_place(&layout, profile, start);
    bool is_free = g->mix->free_slices && one_in(g, 2);
    used |= is_free ? 0 : UINT32_C(1) << start;
    if (is_free && one_in(g, 4)) {
      MigListItem *item = &list.items[list.count++];
      *item = (MigListItem){.start = (uint8_t)start};
      memcpy(item->profile, model->profiles[profile].name, sizeof item->profile);
    }
  }
  g->slots_free += model->slot_count;
  for (int i = 0; i < layout.count; i++)
    if (used >> layout.instances[i].start & 1)
      g->slots_free -= model->profiles[layout.instances[i].profile].size;
  mig_status_format(&layout, used, status, sizeof status);
  int index = fixture_gpu(&g->family->fixture, node, name, status);
  if (!list.count)
    return;
  mig_spec_format("GPU", &list, kept, sizeof kept);
  fixture_set(&g->family->fixture, &node->meta.annotations,
              arena_format(&g->family->fixture.arena, MIG_ANNOTATION_KEEP_PREFIX "%d", index),
              strchr(kept, ' ') + 1);
}

static void set_amount(Generator *g, KeyValues *list, const char *resource, int64_t amount,
                       const char *unit) {
  fixture_set(&g->family->fixture, list, resource,
              arena_format(&g->family->fixture.arena, "%lld%s", (long long)amount, unit));
}

static void set_amounts(Generator *g, KeyValues *list, const FamilyAmounts *amounts) {
  set_amount(g, list, "cpu", amounts->cpu_milli, "m");
  set_amount(g, list, "memory", amounts->memory_mib, "Mi");
  if (amounts->nics)
    set_amount(g, list, "example.com/nic", amounts->nics, "");
}

static void add_node(Generator *g) {
  static Taint taint[] = {{.key = "dedicated", .value = "ml", .effect = "NoSchedule"}};
  Family *family = g->family;
  Fixture *f = &family->fixture;
  FamilyNode *what = &family->nodes[family->node_count];
  Node *node = fixture_node(f, arena_format(&f->arena, "n%02d", family->node_count++));
  int gpus = draw(g, 1, 4);
  *what = (FamilyNode){.has = {.cpu_milli = 1000000, .memory_mib = 4096 * 1024, .nics = 64, .pods = 110}};
  if (g->mix->short_cpu)
    what->has = (FamilyAmounts){.cpu_milli = 1000 * gpus * draw(g, 4, 20),
                                .memory_mib = 1024 * gpus * draw(g, 16, 80),
                                .nics = draw(g, 0, 2 * gpus),
                                .pods = one_in(g, 4) ? draw(g, 2, 4 * gpus) : 110};
  if (g->mix->constraints) {
    what->zone = draw(g, 0, 2);
    what->tainted = one_in(g, 4);
    fixture_set(f, &node->meta.labels, "zone", arena_format(&f->arena, "z%d", what->zone));
    node->taints.items = taint;
    node->taints.count = what->tainted;
  }
  set_amounts(g, (KeyValues *)&node->allocatable, &what->has);
  set_amount(g, (KeyValues *)&node->allocatable, "pods", what->has.pods, "");
  const char *model = g->models[draw(g, 0, g->model_count - 1)];
  for (int i = 0; i < gpus; i++)
    add_gpu(g, node, g->mix->many_models && one_in(g, 4) ? g->models[draw(g, 0, g->model_count - 1)] : model);
}

static const MigProfile *choose_profile(Generator *g, const MigModel *model) {
  for (;;) {
    const MigProfile *profile = &model->profiles[draw(g, 0, model->profile_count - 1)];
    if (profile->kind == MIG_PLAIN || g->mix->other_profiles)
      return profile;
  }
}

/* Returns the slots that one pod takes at least. */
static int choose_needs(Generator *g, FamilyClass *class_) {
  const MigModel *model = find_model(g->models[draw(g, 0, g->model_count - 1)]);
  int wanted = g->mix->several_slices && one_in(g, 2) ? draw(g, 1, FAMILY_NEEDS_MAX) : 1, slots = 0;
  for (int i = 0; i < wanted; i++) {
    const MigProfile *profile = choose_profile(g, model);
    bool is_known = false;
    for (int n = 0; n < class_->need_count; n++)
      is_known |= strcmp(class_->needs[n].profile, profile->name) == 0;
    if (is_known)
      continue;
    int count = g->mix->several_slices && profile->size <= 2 && one_in(g, 3) ? draw(g, 2, 3) : 1;
    class_->needs[class_->need_count++] = (FamilyNeed){.profile = profile->name, .count = count};
    slots += count * profile->size;
  }
  return slots;
}

static int add_class(Generator *g) {
  FamilyClass *class_ = &g->family->classes[g->family->class_count++];
  *class_ = (FamilyClass){.zone = -1, .asks = {.cpu_milli = 100, .memory_mib = 128, .pods = 1}};
  int slots = choose_needs(g, class_);
  if (g->mix->short_cpu) {
    class_->asks.cpu_milli = 500 * draw(g, 1, 4 + 4 * slots);
    class_->asks.memory_mib = 512 * draw(g, 1, 8 + 16 * slots);
    class_->asks.nics = one_in(g, 4);
  }
  if (g->mix->constraints) {
    class_->zone = one_in(g, 2) ? draw(g, 0, 2) : -1;
    class_->tolerates = one_in(g, 2);
  }
  return slots;
}

static void add_pod(Generator *g, const FamilyClass *class_) {
  static Toleration toleration[] = {{.key = "dedicated", .operator_ = "Exists"}};
  Fixture *f = &g->family->fixture;
  Pod *pod = fixture_pod(f, arena_format(&f->arena, "p%04zu", f->pods.count), NULL);
  Container *containers = arena_alloc(&f->arena, FAMILY_NEEDS_MAX * sizeof *containers);
  containers[0] = pod_common(pod)->containers.items[0];
  pod->common->containers.items = containers;
  pod->common->containers.count = (size_t)class_->need_count;
  for (int i = 0; i < class_->need_count; i++) {
    char resource[MIG_RESOURCE_NAME_SIZE];
    mig_profile_format_resource(class_->needs[i].profile, resource);
    containers[i].name = arena_format(&f->arena, "c%d", i);
    set_amount(g, (KeyValues *)&containers[i].requests, resource, class_->needs[i].count, "");
  }
  set_amounts(g, (KeyValues *)&containers[0].requests, &class_->asks);
  if (class_->zone >= 0)
    fixture_set(f, &pod->common->node_selector, "zone", arena_format(&f->arena, "z%d", class_->zone));
  pod->common->tolerations.items = toleration;
  pod->common->tolerations.count = class_->tolerates;
}

void family_generate(Family *family, const FamilyMix *mix, Random *random) {
  Generator g = {.family = family, .mix = mix, .random = random};
  int slots[FAMILY_CLASSES_MAX];
  *family = (Family){.node_count = 0};
  choose_models(&g);
  for (int nodes = draw(&g, 2, mix->nodes_max); nodes > 0; nodes--)
    add_node(&g);
  for (int classes = draw(&g, 2, FAMILY_CLASSES_MAX), i = 0; i < classes; i++)
    slots[i] = add_class(&g);
  for (int left = g.slots_free * draw(&g, 60, 160) / 100; left > 0;) {
    int class_ = draw(&g, 0, family->class_count - 1);
    add_pod(&g, &family->classes[class_]);
    family->classes[class_].count++;
    left -= slots[class_];
  }
}

void family_deinit(Family *family) {
  fixture_deinit(&family->fixture);
}

bool family_admits(const FamilyNode *node, const FamilyClass *class_) {
  return (class_->zone < 0 || class_->zone == node->zone) && (class_->tolerates || !node->tainted);
}
