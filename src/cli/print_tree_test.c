/* SPDX-License-Identifier: Apache-2.0 */
/* Expectations by hand; and what is printed is read back by libyaml and means the same. */
#include "cli/print_tree.h"

#include "base/test.h"

#include <yaml.h>

typedef struct Case {
  const char *json, *yaml;
} Case;

static const Case cases[] = {
    {"{}", "{}\n"},
    {"[]", "[]\n"},
    {"\"x\"", "x\n"},
    {"7", "7\n"},
    {"{\"a\": 1, \"b\": -2.5, \"c\": true, \"d\": null}", "a: 1\nb: -2.5\nc: true\nd: null\n"},
    {"{\"a\": {\"b\": {\"c\": \"x\"}}, \"d\": \"z\"}", "a:\n  b:\n    c: x\nd: z\n"},
    {"{\"a\": [1, [2, 3], {\"b\": 4, \"c\": [5]}, [], {}]}",
     "a:\n- 1\n- - 2\n  - 3\n- b: 4\n  c:\n  - 5\n- []\n- {}\n"},
    {"[{\"a\": {\"b\": 1}}, {\"c\": []}]", "- a:\n    b: 1\n- c: []\n"},
    {"{\"\": \"\", \"7\": \"7\", \"true\": \"no\"}", "\"\": \"\"\n\"7\": \"7\"\n\"true\": \"no\"\n"},
    {"[\"1g.10gb\", \"no GPU here\", \"a: b\", \"a #b\", \"-\", \"~\", \"GPU 0\"]",
     "- \"1g.10gb\"\n- no GPU here\n- \"a: b\"\n- \"a #b\"\n- \"-\"\n- \"~\"\n- GPU 0\n"},
    {"[\"two\\nlines\", \"tab\\t\", \"\\u001b[31m\", \"end \", \"d\\u00e9j\\u00e0\"]",
     "- \"two\\u000alines\"\n- \"tab\\u0009\"\n- \"\\u001b[31m\"\n- \"end \"\n- \"d\xc3\xa9j\xc3\xa0\"\n"},
};

static void trees_become_block_yaml(void **state) {
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    json_t *root = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
    CLEANUP(text_deinit) Text out = {0};
    assert_non_null(root);
    cli_print_tree_yaml(root, &out);
    assert_string_equal(text_string(&out), cases[i].yaml);
    json_decref(root);
  }
}

/* The node as JSON text, all scalars as texts. */
static void put_node(yaml_document_t *document, yaml_node_t *node, Text *out) {
  if (node->type == YAML_SCALAR_NODE) {
    text_append_json(out, (const char *)node->data.scalar.value);
    return;
  }
  bool is_map = node->type == YAML_MAPPING_NODE;
  text_append(out, is_map ? "{" : "[");
  if (is_map)
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
      put_node(document, yaml_document_get_node(document, pair->key), out);
      text_append(out, ":");
      put_node(document, yaml_document_get_node(document, pair->value), out);
    }
  else
    for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
         item++) {
      put_node(document, yaml_document_get_node(document, *item), out);
      text_append(out, ",");
    }
  text_append(out, is_map ? "}" : "]");
}

static void put_json(const json_t *value, Text *out) {
  const char *key;
  json_t *member;
  if (json_is_string(value)) {
    text_append_json(out, json_string_value(value));
  } else if (json_is_object(value)) {
    text_append(out, "{");
    json_object_foreach((json_t *)value, key, member) {
      text_append_json(out, key);
      text_append(out, ":");
      put_json(member, out);
    }
    text_append(out, "}");
  } else if (json_is_array(value)) {
    text_append(out, "[");
    for (size_t i = 0; i < json_array_size(value); i++) {
      put_json(json_array_get(value, i), out);
      text_append(out, ",");
    }
    text_append(out, "]");
  } else {
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    text_append_json(out, text);
    free(text);
  }
}

static void a_reader_of_yaml_finds_the_same_tree(void **state) {
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    json_t *root = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
    CLEANUP(text_deinit) Text yaml = {0};
    CLEANUP(text_deinit) Text wanted = {0};
    CLEANUP(text_deinit) Text found = {0};
    cli_print_tree_yaml(root, &yaml);
    yaml_parser_t parser;
    yaml_document_t document;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text_string(&yaml), yaml.size);
    assert_true(yaml_parser_load(&parser, &document));
    put_node(&document, yaml_document_get_root_node(&document), &found);
    put_json(root, &wanted);
    assert_string_equal(text_string(&found), text_string(&wanted));
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    json_decref(root);
  }
}

static void json_and_yaml_are_known(void **state) {
  assert_true(cli_print_tree_knows("json"));
  assert_true(cli_print_tree_knows("yaml"));
  assert_false(cli_print_tree_knows("table"));
  assert_false(cli_print_tree_knows(NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(trees_become_block_yaml),
      cmocka_unit_test(a_reader_of_yaml_finds_the_same_tree),
      cmocka_unit_test(json_and_yaml_are_known),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
