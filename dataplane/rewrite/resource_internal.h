/* What the files of the resource processor share: resource_actions.c (the configuration made ready),
 * resource_edit.c (one resource), resource_batch.c (a batch), resource.c (the stage). */
#ifndef SW_REWRITE_RESOURCE_INTERNAL_H
#define SW_REWRITE_RESOURCE_INTERNAL_H

#include "dataplane/otlp/batch.h"
#include "dataplane/otlp/protobuf.h"
#include "dataplane/rewrite/resource_conf.h"

/** One action, ready to be done. */
struct resource_action {
    enum sw_resource_action what;
    struct sw_bytes key;
    struct sw_bytes from;     /**< attribute whose value is taken; size 0: none */
    struct sw_bytes value;    /**< AnyValue message; meaningful if has_value */
    struct sw_bytes fallback; /**< likewise, when the source is missing */
    bool has_value;
    bool has_fallback;
};

/** All of them, constant. Any thread. */
struct resource_actions {
    struct resource_action *items;
    size_t count;
    uint8_t *bytes; /**< of the values */
};

/** @return 0 or SW_E_NOMEM */
SW_CHECKED int
sw_resource_actions_new(const struct sw_resource_conf *conf, struct resource_actions **ret_actions);
/** NULL is legal. */
void sw_resource_actions_free(struct resource_actions *actions);

/* ---- one resource ---- */

struct resource_entry;

/** The attributes of a resource while it is changed. Its memory is kept for the next one. */
struct resource_editor {
    struct resource_entry *entries;
    size_t count;
    size_t capacity;
    struct sw_bytes resource; /**< what it was made of, borrowed */
};

void sw_resource_editor_fini(struct resource_editor *editor);

/** Does the actions.
 *
 * @param resource  the Resource message; lives until sw_resource_edit_write
 * @param ret_size  bytes of the new Resource message
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_resource_edit(
    struct resource_editor *editor,
    const struct resource_actions *actions,
    struct sw_bytes resource,
    size_t *ret_size
);

/** Writes the new message, ret_size bytes. @return behind it */
uint8_t *sw_resource_edit_write(const struct resource_editor *editor, uint8_t *out);

/* ---- a batch ---- */

#define RESOURCE_CACHE_SLOTS 64u

/** What a resource of this batch became. */
struct resource_made {
    uint64_t batch_number; /**< 0: nothing */
    uint64_t hash;
    struct sw_bytes before;
    struct sw_piece after; /**< the field, tag and length included */
};

/** One core's. */
struct resource_rewriter {
    const struct resource_actions *actions;
    struct sw_account *account;
    struct resource_editor editor;
    struct resource_made made[RESOURCE_CACHE_SLOTS];
    uint64_t batch_number;
    struct sw_buf *buf; /**< new resources of this batch; NULL: none yet */
    uint8_t *joined;    /**< a resource that came in several fields */
    size_t joined_size;
    size_t joined_capacity;
};

void sw_resource_rewriter_fini(struct resource_rewriter *rewriter);

/** A batch with the same spans and changed resources; `batch` is left as it is.
 * @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_resource_rewrite(
    struct resource_rewriter *rewriter,
    const struct sw_batch *batch,
    struct sw_batch **ret_batch
);

#endif
