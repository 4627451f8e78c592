#include "dataplane/pipeline/drain_notice.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char name[] = "spanweir-drain/";
static const char field[] = " notice_ms=";

void sw_drain_notice_write(uint64_t notice_ns, char ret_text[SW_DRAIN_NOTICE_TEXT])
{
    uint64_t ms = SW_MIN(notice_ns, SW_DRAIN_NOTICE_MAX_NS) / SW_NS_PER_MS;
    snprintf(ret_text, SW_DRAIN_NOTICE_TEXT, "%s1%s%" PRIu64, name, field, ms);
}

// Later versions add fields behind this one, or change what a version is for.
bool sw_drain_notice_read(const char *text, size_t len, uint64_t *ret_notice_ns)
{
    const uint64_t most_ms = SW_DRAIN_NOTICE_MAX_NS / SW_NS_PER_MS;
    if (len < sizeof(name) - 1 || memcmp(text, name, sizeof(name) - 1) != 0) {
        return false;
    }
    const char *end = text + len;
    const char *at = memmem(text, len, field, sizeof(field) - 1);
    if (at == NULL) {
        return false;
    }
    at += sizeof(field) - 1;
    uint64_t ms = 0;
    bool number = false;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        ms = SW_MIN(ms * 10 + (uint64_t)(*at - '0'), most_ms);
        number = true;
    }
    if (!number || (at < end && *at != ' ')) {
        return false;
    }
    *ret_notice_ns = ms * SW_NS_PER_MS;
    return true;
}
