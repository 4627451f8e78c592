/* Reference-counted byte buffers.
 *
 * A buffer belongs to the core that allocated it (its home): only that core takes and drops
 * references and frees it. Another core that was handed a part gives it back by message
 * (mailbox.h), never by unref. What is charged is the whole buffer, for as long as it is pinned.
 */
#ifndef SW_BASE_BUF_H
#define SW_BASE_BUF_H

#include "dataplane/base/assert.h"
#include "dataplane/base/err.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes pinned by buffers, tables and advertised windows, of the whole process. Any thread. */
struct sw_account {
    _Atomic int64_t charged_bytes;
};

static inline void sw_account_charge(struct sw_account *account, int64_t bytes)
{
    if (account != NULL) {
        atomic_fetch_add_explicit(&account->charged_bytes, bytes, memory_order_relaxed);
    }
}

static inline int64_t sw_account_charged(struct sw_account *account)
{
    return atomic_load_explicit(&account->charged_bytes, memory_order_relaxed);
}

struct sw_buf {
    uint32_t refs_count; /**< home core only */
    uint32_t size;       /**< bytes of data[] in use, set by the writer */
    uint32_t capacity;   /**< bytes of data[] */
    uint32_t charged_bytes;
    struct sw_account *account; /**< charged until freed; NULL: not charged */
    uint8_t data[];
};

/** A new buffer with one reference and size 0.
 *
 * @param account  charged with the buffer's whole size, may be NULL
 * @return NULL when out of memory (nothing charged)
 */
struct sw_buf *sw_buf_new(struct sw_account *account, uint32_t capacity);

/** A buffer that holds a copy of the bytes. */
struct sw_buf *sw_buf_copy(struct sw_account *account, const void *data, uint32_t size);

/** Gives back what lies behind `size` when that is worth it; the buffer may move. Only reference. */
struct sw_buf *sw_buf_shrink(struct sw_buf *buf);

void sw_buf_free_internal(struct sw_buf *buf);

/** Home core. Returns buf for chaining; NULL stays NULL. */
static inline struct sw_buf *sw_buf_ref(struct sw_buf *buf)
{
    if (buf != NULL) {
        SW_DASSERT(buf->refs_count > 0);
        buf->refs_count++;
    }
    return buf;
}

/** Home core. Drops a reference; the last frees and uncharges. NULL is legal. */
static inline void sw_buf_unref(struct sw_buf *buf)
{
    if (buf != NULL) {
        SW_DASSERT(buf->refs_count > 0);
        if (--buf->refs_count == 0) {
            sw_buf_free_internal(buf);
        }
    }
}

/** Bytes in a buffer; holds a reference on buf where it says so. buf NULL: static bytes. */
struct sw_piece {
    struct sw_buf *buf;
    const uint8_t *data;
    uint32_t len;
};

#endif
