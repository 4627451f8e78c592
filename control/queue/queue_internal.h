#ifndef SW_QUEUE_QUEUE_COMMAND_INTERNAL_H
#define SW_QUEUE_QUEUE_COMMAND_INTERNAL_H

#include "control/queue/queue_command.h"
#include "control/telemetry/text.h"
#include "storage/journal/inspect.h"

#include <stdio.h>

#define STORES_MAX 64
#define PATH_BYTES 4096

struct options {
    const char *command;
    const char *directory;
    const char *queue; // EXPORTER/SIGNAL; NULL: all
    const char *output;
    const char *endpoint;
    bool http;
    bool json;
    bool help;
    uint64_t limit;
};

struct stores {
    char paths[STORES_MAX][PATH_BYTES];
    char ids[STORES_MAX][512]; // of the extensions
    unsigned count;
};

/* ---- queue_common.c ---- */

/* Is this one of those that were asked for? */
bool sw_queue_wanted(const struct options *options, const struct sw_inspect_queue *queue);
/* Says on standard error what is wrong. @return exit code 1 */
int sw_queue_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Opens it, or says why not. */
struct sw_inspect *sw_queue_open(const char *path);
/* Prints and empties the text. */
void sw_queue_print(struct sw_string *text, FILE *to);

/* ---- queue_show.c ---- */

int sw_queue_ls(const struct options *options, const struct stores *stores);
int sw_queue_peek(const struct options *options, const struct stores *stores);
int sw_queue_verify(const struct options *options, const struct stores *stores);
int sw_queue_export(const struct options *options, const struct stores *stores);

/* ---- queue_drain.c ---- */

int sw_queue_drain_all(
    const struct options *options,
    const struct stores *stores,
    sw_queue_drain_fn *drain
);

#endif
