#include "control/telemetry/resource.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_defaults_name_the_service_and_a_random_instance(void **state)
{
    (void)state;
    struct sw_value none = {.kind = SW_VALUE_NULL};
    struct sw_resource *one = NULL;
    struct sw_resource *other = NULL;
    assert_int_equal(sw_resource_new(&none, "spanweir", "0.1.0", &one), 0);
    assert_int_equal(sw_resource_new(&none, "spanweir", "0.1.0", &other), 0);
    assert_int_equal(one->labels_count, 3);
    assert_string_equal(one->labels[0].name, "service.instance.id");
    assert_string_equal(one->labels[1].name, "service.name");
    assert_string_equal(one->labels[1].value, "spanweir");
    assert_string_equal(one->labels[2].name, "service.version");
    const char *uuid = one->labels[0].value;
    assert_int_equal(strlen(uuid), 36);
    assert_int_equal(uuid[14], '4'); // version
    assert_non_null(strchr("89ab", uuid[19]));
    assert_string_not_equal(uuid, other->labels[0].value);
    sw_resource_free(one);
    sw_resource_free(other);
}

static void test_configured_attributes_change_add_and_remove(void **state)
{
    (void)state;
    struct sw_value_entry entries[] = {
        {"service.name", {.kind = SW_VALUE_STRING, .string = "gw"}},
        {"service.version", {.kind = SW_VALUE_NULL}},
        {"service.instance.id", {.kind = SW_VALUE_STRING, .string = "fixed"}},
        {"zone", {.kind = SW_VALUE_INT, .integer = 7}},
        {"canary", {.kind = SW_VALUE_BOOL, .boolean = true}},
        {"share", {.kind = SW_VALUE_DOUBLE, .number = 0.5}},
    };
    struct sw_value map = {.kind = SW_VALUE_MAP, .list = {entries, 6}};
    struct sw_resource *resource = NULL;
    assert_int_equal(sw_resource_new(&map, "spanweir", "0.1.0", &resource), 0);
    static const char *const expected[][2] = {
        {"canary", "true"},
        {"service.instance.id", "fixed"},
        {"service.name", "gw"},
        {"share", "0.5"},
        {"zone", "7"},
    };
    assert_int_equal(resource->labels_count, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_string_equal(resource->labels[i].name, expected[i][0]);
        assert_string_equal(resource->labels[i].value, expected[i][1]);
    }
    sw_resource_free(resource);
    sw_resource_free(NULL);
}

static void test_declarative_attributes_do_the_same(void **state)
{
    (void)state;
    struct sw_value_entry gateway[] = {
        {"name", {.kind = SW_VALUE_STRING, .string = "service.name"}},
        {"value", {.kind = SW_VALUE_STRING, .string = "gw"}},
    };
    struct sw_value_entry zone[] = {
        {"name", {.kind = SW_VALUE_STRING, .string = "zone"}},
        {"value", {.kind = SW_VALUE_INT, .integer = 7}},
    };
    struct sw_value items[] = {
        {.kind = SW_VALUE_MAP, .list = {gateway, 2}},
        {.kind = SW_VALUE_MAP, .list = {zone, 2}},
    };
    struct sw_value_entry entries[] = {
        {"attributes", {.kind = SW_VALUE_LIST, .list = {items, 2}}},
        {"schema_url", {.kind = SW_VALUE_STRING, .string = "https://example.com"}},
    };
    struct sw_value map = {.kind = SW_VALUE_MAP, .list = {entries, 2}};
    struct sw_resource *resource = NULL;
    assert_int_equal(sw_resource_new(&map, "spanweir", "0.1.0", &resource), 0);
    assert_int_equal(resource->labels_count, 4);
    assert_string_equal(resource->labels[1].name, "service.name");
    assert_string_equal(resource->labels[1].value, "gw");
    assert_string_equal(resource->labels[3].name, "zone");
    assert_string_equal(resource->labels[3].value, "7");
    sw_resource_free(resource);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_name_the_service_and_a_random_instance),
        cmocka_unit_test(test_configured_attributes_change_add_and_remove),
        cmocka_unit_test(test_declarative_attributes_do_the_same),
    };
    return cmocka_run_group_tests_name("resource", tests, NULL, NULL);
}
