#include "control/queue/queue_command.h"

#include "control/queue/queue_internal.h"
#include "dataplane/base/assert.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXIT_USAGE 2
#define PEEK_LIMIT 20

static const char usage[] =
    "Usage: spanweir queue COMMAND DIR [flags]\n"
    "\n"
    "Looks into the queues of a process that has stopped. DIR is the directory of a file_storage "
    "extension, or\n"
    "one data file in it (spanweir_ID.mdb).\n"
    "\n"
    "  ls DIR      the queues: exporter, signal, requests, items, bytes, age of the oldest\n"
    "  peek DIR    the first requests\n"
    "  verify DIR  checks pages and the sum of every request; ends with 1 when something is "
    "damaged\n"
    "  export DIR  all requests as OTLP/JSON lines, oldest first\n"
    "  drain DIR   sends everything to --endpoint; what is taken there is deleted here\n"
    "\n"
    "Flags:\n"
    "  --queue EXPORTER/SIGNAL  only this one, such as otlp_grpc/traces\n"
    "  --format text|json       how it is shown (json: one document; peek: a line each)\n"
    "  --limit N                peek: at most so many of each queue, default 20\n"
    "  --output FILE            export: instead of standard output\n"
    "  --endpoint ADDRESS       drain: host:port of OTLP over gRPC, or with --protocol http a URL\n"
    "  --protocol grpc|http     drain\n"
    "  --help, -h               show this\n";

static int refuse_usage(const char *text, const char *arg)
{
    fprintf(stderr, "Error: %s: %s\nRun 'spanweir queue --help' for usage.\n", text, arg);
    return EXIT_USAGE;
}

/* ---- what is looked at ---- */

static int add_store(struct stores *stores, const char *directory, const char *name)
{
    if (stores->count == STORES_MAX) {
        return sw_queue_fail("%s: more than %d stores", directory, STORES_MAX);
    }
    char *path = stores->paths[stores->count];
    if (sw_inspect_id(name, stores->ids[stores->count], sizeof(stores->ids[0]))) {
        snprintf(path, PATH_BYTES, "%s/%s", directory, name);
        stores->count++;
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int find_stores(const char *directory, struct stores *stores)
{
    struct stat info;
    char *names[STORES_MAX * 4];
    size_t count = 0;
    int code = 0;
    if (stat(directory, &info) != 0) {
        return sw_queue_fail("%s: %s", directory, strerror(errno));
    }
    if (!S_ISDIR(info.st_mode)) {
        char folder[PATH_BYTES];
        const char *slash = strrchr(directory, '/');
        snprintf(
            folder,
            sizeof(folder),
            "%.*s",
            slash != NULL ? (int)(slash - directory) : 1,
            slash != NULL ? directory : "."
        );
        code = add_store(stores, folder, slash != NULL ? slash + 1 : directory);
    } else {
        DIR *listing = opendir(directory);
        const struct dirent *entry;
        while (listing != NULL && count < SW_ARRAY_SIZE(names) && (entry = readdir(listing)) != NULL
        ) {
            names[count] = strdup(entry->d_name);
            count += names[count] != NULL;
        }
        if (listing == NULL) {
            return sw_queue_fail("%s: %s", directory, strerror(errno));
        }
        closedir(listing);
        qsort(names, count, sizeof(names[0]), by_name);
        for (size_t i = 0; i < count; i++) {
            code = code == 0 ? add_store(stores, directory, names[i]) : code;
            free(names[i]);
        }
    }
    if (code == 0 && stores->count == 0) {
        code = sw_queue_fail("%s: there is no store (spanweir_*.mdb) in it", directory);
    }
    return code;
}

/* ---- arguments ---- */

static int set_flag(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "queue") == 0) {
        options->queue = value;
    } else if (strcmp(name, "output") == 0) {
        options->output = value;
    } else if (strcmp(name, "endpoint") == 0) {
        options->endpoint = value;
    } else if (strcmp(name, "format") == 0) {
        options->json = strcmp(value, "json") == 0;
        if (!options->json && strcmp(value, "text") != 0) {
            return refuse_usage("--format is text or json", value);
        }
    } else if (strcmp(name, "protocol") == 0) {
        options->http = strcmp(value, "http") == 0;
        if (!options->http && strcmp(value, "grpc") != 0) {
            return refuse_usage("--protocol is grpc or http", value);
        }
    } else if (strcmp(name, "limit") == 0) {
        char *end;
        options->limit = strtoull(value, &end, 10);
        if (*value == '\0' || *end != '\0' || options->limit == 0) {
            return refuse_usage("--limit is a number above 0", value);
        }
    } else {
        return refuse_usage("unknown flag", name);
    }
    return 0;
}

static int parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.limit = PEEK_LIMIT};
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0) {
            options->help = true;
        } else if (strncmp(arg, "--", 2) == 0) {
            char name[32];
            size_t length = strcspn(arg + 2, "=");
            snprintf(name, sizeof(name), "%.*s", (int)SW_MIN(length, sizeof(name) - 1), arg + 2);
            const char *value = arg[2 + length] == '=' ? arg + 3 + length : NULL;
            if (value == NULL && i + 1 < argc) {
                value = argv[++i];
            }
            if (value == NULL) {
                return refuse_usage("flag needs an argument", arg);
            }
            int code = set_flag(options, name, value);
            if (code != 0) {
                return code;
            }
        } else if (options->command == NULL) {
            options->command = arg;
        } else if (options->directory == NULL) {
            options->directory = arg;
        } else {
            return refuse_usage("unexpected argument", arg);
        }
    }
    return 0;
}

typedef int command_fn(const struct options *options, const struct stores *stores);

static const struct {
    const char *name;
    command_fn *run; // NULL: drain
} commands[] = {
    {"ls", sw_queue_ls},
    {"peek", sw_queue_peek},
    {"verify", sw_queue_verify},
    {"export", sw_queue_export},
    {"drain", NULL},
};

int sw_queue_main(int argc, char **argv, sw_queue_drain_fn *drain)
{
    static struct stores stores; // paths are long
    struct options options;
    int code = parse(&options, argc, argv);
    if (code != 0) {
        return code;
    }
    if (options.help || options.command == NULL || strcmp(options.command, "help") == 0) {
        fputs(usage, options.help || options.command != NULL ? stdout : stderr);
        return options.help || options.command != NULL ? 0 : EXIT_USAGE;
    }
    for (size_t i = 0; i < SW_ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, options.command) != 0) {
            continue;
        }
        if (options.directory == NULL) {
            return refuse_usage("missing argument", "DIR, where the store is");
        }
        if (commands[i].run == NULL && options.endpoint == NULL) {
            return refuse_usage("missing flag", "--endpoint");
        }
        stores.count = 0;
        code = find_stores(options.directory, &stores);
        if (code != 0) {
            return code;
        }
        return commands[i].run != NULL ? commands[i].run(&options, &stores)
                                       : sw_queue_drain_all(&options, &stores, drain);
    }
    return refuse_usage("unknown command", options.command);
}
