/* The files of a window after a crash, with any bytes: what is found lies within them, and it ends. */
#include "dataplane/base/mem.h"
#include "sampling/assemble/assemble.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_within(struct sw_bytes part, const uint8_t *data, size_t size)
{
    if (part.data < data || part.size > size || (size_t)(part.data - data) > size - part.size) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_window_replay *replay;
    struct sw_replayed found;
    // As mapped: from a page's beginning, so that every number is where it is read.
    uint8_t *copy = sw_aligned_alloc(4096, size + 4096);
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, data, size);
    if (sw_window_replay_new((struct sw_bytes){copy, size}, &replay) == SW_OK) {
        while (sw_window_replay_next(replay, &found)) {
            require_within(found.resource, copy, size);
            require_within(found.scope, copy, size);
            require_within(found.spans, copy, size);
        }
        sw_window_replay_free(replay);
    }
    sw_free(copy);
    return 0;
}
