/* The tree that YAML becomes: places, scalars as Go's YAML v3 reads them, what is refused. */
#include "tests/unit/control/conf/world.h"

#include <math.h>

static struct sw_arena arena;
static struct sw_yaml_problem problem;

static struct sw_node *parse(const char *text)
{
    struct sw_node *node = NULL;
    memset(&problem, 0, sizeof(problem));
    assert_int_equal(sw_yaml_parse(&arena, "t.yaml", text, strlen(text), &node, &problem), 0);
    return node;
}

static void refuse(const char *text, const char *words, uint32_t line, uint32_t column)
{
    struct sw_node *node = NULL;
    memset(&problem, 0, sizeof(problem));
    assert_int_equal(
        sw_yaml_parse(&arena, "t.yaml", text, strlen(text), &node, &problem), SW_E_MALFORMED
    );
    assert_null(node);
    if (strstr(problem.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, problem.text);
    }
    assert_int_equal(problem.line, line);
    assert_int_equal(problem.column, column);
}

static int teardown(void **state)
{
    sw_arena_fini(&arena);
    return 0;
}

static void test_nested_map_keeps_the_place_of_keys_and_values(void **state)
{
    struct sw_node *root = parse("a:\n  b: 1\n  c:\n    - x\n    - {d: y}\n");
    const struct sw_entry *a = sw_node_entry(root, "a");
    assert_int_equal(a->mark.line, 1);
    assert_int_equal(a->mark.column, 1);
    assert_string_equal(a->mark.source, "t.yaml");
    const struct sw_entry *b = sw_node_entry(a->value, "b");
    assert_int_equal(b->mark.line, 2);
    assert_int_equal(b->mark.column, 3);
    assert_int_equal(b->value->mark.column, 6);
    struct sw_node *c = sw_node_get(a->value, "c");
    assert_int_equal(c->items[1]->mark.line, 5);
    assert_int_equal(c->items[1]->mark.column, 7);
    assert_string_equal(sw_node_get(c->items[1], "d")->text, "y");
}

static void test_plain_scalars_are_read_as_go_reads_them(void **state)
{
    static const struct {
        const char *text;
        enum sw_node_kind kind;
        int64_t integer;
    } cases[] = {
        {"42", SW_NODE_INT, 42},
        {"+7", SW_NODE_INT, 7},
        {"-0x10", SW_NODE_INT, -16},
        {"0123", SW_NODE_INT, 83},
        {"0o17", SW_NODE_INT, 15},
        {"0b101", SW_NODE_INT, 5},
        {"1_000", SW_NODE_INT, 1000},
        {"9223372036854775807", SW_NODE_INT, INT64_MAX},
        {"-9223372036854775808", SW_NODE_INT, INT64_MIN},
        {"0128", SW_NODE_FLOAT, 0},
        {"08", SW_NODE_FLOAT, 0},
        {"true", SW_NODE_BOOL, 0},
        {"False", SW_NODE_BOOL, 0},
        {"tRUE", SW_NODE_STRING, 0},
        {"yes", SW_NODE_STRING, 0},
        {"on", SW_NODE_STRING, 0},
        {"~", SW_NODE_NULL, 0},
        {"Null", SW_NODE_NULL, 0},
        {"nULL", SW_NODE_STRING, 0},
        {"1e3", SW_NODE_FLOAT, 0},
        {".5", SW_NODE_FLOAT, 0},
        {"1.", SW_NODE_FLOAT, 0},
        {"-.inf", SW_NODE_FLOAT, 0},
        {".nan", SW_NODE_FLOAT, 0},
        {".", SW_NODE_STRING, 0},
        {"-", SW_NODE_STRING, 0},
        {"0x", SW_NODE_STRING, 0},
        {"1e", SW_NODE_STRING, 0},
        {"1e999", SW_NODE_STRING, 0},
        {"2024-02-30", SW_NODE_TIME, 0},
        {"2024-01-02T03:04:05Z", SW_NODE_TIME, 0},
        {"2024-01-02 03:04:05", SW_NODE_TIME, 0},
        {"2024-13-01", SW_NODE_STRING, 0},
        {"10:30", SW_NODE_STRING, 0},
        {"5s", SW_NODE_STRING, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sw_node node = {0};
        sw_scalar_resolve(cases[i].text, strlen(cases[i].text), &node);
        if (node.kind != cases[i].kind) {
            fail_msg("%s: kind %d, expected %d", cases[i].text, node.kind, cases[i].kind);
        }
        if (node.kind == SW_NODE_INT) {
            assert_int_equal(node.integer, cases[i].integer);
        }
    }
    struct sw_node big = {0};
    sw_scalar_resolve("18446744073709551615", 20, &big);
    assert_int_equal(big.kind, SW_NODE_UINT);
    assert_true(big.uinteger == UINT64_MAX);
    struct sw_node infinite = {0};
    sw_scalar_resolve("-.inf", 5, &infinite);
    assert_true(isinf(infinite.number) && infinite.number < 0);
}

static void test_quoted_scalar_is_a_text(void **state)
{
    struct sw_node *root = parse("{a: '42', b: \"true\", c: !!str 7, d: !!float 7}");
    assert_string_equal(sw_node_get(root, "a")->text, "42");
    assert_string_equal(sw_node_get(root, "b")->text, "true");
    assert_string_equal(sw_node_get(root, "c")->text, "7");
    assert_int_equal(sw_node_get(root, "d")->kind, SW_NODE_FLOAT);
    refuse("a: !!int x\n", "as its tag says", 1, 4);
}

static void test_empty_text_is_null_and_later_documents_do_not_count(void **state)
{
    assert_int_equal(parse("")->kind, SW_NODE_NULL);
    assert_int_equal(parse("# nothing\n")->kind, SW_NODE_NULL);
    struct sw_node *root = parse("a: 1\n---\nb: 2\n");
    assert_int_equal(root->entries_count, 1);
    assert_string_equal(root->entries[0].key, "a");
}

static void test_anchor_is_taken_over_and_merge_key_fills_gaps(void **state)
{
    struct sw_node *root = parse("x: &b {p: 1, q: 2}\ny: *b\nz: {q: 3, <<: *b}\n"
                                 "l: {<<: [{p: 7}, *b], r: 5}\n");
    assert_int_equal(sw_node_get(sw_node_get(root, "y"), "p")->integer, 1);
    struct sw_node *z = sw_node_get(root, "z");
    assert_int_equal(z->entries_count, 2);
    assert_int_equal(sw_node_get(z, "q")->integer, 3);
    assert_int_equal(sw_node_get(z, "p")->integer, 1);
    struct sw_node *l = sw_node_get(root, "l");
    assert_int_equal(sw_node_get(l, "p")->integer, 7);
    assert_int_equal(sw_node_get(l, "q")->integer, 2);
    refuse("a: {<<: 5}\n", "map merge requires", 1, 9);
}

static void test_broken_text_is_refused_with_its_place(void **state)
{
    refuse("a: [\n", "did not find expected", 2, 1);
    refuse("a: 1\nb: 2\na: 3\n", "mapping key \"a\" already defined at line 1", 3, 1);
    refuse("a: *nowhere\n", "unknown anchor", 1, 4);
    refuse("a: &x [*x]\n", "contains itself", 1, 8);
    refuse("? [1]\n: 2\n", "invalid map key", 1, 3);
    refuse("a: \"x\\0y\"\n", "NUL", 1, 4);
}

static void test_deep_nesting_is_refused(void **state)
{
    char text[2 * SW_NODE_HEIGHT_MAX + 1];
    memset(text, '[', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct sw_node *node = NULL;
    assert_int_equal(
        sw_yaml_parse(&arena, "t.yaml", text, strlen(text), &node, &problem), SW_E_MALFORMED
    );
    assert_non_null(strstr(problem.text, "nested too deeply"));
}

static void test_anchors_that_grow_without_end_are_refused(void **state)
{
    struct sw_conf_text wide = {0};
    struct sw_conf_text high = {0};
    sw_conf_text_puts(&wide, "a0: &a0 [1]\n");
    sw_conf_text_puts(&high, "a0: &a0 [1]\n");
    for (int i = 1; i < 10; i++) {
        sw_conf_text_printf(&wide, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) {
            sw_conf_text_printf(&wide, "%s*a%d", k > 0 ? "," : "", i - 1);
        }
        sw_conf_text_puts(&wide, "]\n");
    }
    for (int i = 1; i < 600; i++) {
        sw_conf_text_printf(&high, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    }
    struct sw_node *node = NULL;
    assert_int_equal(
        sw_yaml_parse(&arena, "t.yaml", wide.data, wide.len, &node, &problem), SW_E_MALFORMED
    );
    assert_non_null(strstr(problem.text, "excessive aliasing"));
    assert_int_equal(
        sw_yaml_parse(&arena, "t.yaml", high.data, high.len, &node, &problem), SW_E_MALFORMED
    );
    assert_non_null(strstr(problem.text, "excessive aliasing"));
    sw_conf_text_fini(&wide);
    sw_conf_text_fini(&high);
}

static void test_merge_of_trees_goes_key_by_key_and_replaces_the_rest(void **state)
{
    struct sw_node *base = parse("{a: {x: 1, y: 2}, l: [1, 2], s: 1}");
    struct sw_node *over = parse("{a: {y: 3, z: 4}, l: [3], s: , n: 5}");
    struct sw_node *out = sw_node_merge(&arena, base, over);
    struct sw_node *a = sw_node_get(out, "a");
    assert_int_equal(sw_node_get(a, "x")->integer, 1);
    assert_int_equal(sw_node_get(a, "y")->integer, 3);
    assert_int_equal(sw_node_get(a, "z")->integer, 4);
    assert_int_equal(sw_node_get(out, "l")->items_count, 1);
    assert_int_equal(sw_node_get(out, "s")->kind, SW_NODE_NULL);
    assert_int_equal(sw_node_get(out, "n")->integer, 5);
    assert_int_equal(sw_node_get(sw_node_get(base, "a"), "y")->integer, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_nested_map_keeps_the_place_of_keys_and_values, teardown),
        cmocka_unit_test_teardown(test_plain_scalars_are_read_as_go_reads_them, teardown),
        cmocka_unit_test_teardown(test_quoted_scalar_is_a_text, teardown),
        cmocka_unit_test_teardown(
            test_empty_text_is_null_and_later_documents_do_not_count, teardown
        ),
        cmocka_unit_test_teardown(test_anchor_is_taken_over_and_merge_key_fills_gaps, teardown),
        cmocka_unit_test_teardown(test_broken_text_is_refused_with_its_place, teardown),
        cmocka_unit_test_teardown(test_deep_nesting_is_refused, teardown),
        cmocka_unit_test_teardown(test_anchors_that_grow_without_end_are_refused, teardown),
        cmocka_unit_test_teardown(
            test_merge_of_trees_goes_key_by_key_and_replaces_the_rest, teardown
        ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
