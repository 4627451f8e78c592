// The command line (reference: Collector components, 2; operating, 1.2). Data goes to standard output,
// everything else to standard error.
#include "control/conf/cli.h"

#include "control/conf/conf_internal.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    EXIT_WELL = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
};

enum flag {
    FLAG_CONFIG,
    FLAG_SET,
    FLAG_GATES,
    FLAG_APPLIANCE,
    FLAG_STRICT,
    FLAG_FORMAT,
    FLAG_MODE,
    FLAG_VALIDATE,
    FLAG_DENY_WARNINGS,
    FLAG_DIFF,
    FLAG_VERSION,
    FLAG_HELP,
    FLAGS_COUNT,
};

static const struct {
    const char *name;
    bool takes_value;
} flags[FLAGS_COUNT] = {
    [FLAG_CONFIG] = {"config", true},
    [FLAG_SET] = {"set", true},
    [FLAG_GATES] = {"feature-gates", true},
    [FLAG_APPLIANCE] = {"appliance", true},
    [FLAG_STRICT] = {"strict", false},
    [FLAG_FORMAT] = {"format", true},
    [FLAG_MODE] = {"mode", true},
    [FLAG_VALIDATE] = {"validate", false},
    [FLAG_DENY_WARNINGS] = {"deny-warnings", false},
    [FLAG_DIFF] = {"diff", false},
    [FLAG_VERSION] = {"version", false},
    [FLAG_HELP] = {"help", false},
};

struct options {
    const char *command;     /**< "" runs */
    const char *operands[2]; /**< of featuregate, docs, route */
    const char **configs;
    const char **sets;
    const char **gates;
    struct sw_conf_args args;
    const char *appliance;
    const char *format;
    const char *mode;
    bool strict;
    bool validate;
    bool deny_warnings;
    bool diff;
    bool version;
    bool help;
};

static const char usage[] =
    "Usage:\n"
    "  spanweir --config URI …              run\n"
    "  spanweir validate --config URI …     check a configuration without starting anything\n"
    "  spanweir print-config --config URI … show the merged configuration with all defaults\n"
    "  spanweir route TRACE_ID --config URI … which backend owns a trace\n"
    "  spanweir route --diff OLD NEW        the share of traces that another backend gets\n"
    "  spanweir queue ls|peek|verify|export|drain DIR  look into queues on disk, or empty them\n"
    "  spanweir components                  list what is built in\n"
    "  spanweir featuregate [ID]            list the feature gates, or one\n"
    "\n"
    "Flags:\n"
    "  --config URI         file, or file:, env:, yaml:; may be repeated, later ones win\n"
    "  --set a.b.c=value    sets one value, after all --config; may be repeated\n"
    "  --feature-gates LIST a,+b,-c\n"
    "  --appliance FILE     the appliance file (else SPANWEIR_APPLIANCE, else\n"
    "                       " SW_APPLIANCE_DEFAULT_PATH ")\n"
    "  --strict             refuse the older spellings that the Collector v0.159 refuses\n"
    "  --version, -v        show the version\n"
    "  --help, -h           show this\n"
    "validate:\n"
    "  --deny-warnings      warnings refuse too\n"
    "  --format text|json   how findings are shown\n"
    "print-config:\n"
    "  --format yaml|json\n"
    "  --mode redacted|unredacted\n"
    "  --validate=false     show it although it is not valid as a whole\n";

/* --- arguments --- */

static int refuse_usage(const char *text, const char *arg)
{
    fprintf(stderr, "Error: %s: %s\nRun 'spanweir --help' for usage.\n", text, arg);
    return EXIT_USAGE;
}

static bool parse_bool(const char *text, bool *ret_value)
{
    static const char *const words[] = {
        "true",
        "false",
        "1",
        "0",
        "t",
        "f",
        "T",
        "F",
        "TRUE",
        "FALSE",
        "True",
        "False",
        NULL,
    };
    int index = sw_word_index(words, text, false);
    if (index >= 0) {
        *ret_value = index % 2 == 0;
    }
    return index >= 0;
}

static int set_switch(const char *name, const char *value, bool *ret_switch)
{
    if (value == NULL) {
        *ret_switch = true;
        return EXIT_WELL;
    }
    return parse_bool(value, ret_switch) ? EXIT_WELL : refuse_usage("not true or false", name);
}

static int apply_flag(struct options *options, enum flag flag, const char *value)
{
    const char *name = flags[flag].name;
    switch (flag) {
    case FLAG_CONFIG:
        options->configs[options->args.configs_count++] = value;
        break;
    case FLAG_SET:
        if (strchr(value, '=') == NULL) {
            fprintf(
                stderr,
                "Error: invalid argument \"%s\" for \"--set\" flag: missing equal sign\n",
                value
            );
            return EXIT_USAGE;
        }
        options->sets[options->args.sets_count++] = value;
        break;
    case FLAG_GATES:
        options->gates[options->args.gates_count++] = value;
        break;
    case FLAG_APPLIANCE:
        options->appliance = value;
        break;
    case FLAG_FORMAT:
        options->format = value;
        break;
    case FLAG_MODE:
        options->mode = value;
        break;
    case FLAG_STRICT:
        return set_switch(name, value, &options->strict);
    case FLAG_VALIDATE:
        return set_switch(name, value, &options->validate);
    case FLAG_DENY_WARNINGS:
        return set_switch(name, value, &options->deny_warnings);
    case FLAG_DIFF:
        return set_switch(name, value, &options->diff);
    case FLAG_VERSION:
        return set_switch(name, value, &options->version);
    case FLAG_HELP:
        return set_switch(name, value, &options->help);
    case FLAGS_COUNT:
        break;
    }
    return EXIT_WELL;
}

/** One argument that begins with a dash; may take the next one. */
static int parse_flag(struct options *options, char **argv, int argc, int *at)
{
    const char *arg = argv[*at];
    if (strcmp(arg, "-v") == 0 || strcmp(arg, "-h") == 0) {
        return apply_flag(options, arg[1] == 'v' ? FLAG_VERSION : FLAG_HELP, NULL);
    }
    const char *name = arg + (arg[1] == '-' ? 2 : strlen(arg));
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    for (int flag = 0; flag < FLAGS_COUNT; flag++) {
        if (strlen(flags[flag].name) != len || memcmp(flags[flag].name, name, len) != 0) {
            continue;
        }
        if (flags[flag].takes_value && value == NULL) {
            if (*at + 1 >= argc) {
                return refuse_usage("flag needs an argument", arg);
            }
            value = argv[++*at];
        }
        return apply_flag(options, (enum flag)flag, value);
    }
    return refuse_usage("unknown flag", arg);
}

static int parse_arguments(struct options *options, int argc, char **argv)
{
    static const char *const commands[] = {
        "validate",
        "components",
        "print-config",
        "print-initial-config",
        "featuregate",
        "route",
        "docs",
        "help",
        NULL,
    };
    bool rest = false;
    size_t operands_count = 0;
    options->command = "";
    options->validate = true;
    for (int i = 1; i < argc; i++) {
        int code = EXIT_WELL;
        if (!rest && strcmp(argv[i], "--") == 0) {
            rest = true;
        } else if (!rest && argv[i][0] == '-' && argv[i][1] != '\0') {
            code = parse_flag(options, argv, argc, &i);
        } else if (options->command[0] == '\0') {
            if (sw_word_index(commands, argv[i], false) < 0) {
                return refuse_usage("unknown command", argv[i]);
            }
            options->command = argv[i];
        } else if (operands_count < SW_ARRAY_SIZE(options->operands)) {
            options->operands[operands_count++] = argv[i];
        } else {
            return refuse_usage("unexpected argument", argv[i]);
        }
        if (code != EXIT_WELL) {
            return code;
        }
    }
    bool route = strcmp(options->command, "route") == 0;
    bool operand = strcmp(options->command, "featuregate") == 0
                   || strcmp(options->command, "docs") == 0
                   || strcmp(options->command, "help") == 0;
    size_t most = route ? 1 + options->diff : operand;
    if (operands_count > most) {
        return refuse_usage("unexpected argument", options->operands[most]);
    }
    if (options->diff && !route) {
        return refuse_usage("only route takes this flag", "--diff");
    }
    if (route && operands_count < most) {
        return refuse_usage(
            "missing argument", options->diff ? "OLD NEW, two configurations" : "TRACE_ID"
        );
    }
    return EXIT_WELL;
}

/* --- findings --- */

static void show_findings(const struct sw_conf_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct sw_conf_error *error = &errors->items[i];
        char text[2048];
        sw_conf_error_format(error, text, sizeof(text));
        fprintf(stderr, "%s: %s\n", error->refused ? "Error" : "Warning", text);
    }
    if (errors->out_of_memory) {
        fprintf(stderr, "Error: out of memory\n");
    }
}

static const char *const complaint_words[] = {
    [SW_COMPLAINT_ERROR] = "error",
    [SW_COMPLAINT_BUILD] = "build",
    [SW_COMPLAINT_AT_START] = "at-start",
    [SW_COMPLAINT_OLD] = "old-spelling",
    [SW_COMPLAINT_WARNING] = "warning",
};

static void add_finding_json(
    struct sw_conf_text *out,
    bool first,
    const struct sw_conf_error *error,
    const char *kind
)
{
    sw_conf_text_printf(
        out,
        "%s\n  {\"severity\": \"%s\", \"kind\": \"%s\", \"source\": ",
        first ? "" : ",",
        error->refused ? "error" : "warning",
        kind
    );
    sw_conf_text_quote(out, error->mark.source);
    sw_conf_text_printf(
        out, ", \"line\": %u, \"column\": %u, \"path\": ", error->mark.line, error->mark.column
    );
    sw_conf_text_quote(out, error->path);
    sw_conf_text_puts(out, ", \"text\": ");
    sw_conf_text_quote(out, error->text);
    sw_conf_text_puts(out, "}");
}

/** appliance_error: what is wrong with the appliance file, "" nothing. */
static int
print_findings_json(const struct sw_conf_errors *errors, char *appliance_error, bool valid)
{
    struct sw_conf_text out = {0};
    sw_conf_text_printf(&out, "{\"valid\": %s, \"findings\": [", valid ? "true" : "false");
    for (size_t i = 0; i < errors->count; i++) {
        const struct sw_conf_error *error = &errors->items[i];
        add_finding_json(&out, i == 0, error, complaint_words[error->complaint]);
    }
    if (appliance_error[0] != '\0') {
        struct sw_conf_error error = {
            .refused = true,
            .mark = {.source = ""},
            .path = "",
            .text = appliance_error,
        };
        add_finding_json(&out, errors->count == 0, &error, "appliance");
    }
    sw_conf_text_puts(&out, "\n]}\n");
    if (!out.out_of_memory) {
        fputs(out.data, stdout);
    }
    int code = out.out_of_memory ? EXIT_FAILED : EXIT_WELL;
    sw_conf_text_fini(&out);
    return code;
}

/* --- commands --- */

static int load(
    const struct sw_cli *cli,
    struct options *options,
    enum sw_conf_purpose purpose,
    struct sw_conf **ret_conf,
    struct sw_conf_errors *errors
)
{
    options->args.configs = options->configs;
    options->args.sets = options->sets;
    options->args.gates = options->gates;
    options->args.purpose = purpose;
    options->args.strict = options->strict;
    int err =
        sw_conf_load(&options->args, cli->components, cli->components_count, ret_conf, errors);
    errors->out_of_memory |= err == SW_E_NOMEM;
    return err;
}

#define APPLIANCE_ERROR_MAX 512

/** Reads the appliance file and, when there is a configuration, looks whether they fit. error: ""
 * on success. */
static int load_appliance(
    const struct options *options,
    const struct sw_conf *conf,
    struct sw_appliance **ret_appliance,
    char error[APPLIANCE_ERROR_MAX]
)
{
    static const char *const kinds[] = {
        "receiver",
        "processor",
        "exporter",
        "connector",
        "extension",
        NULL,
    };
    error[0] = '\0';
    int err = sw_appliance_load(options->appliance, ret_appliance, error, APPLIANCE_ERROR_MAX);
    if (err == SW_OK) {
        error[0] = '\0'; // it tells of the default file that is not there, too
    }
    for (size_t i = 0; err == SW_OK && conf != NULL && i < (*ret_appliance)->components_count;
         i++) {
        const struct sw_appliance_view *view = &(*ret_appliance)->components[i];
        int kind = sw_word_index(kinds, view->kind, false);
        if (kind < 0 || sw_conf_find(conf, (enum sw_component_kind)kind, view->id) == NULL) {
            snprintf(
                error,
                APPLIANCE_ERROR_MAX,
                "%s: components names %s \"%s\", which is not in the configuration",
                (*ret_appliance)->path,
                view->kind,
                view->id
            );
            err = SW_E_INVALID;
        }
    }
    return err;
}

static int run_validate(const struct sw_cli *cli, struct options *options)
{
    static const char *const formats[] = {"text", "json", NULL};
    struct sw_conf *conf = NULL;
    struct sw_appliance *appliance = NULL;
    struct sw_conf_errors errors = {0};
    char appliance_error[APPLIANCE_ERROR_MAX];
    int format = options->format != NULL ? sw_word_index(formats, options->format, false) : 0;
    if (format < 0) {
        return refuse_usage("--format is text or json", options->format);
    }
    int err = load(cli, options, SW_CONF_VALIDATE, &conf, &errors);
    bool fits = load_appliance(options, conf, &appliance, appliance_error) == SW_OK;
    if (err == SW_OK && fits && cli->check != NULL) {
        cli->check(conf, appliance, &errors);
        err = errors.refused_count > 0 ? SW_E_INVALID : SW_OK;
        err = errors.out_of_memory ? SW_E_NOMEM : err;
    }
    bool denied = err == SW_OK && options->deny_warnings && errors.warnings_count > 0;
    int code = err == SW_OK && !denied && fits ? EXIT_WELL : EXIT_FAILED;
    if (format == 1) {
        int shown = print_findings_json(&errors, appliance_error, code == EXIT_WELL);
        code = SW_MAX(code, shown);
    } else {
        show_findings(&errors);
        if (!fits) {
            fprintf(stderr, "Error: appliance file: %s\n", appliance_error);
        }
        if (denied) {
            fprintf(
                stderr, "Error: %zu warnings, and warnings are denied\n", errors.warnings_count
            );
        }
    }
    sw_appliance_free(appliance);
    sw_conf_free(conf);
    sw_conf_errors_fini(&errors);
    return code;
}

static int run_print_config(const struct sw_cli *cli, struct options *options)
{
    static const char *const formats[] = {"yaml", "json", NULL};
    static const char *const modes[] = {"redacted", "unredacted", NULL};
    struct sw_conf *conf = NULL;
    struct sw_conf_errors errors = {0};
    char *text = NULL;
    int format = options->format != NULL ? sw_word_index(formats, options->format, false) : 0;
    int mode = options->mode != NULL ? sw_word_index(modes, options->mode, false) : 0;
    if (format < 0) {
        return refuse_usage("--format is yaml or json", options->format);
    }
    if (mode < 0) {
        return refuse_usage("--mode is redacted or unredacted", options->mode);
    }
    options->args.print_invalid = !options->validate;
    int err = load(cli, options, SW_CONF_PRINT, &conf, &errors);
    if (err == SW_OK) {
        err = sw_conf_print(conf, format == 1 ? SW_CONF_JSON : SW_CONF_YAML, mode == 0, &text);
    }
    show_findings(&errors);
    if (err == SW_OK) {
        fputs(text, stdout);
    }
    sw_free(text);
    sw_conf_free(conf);
    sw_conf_errors_fini(&errors);
    return err == SW_OK ? EXIT_WELL : EXIT_FAILED;
}

static int run_components(const struct sw_cli *cli)
{
    static const char *const signals[] = {"traces", "metrics", "logs"};
    printf("buildinfo:\n  command: spanweir\n  description: OpenTelemetry gateway\n");
    printf("  version: %s\n", cli->version);
    for (int kind = 0; kind < SW_COMPONENT_KINDS_COUNT; kind++) {
        bool any = false;
        for (size_t i = 0; i < cli->components_count; i++) {
            const struct sw_component *component = cli->components[i];
            if (component->kind != (enum sw_component_kind)kind) {
                continue;
            }
            if (!any) {
                printf("%s:\n", sw_component_section(component->kind));
            }
            any = true;
            printf("  - name: %s\n    module: %s\n", component->type, component->module);
            printf("    stability:\n");
            if (component->kind == SW_EXTENSION) {
                printf("      extension: %s\n", component->stability);
            }
            for (size_t s = 0; s < SW_ARRAY_SIZE(signals); s++) {
                if ((component->signals_ready & (1u << s)) != 0) {
                    printf("      %s: %s\n", signals[s], component->stability);
                }
            }
        }
        if (!any) {
            printf("%s: []\n", sw_component_section((enum sw_component_kind)kind));
        }
    }
    printf("providers:\n  - scheme: env\n  - scheme: file\n  - scheme: yaml\n");
    return EXIT_WELL;
}

static int run_featuregate(const char *id)
{
    bool found = false;
    for (const struct sw_gate *gate = sw_gates; gate->id != NULL; gate++) {
        if (id != NULL && strcmp(id, gate->id) != 0) {
            continue;
        }
        if (!found && id == NULL) {
            printf("%-64s %-7s %-10s %s\n", "ID", "Enabled", "Stage", "Description");
        }
        found = true;
        if (id == NULL) {
            printf(
                "%-64s %-7s %-10s %s\n",
                gate->id,
                gate->on ? "true" : "false",
                gate->stage,
                gate->help
            );
        } else {
            printf("Feature: %s\nEnabled: %s\n", gate->id, gate->on ? "true" : "false");
            printf("Stage: %s\nDescription: %s\n", gate->stage, gate->help);
        }
    }
    if (!found) {
        fprintf(stderr, "Error: feature \"%s\" not found\n", id);
    }
    return found ? EXIT_WELL : EXIT_FAILED;
}

/** Hidden: prints a generated page. */
static int run_docs(const struct sw_cli *cli, const char *page)
{
    if (page == NULL || strcmp(page, "configuration") != 0) {
        return refuse_usage("unknown page", page != NULL ? page : "");
    }
    char *text = sw_docs_configuration(cli->components, cli->components_count);
    if (text == NULL) {
        fprintf(stderr, "Error: out of memory\n");
        return EXIT_FAILED;
    }
    fputs(text, stdout);
    sw_free(text);
    return EXIT_WELL;
}

/** One of the configurations of route; its findings are shown. */
static int load_for_route(
    const struct sw_cli *cli,
    struct options *options,
    const char *only,
    struct sw_conf **ret_conf
)
{
    struct sw_conf_errors errors = {0};
    if (only != NULL) {
        options->configs[0] = only;
        options->args.configs_count = 1;
    }
    int err = load(cli, options, SW_CONF_VALIDATE, ret_conf, &errors);
    show_findings(&errors);
    sw_conf_errors_fini(&errors);
    return err;
}

static int run_route(const struct sw_cli *cli, struct options *options)
{
    struct sw_conf *conf = NULL;
    struct sw_conf *other = NULL;
    struct sw_appliance *appliance = NULL;
    char appliance_error[APPLIANCE_ERROR_MAX];
    int code = EXIT_FAILED;
    if (options->diff && options->args.configs_count > 0) {
        return refuse_usage("route --diff takes two operands instead", "--config");
    }
    int err = load_for_route(cli, options, options->diff ? options->operands[0] : NULL, &conf);
    if (err == SW_OK && options->diff) {
        err = load_for_route(cli, options, options->operands[1], &other);
    }
    if (load_appliance(options, conf, &appliance, appliance_error) != SW_OK) {
        fprintf(stderr, "Error: appliance file: %s\n", appliance_error);
    } else if (err == SW_OK && cli->route != NULL) {
        code = cli->route(conf, appliance, options->diff ? NULL : options->operands[0], other);
    }
    sw_appliance_free(appliance);
    sw_conf_free(other);
    sw_conf_free(conf);
    return code;
}

static int run(const struct sw_cli *cli, struct options *options)
{
    struct sw_conf *conf = NULL;
    struct sw_appliance *appliance = NULL;
    struct sw_conf_errors errors = {0};
    char appliance_error[APPLIANCE_ERROR_MAX];
    int code = EXIT_FAILED;
    int err = load(cli, options, SW_CONF_START, &conf, &errors);
    show_findings(&errors);
    sw_conf_errors_fini(&errors);
    if (load_appliance(options, conf, &appliance, appliance_error) != SW_OK) {
        fprintf(stderr, "Error: appliance file: %s\n", appliance_error);
    } else if (err == SW_OK) {
        code = cli->run(conf, appliance);
    }
    sw_appliance_free(appliance);
    sw_conf_free(conf);
    return code;
}

static int dispatch(const struct sw_cli *cli, struct options *options)
{
    const char *command = options->command;
    if (options->version) {
        printf("spanweir version %s\n", cli->version);
        return EXIT_WELL;
    }
    if (options->help || strcmp(command, "help") == 0) {
        fputs(usage, stdout);
        return EXIT_WELL;
    }
    if (strcmp(command, "validate") == 0) {
        return run_validate(cli, options);
    }
    if (strncmp(command, "print-", 6) == 0) {
        return run_print_config(cli, options);
    }
    if (strcmp(command, "components") == 0) {
        return run_components(cli);
    }
    if (strcmp(command, "featuregate") == 0) {
        return run_featuregate(options->operands[0]);
    }
    if (strcmp(command, "route") == 0) {
        return run_route(cli, options);
    }
    if (strcmp(command, "docs") == 0) {
        return run_docs(cli, options->operands[0]);
    }
    return run(cli, options);
}

int sw_cli_main(int argc, char **argv, const struct sw_cli *cli)
{
    if (argc > 1 && strcmp(argv[1], "queue") == 0 && cli->queue != NULL) {
        return cli->queue(argc - 2, argv + 2);
    }
    struct options options = {0};
    size_t most = (size_t)argc + 1;
    options.configs = sw_zalloc(most * sizeof(*options.configs));
    options.sets = sw_zalloc(most * sizeof(*options.sets));
    options.gates = sw_zalloc(most * sizeof(*options.gates));
    int code = EXIT_FAILED;
    if (options.configs == NULL || options.sets == NULL || options.gates == NULL) {
        fprintf(stderr, "Error: out of memory\n");
    } else {
        code = parse_arguments(&options, argc, argv);
        if (code == EXIT_WELL) {
            code = dispatch(cli, &options);
        }
    }
    sw_free(options.configs);
    sw_free(options.sets);
    sw_free(options.gates);
    return code;
}
