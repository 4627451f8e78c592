/* The command line: exit codes, data on standard output, everything else on standard error. */
#include "control/conf/cli.h"
#include "tests/unit/control/conf/world.h"

#include <stdlib.h>
#include <unistd.h>

#define WHOLE                                                                                      \
    "--config=yaml:{receivers: {source: }, exporters: {sink: }, processors: {probe: {secret: "     \
    "hush}}, service: {pipelines: {traces: {receivers: [source], processors: [probe], exporters: " \
    "[sink]}}}}"

static char out[65536];
static char err[65536];
static unsigned runs_count;
static unsigned run_workers;
static char appliance_path[] = "/tmp/spanweir-test-XXXXXX";

static int run(const struct sw_conf *conf, const struct sw_appliance *appliance)
{
    assert_int_equal(conf->pipelines_count, 1);
    runs_count++;
    run_workers = appliance->workers_count;
    return 7;
}

static void read_back(FILE *file, char *text, size_t size)
{
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

/** Runs the command line; arguments end with NULL. */
static int call(const char *first, ...)
{
    char *argv[16] = {(char *)"spanweir"};
    int argc = 1;
    va_list args;
    va_start(args, first);
    for (const char *arg = first; arg != NULL; arg = va_arg(args, const char *)) {
        argv[argc++] = (char *)arg;
    }
    va_end(args);
    const struct sw_cli cli = {
        .version = "1.2.3",
        .components = world.components,
        .components_count = world.components_count,
        .run = run,
    };
    FILE *files[2] = {tmpfile(), tmpfile()};
    int saved[2];
    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 2; i++) {
        saved[i] = dup(i + 1);
        dup2(fileno(files[i]), i + 1);
    }
    int code = sw_cli_main(argc, argv, &cli);
    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i + 1);
        close(saved[i]);
    }
    read_back(files[0], out, sizeof(out));
    read_back(files[1], err, sizeof(err));
    return code;
}

static void write_appliance(const char *text)
{
    FILE *file = fopen(appliance_path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int setup(void **state)
{
    world_open();
    runs_count = 0;
    write_appliance("");
    return 0;
}

static int group_setup(void **state)
{
    int fd = mkstemp(appliance_path);
    close(fd);
    setenv(SW_APPLIANCE_ENV, appliance_path, 1);
    return fd < 0;
}

static int group_teardown(void **state)
{
    unlink(appliance_path);
    return 0;
}

#define EXPECT_IN(text, part)                                                                      \
    do {                                                                                           \
        if (strstr((text), (part)) == NULL) {                                                      \
            fail_msg("no \"%s\" in \"%s\"", (part), (text));                                       \
        }                                                                                          \
    } while (0)

static void test_no_subcommand_runs_with_both_files(void **state)
{
    write_appliance("workers = 3;");
    assert_int_equal(call(WHOLE, NULL), 7);
    assert_int_equal(runs_count, 1);
    assert_int_equal(run_workers, 3);
    assert_string_equal(out, "");
}

static void test_refused_configuration_does_not_run(void **state)
{
    assert_int_equal(call(WHOLE, "--set", "processors.probe.number=x", NULL), 1);
    assert_int_equal(runs_count, 0);
    EXPECT_IN(err, "Error: --set processors.probe.number: processors::probe::number: expected");
    assert_int_equal(call(WHOLE, "--set=processors.probe.not_yet=6", NULL), 1);
    assert_int_equal(runs_count, 0);
    assert_int_equal(call(NULL), 1);
    EXPECT_IN(err, "at least one config flag must be provided");
}

static void test_bad_appliance_file_does_not_run(void **state)
{
    write_appliance("wokers = 3;");
    assert_int_equal(call(WHOLE, NULL), 1);
    assert_int_equal(runs_count, 0);
    EXPECT_IN(err, "Error: appliance file: ");
    EXPECT_IN(err, ":1: unknown setting wokers");
    assert_int_equal(call(WHOLE, "--appliance", "/no/such/file", NULL), 1);
    EXPECT_IN(err, "/no/such/file: No such file or directory");
}

static void test_appliance_entry_of_an_unknown_component_does_not_run(void **state)
{
    write_appliance("components = ( { kind = \"processor\"; id = \"probe\"; } );");
    assert_int_equal(call(WHOLE, NULL), 7);
    write_appliance("components = ( { kind = \"exporter\"; id = \"probe\"; } );");
    assert_int_equal(call(WHOLE, NULL), 1);
    EXPECT_IN(err, "components names exporter \"probe\", which is not in the configuration");
    assert_int_equal(call("validate", WHOLE, NULL), 1);
    EXPECT_IN(err, "components names exporter \"probe\"");
}

static void test_validate_tells_by_its_exit_code(void **state)
{
    assert_int_equal(call("validate", WHOLE, NULL), 0);
    assert_string_equal(out, "");
    assert_string_equal(err, "");
    assert_int_equal(call("validate", WHOLE, "--set=processors.probe.not_yet=6", NULL), 0);
    EXPECT_IN(err, "Warning: --set processors.probe.not_yet: processors::probe::not_yet: is not");
    assert_int_equal(
        call("validate", "--deny-warnings", WHOLE, "--set=processors.probe.not_yet=6", NULL), 1
    );
    EXPECT_IN(err, "Error: 1 warnings, and warnings are denied");
    assert_int_equal(call("validate", WHOLE, "--set=processors.probe.x=6", NULL), 1);
    assert_int_equal(runs_count, 0);
}

static void test_validate_shows_findings_as_json(void **state)
{
    assert_int_equal(call("validate", "--format=json", WHOLE, NULL), 0);
    assert_string_equal(out, "{\"valid\": true, \"findings\": [\n]}\n");
    write_appliance("peers = 5;");
    assert_int_equal(
        call("validate", "--format", "json", WHOLE, "--set=processors.probe.number=\"x\"", NULL), 1
    );
    EXPECT_IN(
        out, "{\"valid\": false, \"findings\": [\n  {\"severity\": \"error\", \"kind\": \"error\", "
    );
    EXPECT_IN(
        out, "\"line\": 0, \"column\": 0, \"path\": \"processors::probe::number\", \"text\": "
    );
    EXPECT_IN(out, "\"kind\": \"appliance\"");
    assert_string_equal(err, "");
}

static void test_print_config_goes_to_standard_output(void **state)
{
    assert_int_equal(call("print-config", WHOLE, NULL), 0);
    EXPECT_IN(out, "    secret: \"[REDACTED]\"\n");
    assert_int_equal(call("print-initial-config", WHOLE, "--mode=unredacted", NULL), 0);
    EXPECT_IN(out, "    secret: hush\n");
    assert_int_equal(call("print-config", WHOLE, "--format", "json", NULL), 0);
    EXPECT_IN(out, "\"small\": -1");
    assert_int_equal(call("print-config", WHOLE, "--set=processors.probe.small=101", NULL), 1);
    assert_string_equal(out, "");
    assert_int_equal(
        call("print-config", "--validate=false", WHOLE, "--set=processors.probe.small=101", NULL), 0
    );
    EXPECT_IN(out, "    small: 101\n");
    EXPECT_IN(err, "Warning: ");
}

static void test_lists_are_shown(void **state)
{
    assert_int_equal(call("components", NULL), 0);
    EXPECT_IN(out, "  version: 1.2.3\n");
    EXPECT_IN(out, "processors:\n  - name: probe\n");
    EXPECT_IN(out, "      traces: beta\n");
    assert_int_equal(call("featuregate", NULL), 0);
    EXPECT_IN(out, "service.AllowNoPipelines");
    assert_int_equal(call("featuregate", "service.AllowNoPipelines", NULL), 0);
    EXPECT_IN(out, "Stage: alpha\n");
    assert_int_equal(call("featuregate", "no.such", NULL), 1);
    assert_int_equal(call("--version", NULL), 0);
    assert_string_equal(out, "spanweir version 1.2.3\n");
    assert_int_equal(call("-v", NULL), 0);
    assert_int_equal(call("--help", NULL), 0);
    EXPECT_IN(out, "Usage:\n");
    assert_int_equal(call("help", NULL), 0);
}

static void test_wrong_usage_is_2(void **state)
{
    assert_int_equal(call("--nope", NULL), 2);
    EXPECT_IN(err, "unknown flag: --nope");
    assert_int_equal(call("-config", "x", NULL), 2);
    assert_int_equal(call("--config", NULL), 2);
    EXPECT_IN(err, "flag needs an argument: --config");
    assert_int_equal(call("--set=a.b", NULL), 2);
    EXPECT_IN(err, "invalid argument \"a.b\" for \"--set\" flag: missing equal sign");
    assert_int_equal(call("frobnicate", NULL), 2);
    assert_int_equal(call("validate", "extra", NULL), 2);
    assert_int_equal(call("--strict=maybe", NULL), 2);
    assert_int_equal(call("validate", "--format=xml", WHOLE, NULL), 2);
    assert_int_equal(call("print-config", "--mode=loud", WHOLE, NULL), 2);
    assert_int_equal(call("print-config", "--format=text", WHOLE, NULL), 2);
    assert_int_equal(call("docs", "nope", NULL), 2);
    assert_string_equal(out, "");
}

static void test_reference_page_lists_components_and_settings(void **state)
{
    assert_int_equal(call("docs", "configuration", NULL), 0);
    EXPECT_IN(out, "### processor `probe`\n");
    EXPECT_IN(out, "| `number` | integer ≥ 0 | `8192` | a number. |\n");
    EXPECT_IN(out, "| `section.count` | integer | `40` |");
    EXPECT_IN(out, "| `items[].name` | text |");
    EXPECT_IN(out, "**Not yet**");
    EXPECT_IN(out, "| `telemetry.logs.level` | word | `info` |");
    EXPECT_IN(out, "| `drain.deadline` | duration | `\"55s\"` |");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_no_subcommand_runs_with_both_files, setup),
        cmocka_unit_test_setup(test_refused_configuration_does_not_run, setup),
        cmocka_unit_test_setup(test_bad_appliance_file_does_not_run, setup),
        cmocka_unit_test_setup(test_appliance_entry_of_an_unknown_component_does_not_run, setup),
        cmocka_unit_test_setup(test_validate_tells_by_its_exit_code, setup),
        cmocka_unit_test_setup(test_validate_shows_findings_as_json, setup),
        cmocka_unit_test_setup(test_print_config_goes_to_standard_output, setup),
        cmocka_unit_test_setup(test_lists_are_shown, setup),
        cmocka_unit_test_setup(test_wrong_usage_is_2, setup),
        cmocka_unit_test_setup(test_reference_page_lists_components_and_settings, setup),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
