#include "dataplane/base/buf.h"

#include "dataplane/base/mem.h"

#include <string.h>

struct sw_buf *sw_buf_new(struct sw_account *account, uint32_t capacity)
{
    struct sw_buf *buf = sw_alloc(sizeof(*buf) + capacity);
    if (buf == NULL) {
        return NULL;
    }
    buf->refs_count = 1;
    buf->size = 0;
    buf->capacity = capacity;
    buf->charged_bytes = (uint32_t)(sizeof(*buf) + capacity);
    buf->account = account;
    sw_account_charge(account, buf->charged_bytes);
    return buf;
}

struct sw_buf *sw_buf_copy(struct sw_account *account, const void *data, uint32_t size)
{
    struct sw_buf *buf = sw_buf_new(account, size);
    if (buf != NULL) {
        memcpy(buf->data, data, size);
        buf->size = size;
    }
    return buf;
}

struct sw_buf *sw_buf_shrink(struct sw_buf *buf)
{
    SW_ASSERT(buf->refs_count == 1);
    if (buf->capacity - buf->size < buf->capacity / 4) {
        return buf;
    }
    struct sw_buf *smaller = sw_realloc(buf, sizeof(*buf) + buf->size);
    if (smaller == NULL) {
        return buf; // keeping the larger one is no error
    }
    uint32_t charge = (uint32_t)(sizeof(*smaller) + smaller->size);
    sw_account_charge(smaller->account, (int64_t)charge - (int64_t)smaller->charged_bytes);
    smaller->charged_bytes = charge;
    smaller->capacity = smaller->size;
    return smaller;
}

void sw_buf_free_internal(struct sw_buf *buf)
{
    sw_account_charge(buf->account, -(int64_t)buf->charged_bytes);
    sw_free(buf);
}
