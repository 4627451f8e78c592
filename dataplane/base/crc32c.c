#include "dataplane/base/crc32c.h"

#include "dataplane/base/assert.h"

#include <isa-l/crc.h>

// The library counts in int.
#define STEP ((size_t)1 << 30)

uint32_t sw_crc32c(uint32_t crc, const void *data, size_t size)
{
    const unsigned char *at = data;
    uint32_t state = ~crc;
    while (size > 0) {
        size_t step = SW_MIN(size, STEP);
        state = crc32_iscsi((unsigned char *)at, (int)step, state);
        at += step;
        size -= step;
    }
    return ~state;
}
