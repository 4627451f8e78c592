/* What the commands share: what is wrong is said, a store is opened, a queue is wanted or not. */
#include "control/queue/queue_internal.h"

#include <stdarg.h>
#include <string.h>

int sw_queue_fail(const char *format, ...)
{
    va_list args;
    fputs("Error: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return 1;
}

void sw_queue_print(struct sw_string *text, FILE *to)
{
    if (text->len > 0) {
        fwrite(text->data, 1, text->len, to);
    }
    sw_string_reset(text);
}

bool sw_queue_wanted(const struct options *options, const struct sw_inspect_queue *queue)
{
    char name[SW_RECORD_ID_MAX + 16];
    snprintf(name, sizeof(name), "%s/%s", queue->exporter, sw_signal_name(queue->signal));
    return options->queue == NULL || strcmp(options->queue, name) == 0;
}

struct sw_inspect *sw_queue_open(const char *path)
{
    struct sw_inspect *inspect = NULL;
    char error[PATH_BYTES + 512] = "out of memory";
    int err = sw_inspect_open(path, &inspect, error, sizeof(error));
    if (err == SW_E_MALFORMED) {
        sw_queue_fail(
            "%s; `spanweir queue verify` says more, the next start saves what it can", error
        );
    } else if (err != SW_OK) {
        sw_queue_fail("%s", error);
    }
    return err == SW_OK ? inspect : NULL;
}
