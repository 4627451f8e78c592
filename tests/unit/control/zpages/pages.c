/* zpages show what runs. */
#include "control/zpages/zpages.h"
#include "tests/unit/control/conf/world.h"

#define WHOLE                                                                                      \
    "receivers: {source/a&b: }\nexporters: {sink: , shown: }\nprocessors: {probe: }\n"             \
    "extensions: {health: }\n"                                                                     \
    "service: {extensions: [health], pipelines: {traces/in: {receivers: [source/a&b], "            \
    "processors: [probe], exporters: [sink, shown]}}}\n"

static struct sw_zpages *zpages;

static int setup(void **state)
{
    world_open();
    world.gates[world.args.gates_count++] = "pdata.useProtoPooling";
    world_load_text(WHOLE);
    assert_int_equal(world.err, 0);
    static const struct sw_zpages_conf conf = {.expvar = {.enabled = false}};
    struct sw_zpages_view view = {.conf = world.conf, .version = "1.2.3", .workers_count = 4};
    assert_int_equal(sw_zpages_new(&conf, &view, &zpages), 0);
    return 0;
}

static int teardown(void **state)
{
    sw_zpages_free(zpages);
    sw_zpages_free(NULL);
    world_close();
    return 0;
}

static void check_page(const char *path, const char *const *parts)
{
    struct sw_admin_request request = {.method = "GET", .path = path, .query = "", .accept = ""};
    struct sw_admin_reply reply = {.status = 200};
    sw_zpages_answer(zpages, &request, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.content_type, "text/html; charset=utf-8");
    for (; *parts != NULL; parts++) {
        if (strstr(reply.body.data, *parts) == NULL) {
            fail_msg("no \"%s\" in %s", *parts, reply.body.data);
        }
    }
    assert_non_null(strstr(reply.body.data, "</html>\n"));
    sw_string_fini(&reply.body);
}

static void test_pipelines_are_shown_as_built_and_escaped(void **state)
{
    check_page(
        "/debug/pipelinez",
        (const char *const[]){
            "<td>traces/in</td><td>traces</td><td>source/a&amp;b</td><td>probe</td>"
            "<td>sink<br>shown</td>",
            NULL,
        }
    );
}

static void test_extensions_gates_and_service_are_shown(void **state)
{
    check_page("/debug/extensionz", (const char *const[]){"<td>health</td>", NULL});
    check_page(
        "/debug/featurez",
        (const char *const[]){
            "<td>pdata.useProtoPooling</td><td>true</td><td>alpha</td>",
            "<td>service.AllowNoPipelines</td><td>false</td>",
            NULL,
        }
    );
    check_page(
        "/debug/servicez",
        (const char *const[]){
            "<td>Version</td><td>1.2.3</td>",
            "<td>Workers</td><td>4</td>",
            "1970-01-01 00:00:00 UTC",
            "/debug/pipelinez",
            NULL,
        }
    );
    check_page("/debug/tracez", (const char *const[]){"no spans of its own", NULL});
}

static void test_other_paths_are_not_found(void **state)
{
    static const char *const paths[] = {"/", "/debug", "/debug/expvarz", "/debug/pipelinez/"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct sw_admin_request request = {.method = "GET", .path = paths[i]};
        struct sw_admin_reply reply = {.status = 200};
        sw_zpages_answer(zpages, &request, &reply);
        assert_int_equal(reply.status, 404);
        sw_string_fini(&reply.body);
    }
}

/* ---- configuration ---- */

static const struct sw_component *const components[] = {&sw_zpages, &sw_pprof};

static void load(const char *extensions)
{
    static char text[1024];
    snprintf(
        text, sizeof(text), "extensions: %s\nservice: {extensions: [zpages, pprof]}\n", extensions
    );
    world_open();
    world.components = components;
    world.components_count = 2;
    world.gates[world.args.gates_count++] = "service.AllowNoPipelines";
    world.args.purpose = SW_CONF_START;
    world_load_text(text);
}

static void test_pprof_is_taken_with_one_warning(void **state)
{
    load("{zpages: , pprof: {endpoint: 'localhost:1777', dialer: {timeout: 1s}, "
         "block_profile_fraction: 3, mutex_profile_fraction: 1, save_to_file: x}}");
    assert_int_equal(world.err, 0);
    assert_int_equal(world.errors.warnings_count, 1);
    assert_non_null(world_finding("extensions::pprof: has no effect here"));
    const struct sw_conf_component *item = sw_conf_find(world.conf, SW_EXTENSION, "zpages");
    const struct sw_zpages_conf *conf = item->conf;
    assert_string_equal(conf->server.endpoint, "localhost:55679");
}

static void test_what_zpages_cannot_do_is_refused_by_name(void **state)
{
    static const struct {
        const char *keys;
        const char *words;
    } cases[] = {
        {"{endpoint: ''}", "extensions::zpages::endpoint: \"endpoint\" is required"},
        {"{transport: unix}", "extensions::zpages::transport: is not supported"},
        {"{keep_alives_enabled: false}", "extensions::zpages::keep_alives_enabled: is not"},
        {"{cors: {allowed_origins: ['*']}}", "extensions::zpages::cors: is not supported"},
        {"{nothing: 1}", "extensions::zpages"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "{zpages: %s, pprof: }", cases[i].keys);
        load(text);
        assert_int_equal(world.err, SW_E_INVALID);
        if (world_finding(cases[i].words) == NULL) {
            fail_msg("no \"%s\" in \"%s\"", cases[i].words, world_finding_at(0));
        }
        world_close();
    }
    world_open();
}

static int close_world(void **state)
{
    world_close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_pipelines_are_shown_as_built_and_escaped, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(
            test_extensions_gates_and_service_are_shown, setup, teardown
        ),
        cmocka_unit_test_setup_teardown(test_other_paths_are_not_found, setup, teardown),
        cmocka_unit_test_teardown(test_pprof_is_taken_with_one_warning, close_world),
        cmocka_unit_test_teardown(test_what_zpages_cannot_do_is_refused_by_name, close_world),
    };
    return cmocka_run_group_tests_name("zpages", tests, NULL, NULL);
}
