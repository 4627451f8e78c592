/* What the files of this module share: actions.c (the configured actions made ready), value_bytes.c
 * (configured values as messages), editor.c and editor_write.c (the attributes of one message),
 * editor_value.c (hash, extract, convert), resource_batch.c (resources of a batch), match.c (include,
 * exclude). */
#ifndef SW_REWRITE_INTERNAL_H
#define SW_REWRITE_INTERNAL_H

#include "dataplane/base/digest.h"
#include "dataplane/base/pattern.h"
#include "dataplane/otlp/batch.h"
#include "dataplane/otlp/client.h"
#include "dataplane/otlp/rebuild.h"
#include "dataplane/otlp/value_text.h"
#include "dataplane/rewrite/action_conf.h"

/* ---- AnyValue messages ---- */

#define ANY_STRING SW_PB_TAG(1, SW_PB_LEN)
#define ANY_BOOL   SW_PB_TAG(2, SW_PB_VARINT)
#define ANY_INT    SW_PB_TAG(3, SW_PB_VARINT)
#define ANY_DOUBLE SW_PB_TAG(4, SW_PB_I64)
#define ANY_ARRAY  SW_PB_TAG(5, SW_PB_LEN)
#define ANY_MAP    SW_PB_TAG(6, SW_PB_LEN)
#define KEY_KEY    SW_PB_TAG(1, SW_PB_LEN)
#define KEY_VALUE  SW_PB_TAG(2, SW_PB_LEN)

/** A configured value as an AnyValue message; out NULL measures. @return bytes written or needed */
size_t sw_value_bytes(uint8_t *out, const struct sw_value *value);

/* ---- actions ---- */

enum context_source {
    CONTEXT_NONE,
    CONTEXT_ADDRESS,
    CONTEXT_METADATA,
    CONTEXT_AUTH, // there is no authenticator yet whose data it could be: always missing
};

/** One action, ready to be done. */
struct action {
    enum sw_action what;
    struct sw_bytes key;      /**< size 0: a pattern says it all */
    struct sw_bytes from;     /**< attribute whose value is taken; size 0: none */
    struct sw_bytes value;    /**< AnyValue message; meaningful if has_value */
    struct sw_bytes fallback; /**< likewise, when the source is missing */
    bool has_value;
    bool has_fallback;
    enum context_source context;
    struct sw_bytes context_name; /**< of the metadata */
    enum sw_any_type converted;   /**< SW_ANY_INT, DOUBLE, STRING */
    struct sw_pattern *pattern;   /**< NULL: none */
    struct sw_bytes *groups;      /**< names of its groups, from the first on */
};

/** All of them, constant. Any thread. */
struct actions {
    struct action *items;
    size_t count;
    uint8_t *bytes; /**< of the values */
    uint32_t groups_max;
    size_t growth_size; /**< bytes that they are likely to add */
    bool uses_context;
    bool uses_pattern;
    bool uses_hash;
};

/** @param list  of struct sw_action_conf, checked
 * @return 0, SW_E_NOMEM, SW_E_INVALID (a pattern: never after the check) */
SW_CHECKED int sw_actions_new(const struct sw_list *list, struct actions **ret_actions);
/** NULL is legal. */
void sw_actions_free(struct actions *actions);

/* ---- the attributes of one message ---- */

enum entry_kind {
    ENTRY_AS_IS, // body: the KeyValue message
    ENTRY_VALUE, // body: the AnyValue message
    ENTRY_TAKEN, // body: a KeyValue message of another key, whose value it is
};

struct entry {
    enum entry_kind kind;
    struct sw_bytes key;
    struct sw_bytes body;
};

/** Bytes that live until the next message (or batch). */
struct scratch {
    struct scratch_chunk *first;
    struct scratch_chunk *current;
};

void sw_scratch_fini(struct scratch *scratch);
void sw_scratch_reset(struct scratch *scratch);
/** NULL when out of memory. */
uint8_t *sw_scratch_take(struct scratch *scratch, size_t size);

/** One core's. Its memory is kept for the next message. */
struct editor {
    const struct actions *actions;
    struct entry *entries;
    size_t count;
    size_t capacity;
    struct sw_bytes *keys; /**< that a pattern matched */
    size_t keys_count;
    size_t keys_capacity;
    struct sw_bytes *contexts; /**< AnyValue by action; data NULL: missing */
    struct sw_bytes message;   /**< that is edited, borrowed */
    uint32_t tag;              /**< of its attributes */
    struct scratch scratch;
    struct scratch context_scratch;
    struct sw_value_text text;
    struct sw_pattern_scratch *finder;
    struct sw_digest *digest;
    bool changed;
    uint32_t given_up_count; /**< searches that took too long, since it was last zeroed */
};

SW_CHECKED int sw_editor_init(struct editor *editor, const struct actions *actions);
void sw_editor_fini(struct editor *editor);

/** A new batch, of this client (NULL: nobody in particular). @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_editor_begin(struct editor *editor, const struct sw_client *client);

/** Does the actions on the attributes of a message; editor->changed tells whether anything came of it.
 *
 * @param message   lives until sw_editor_write
 * @param tag       of its attributes
 * @param ret_size  bytes of the new message
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int
sw_editor_edit(struct editor *editor, struct sw_bytes message, uint32_t tag, size_t *ret_size);

/** Writes the new message, ret_size bytes. @return behind it */
uint8_t *sw_editor_write(const struct editor *editor, uint8_t *out);

/* between editor.c and its siblings */

struct entry *sw_editor_find(const struct editor *editor, struct sw_bytes key);
SW_CHECKED int sw_editor_put(struct editor *editor, struct sw_bytes key, struct sw_bytes value);
size_t sw_editor_size(const struct editor *editor);
SW_CHECKED int sw_editor_hash(struct editor *editor, struct entry *entry);
SW_CHECKED int sw_editor_extract(struct editor *editor, const struct action *action);
SW_CHECKED int sw_editor_convert(struct editor *editor, const struct action *action);
/** A string as an AnyValue message in the scratch; data NULL when out of memory. */
struct sw_bytes sw_scratch_string(struct scratch *scratch, struct sw_bytes text);

/* ---- resources of a batch ---- */

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
    struct sw_account *account;
    struct editor editor;
    struct resource_made made[RESOURCE_CACHE_SLOTS];
    uint64_t batch_number;
    struct sw_buf *buf; /**< new resources of this batch; NULL: none yet */
    uint8_t *joined;    /**< a resource that came in several fields */
    size_t joined_size;
    size_t joined_capacity;
};

void sw_resource_rewriter_fini(struct resource_rewriter *rewriter);

/** A batch with the same items and changed resources; `batch` is left as it is.
 * @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_resource_rewrite(
    struct resource_rewriter *rewriter,
    const struct sw_batch *batch,
    struct sw_batch **ret_batch
);

/* ---- include and exclude ---- */

struct sw_match_conf;

/** What items must be like, constant. Any thread. */
struct match;

/** One core's. */
struct matcher {
    struct sw_pattern_scratch *finder;
    struct sw_value_text text;
    uint32_t given_up_count;
};

SW_CHECKED int sw_matcher_init(struct matcher *matcher);
void sw_matcher_fini(struct matcher *matcher);

/** @param error  why the configuration does not suit the signal, NUL-terminated
 * @return 0 (*ret_match NULL: everything matches), SW_E_INVALID, SW_E_NOMEM */
SW_CHECKED int sw_match_new(
    const struct sw_match_conf *conf,
    enum sw_signal signal,
    struct match **ret_match,
    char *error,
    size_t error_size
);
/** NULL is legal. */
void sw_match_free(struct match *match);

/** Resource or scope are looked at. */
bool sw_match_uses_envelopes(const struct match *match);

/** A span, a log record or a metric (item->message). */
bool sw_match_item(
    const struct match *match,
    struct matcher *matcher,
    const struct sw_rebuild_item *item
);

#endif
