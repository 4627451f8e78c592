/* Tables that describe configuration: one line per key with its type, default and help. A component
 * declares its keys once as a constant table over its conf struct; the loader (control/conf) decodes
 * by it, print-config and the reference page are written from it.
 *
 * Everything here is constant or written by the loader before the data plane starts. Strings and
 * lists inside a decoded struct belong to the loaded configuration and live as long as it does. */
#ifndef SW_BASE_FIELD_H
#define SW_BASE_FIELD_H

#include "dataplane/base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Items one after the other; the table says of what type. */
struct sw_list {
    void *items;
    size_t count;
};

/** A name and its value: an item of a header list. */
struct sw_pair {
    const char *name;
    const char *value;
};

enum sw_value_kind {
    SW_VALUE_NULL, /**< also: key not written */
    SW_VALUE_BOOL,
    SW_VALUE_INT,
    SW_VALUE_DOUBLE,
    SW_VALUE_STRING,
    SW_VALUE_LIST, /**< items are struct sw_value */
    SW_VALUE_MAP,  /**< items are struct sw_value_entry, in the order written */
};

/** A value whose type the file decides, such as the `value` of a resource action. */
struct sw_value {
    enum sw_value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *string;
        struct sw_list list;
    };
};

struct sw_value_entry {
    const char *key;
    struct sw_value value;
};

enum sw_field_kind {
    SW_FIELD_BOOL,      /**< bool */
    SW_FIELD_INT,       /**< int32_t or int64_t; wraps as the Collector's decoder does */
    SW_FIELD_UINT,      /**< uint16_t, uint32_t or uint64_t; likewise */
    SW_FIELD_FLOAT,     /**< double */
    SW_FIELD_DURATION,  /**< int64_t, nanoseconds */
    SW_FIELD_STRING,    /**< const char *, never NULL */
    SW_FIELD_ENUM,      /**< int: index into words */
    SW_FIELD_ID,        /**< const char *: component ID with blanks trimmed; "" when not given */
    SW_FIELD_VALUE,     /**< struct sw_value */
    SW_FIELD_HEADERS,   /**< struct sw_list of struct sw_pair, sorted by name when given as a map */
    SW_FIELD_SCALARS,   /**< struct sw_list of scalars of item_kind (const char *, int64_t, …) */
    SW_FIELD_LIST,      /**< struct sw_list of structs described by fields */
    SW_FIELD_STRUCT,    /**< nested struct, always there with its defaults */
    SW_FIELD_OPTIONAL,  /**< nested struct with a bool `enabled`: the section is there or not */
    SW_FIELD_POINTER,   /**< pointer to a struct, NULL when the section is not given */
    SW_FIELD_SQUASH,    /**< keys of a nested struct that stand at this level */
    SW_FIELD_ELSEWHERE, /**< known key that the loader decodes by itself */
    SW_FIELD_REMAIN,    /**< table accepts unknown keys if they hold maps; nothing is stored */
};

/** What this build does with a key that is given and differs from its default. */
enum sw_support {
    SW_SUPPORTED,
    SW_NO_EFFECT, /**< known and deliberately without effect here: one warning */
    SW_NOT_YET,   /**< `validate` warns, the start refuses it by name */
};

enum {
    SW_FIELD_OPAQUE = 1 << 0, /**< secret: printed as [REDACTED] */
    SW_FIELD_ICASE = 1 << 1,  /**< words in any case */
    SW_FIELD_OMIT = 1 << 2,   /**< print-config leaves it out when empty, as the Collector does */
    SW_FIELD_ON = 1 << 3,     /**< optional section is enabled when absent */
    SW_FIELD_OLD = 1 << 4,    /**< older spelling: warned about, refused with --strict */
    SW_FIELD_BARE = 1 << 5,   /**< optional section is enabled by its bare key (null) */
};

struct sw_field;

/** How bad a finding is. */
enum sw_complaint {
    SW_COMPLAINT_ERROR,    /**< refused */
    SW_COMPLAINT_BUILD,    /**< the Collector finds it when it builds pipelines: refused, unless the
                                component is unused or the configuration is only printed */
    SW_COMPLAINT_AT_START, /**< the start refuses it, `validate` warns (what the Collector finds only
                                at start, and what this build cannot do yet) */
    SW_COMPLAINT_OLD,      /**< older spelling: a warning, refused with --strict */
    SW_COMPLAINT_WARNING,
};

/** Handed to check functions; made by the loader. Paths are relative to the section that is being
 * checked, parts joined by "::" ("policies::0::name"); NULL or "" means the section itself. */
struct sw_check {
    void (*report
    )(struct sw_check *check, enum sw_complaint complaint, const char *path, const char *text);
    /** Is the key written in the configuration (null counts as not written)? */
    bool (*given)(struct sw_check *check, const char *path);
    /** Is this feature gate on? */
    bool (*gate)(struct sw_check *check, const char *id);
    /** A copy of text that lives as long as the configuration; NULL when out of memory (the load
     * then fails, the check may just return). */
    const char *(*keep)(struct sw_check *check, const char *text);
};

/** Validates one decoded section and may complete it; reports through sw_complain. */
typedef void sw_check_fn(void *section, struct sw_check *check);

void sw_complain(
    struct sw_check *check,
    enum sw_complaint complaint,
    const char *path,
    const char *format,
    ...
) __attribute__((format(printf, 4, 5)));

/** The word of `count` words nearest to a misspelt one, or NULL when none is near. */
const char *sw_nearest(const char *word, const char *const *words, size_t count);

/** Complains of a word that is none of `words` (which end with NULL), and names the nearest of them. */
void sw_complain_word(
    struct sw_check *check,
    enum sw_complaint complaint,
    const char *path,
    const char *word,
    const char *const *words,
    const char *format,
    ...
) __attribute__((format(printf, 6, 7)));

/** Another default for a key of a nested table. */
struct sw_preset {
    const char *key;
    const char *preset;
};

struct sw_field {
    const char *key;                 /**< NULL ends the table */
    const char *help;                /**< one line for the reference page */
    const char *unit;                /**< "MiB", "spans", …; NULL: none or said by the type */
    const char *preset;              /**< default as text; NULL: the zero value. SCALARS: a,b,c */
    const char *note;                /**< why it is not supported, what to use instead */
    const char *const *words;        /**< ENUM: names by value, ends with NULL */
    const struct sw_field *fields;   /**< nested table */
    const struct sw_preset *presets; /**< other defaults for nested keys, ends with NULL key */
    sw_check_fn *check;              /**< run on the decoded section (each item of a list) */
    uint32_t offset;                 /**< in the struct of this table */
    uint32_t size;                   /**< of the member; LIST, POINTER: of one item */
    uint32_t flag_offset;            /**< OPTIONAL: of its `enabled`, in the struct of this table */
    uint8_t kind;                    /**< enum sw_field_kind */
    uint8_t item_kind;               /**< SCALARS */
    uint8_t support;                 /**< enum sw_support */
    uint8_t flags;
};

/* The macros take further members behind the help text: SW_UINT(…, "help", .unit = "MiB"). */
#define SW_MEMBER_SIZE(type, member) sizeof(((type *)0)->member)
/* Stops the build when the member has not the C type that the field kind writes. */
#define SW_MEMBER_AT(type, member, ctype)                                                          \
    (offsetof(type, member)                                                                        \
     + 0                                                                                           \
           * sizeof(                                                                               \
               char[__builtin_types_compatible_p(__typeof__(((type *)0)->member), ctype) ? 1 : -1] \
           ))
#define SW_FIELD_OF(kind_, ctype, key_, type, member, preset_, help_, ...)                         \
    {                                                                                              \
        .key = (key_), .help = (help_), .preset = (preset_),                                       \
        .offset = SW_MEMBER_AT(type, member, ctype), .size = SW_MEMBER_SIZE(type, member),         \
        .kind = (kind_), __VA_ARGS__                                                               \
    }
#define SW_BOOL(key, type, member, preset, help, ...)                                              \
    SW_FIELD_OF(SW_FIELD_BOOL, bool, key, type, member, preset, help, __VA_ARGS__)
#define SW_INT(key, type, member, preset, help, ...)                                               \
    SW_FIELD_OF(                                                                                   \
        SW_FIELD_INT,                                                                              \
        __typeof__(((type *)0)->member),                                                           \
        key,                                                                                       \
        type,                                                                                      \
        member,                                                                                    \
        preset,                                                                                    \
        help,                                                                                      \
        __VA_ARGS__                                                                                \
    )
#define SW_UINT(key, type, member, preset, help, ...)                                              \
    SW_FIELD_OF(                                                                                   \
        SW_FIELD_UINT,                                                                             \
        __typeof__(((type *)0)->member),                                                           \
        key,                                                                                       \
        type,                                                                                      \
        member,                                                                                    \
        preset,                                                                                    \
        help,                                                                                      \
        __VA_ARGS__                                                                                \
    )
#define SW_FLOAT(key, type, member, preset, help, ...)                                             \
    SW_FIELD_OF(SW_FIELD_FLOAT, double, key, type, member, preset, help, __VA_ARGS__)
#define SW_DURATION(key, type, member, preset, help, ...)                                          \
    SW_FIELD_OF(SW_FIELD_DURATION, int64_t, key, type, member, preset, help, __VA_ARGS__)
#define SW_STRING(key, type, member, preset, help, ...)                                            \
    SW_FIELD_OF(SW_FIELD_STRING, const char *, key, type, member, preset, help, __VA_ARGS__)
#define SW_ENUM(key, type, member, words_, preset, help, ...)                                      \
    SW_FIELD_OF(SW_FIELD_ENUM, int, key, type, member, preset, help, .words = (words_), __VA_ARGS__)
#define SW_ID(key, type, member, help, ...)                                                        \
    SW_FIELD_OF(SW_FIELD_ID, const char *, key, type, member, NULL, help, __VA_ARGS__)
#define SW_VALUE(key, type, member, help, ...)                                                     \
    SW_FIELD_OF(SW_FIELD_VALUE, struct sw_value, key, type, member, NULL, help, __VA_ARGS__)
#define SW_HEADERS(key, type, member, help, ...)                                                   \
    SW_FIELD_OF(                                                                                   \
        SW_FIELD_HEADERS,                                                                          \
        struct sw_list,                                                                            \
        key,                                                                                       \
        type,                                                                                      \
        member,                                                                                    \
        NULL,                                                                                      \
        help,                                                                                      \
        .flags = SW_FIELD_OPAQUE,                                                                  \
        __VA_ARGS__                                                                                \
    )
#define SW_STRINGS(key, type, member, preset, help, ...)                                           \
    SW_FIELD_OF(                                                                                   \
        SW_FIELD_SCALARS,                                                                          \
        struct sw_list,                                                                            \
        key,                                                                                       \
        type,                                                                                      \
        member,                                                                                    \
        preset,                                                                                    \
        help,                                                                                      \
        .item_kind = SW_FIELD_STRING,                                                              \
        __VA_ARGS__                                                                                \
    )
#define SW_ENUMS(key, type, member, words_, preset, help, ...)                                     \
    SW_FIELD_OF(                                                                                   \
        SW_FIELD_SCALARS,                                                                          \
        struct sw_list,                                                                            \
        key,                                                                                       \
        type,                                                                                      \
        member,                                                                                    \
        preset,                                                                                    \
        help,                                                                                      \
        .item_kind = SW_FIELD_ENUM,                                                                \
        .words = (words_),                                                                         \
        __VA_ARGS__                                                                                \
    )
#define SW_IDS(key, type, member, help, ...)                                                       \
    SW_FIELD_OF(                                                                                   \
        SW_FIELD_SCALARS,                                                                          \
        struct sw_list,                                                                            \
        key,                                                                                       \
        type,                                                                                      \
        member,                                                                                    \
        NULL,                                                                                      \
        help,                                                                                      \
        .item_kind = SW_FIELD_ID,                                                                  \
        __VA_ARGS__                                                                                \
    )
#define SW_LIST(key_, type, member, item_type, fields_, help_, ...)                                \
    {                                                                                              \
        .key = (key_), .help = (help_), .offset = SW_MEMBER_AT(type, member, struct sw_list),      \
        .size = sizeof(item_type), .kind = SW_FIELD_LIST, .fields = (fields_), __VA_ARGS__         \
    }
#define SW_STRUCT(key_, type, member, fields_, help_, ...)                                         \
    {                                                                                              \
        .key = (key_), .help = (help_), .offset = offsetof(type, member),                          \
        .size = SW_MEMBER_SIZE(type, member), .kind = SW_FIELD_STRUCT, .fields = (fields_),        \
        __VA_ARGS__                                                                                \
    }
/** A section whose table describes the same struct as the one it stands in. */
#define SW_SECTION(key_, type, fields_, help_, ...)                                                \
    {                                                                                              \
        .key = (key_), .help = (help_), .size = sizeof(type), .kind = SW_FIELD_STRUCT,             \
        .fields = (fields_), __VA_ARGS__                                                           \
    }
#define SW_OPTIONAL(key_, type, member, fields_, help_, ...)                                       \
    {                                                                                              \
        .key = (key_), .help = (help_), .offset = offsetof(type, member),                          \
        .size = SW_MEMBER_SIZE(type, member),                                                      \
        .flag_offset = SW_MEMBER_AT(type, member.enabled, bool), .kind = SW_FIELD_OPTIONAL,        \
        .fields = (fields_), __VA_ARGS__                                                           \
    }
#define SW_POINTER(key_, type, member, fields_, help_, ...)                                        \
    {                                                                                              \
        .key = (key_), .help = (help_), .offset = offsetof(type, member),                          \
        .size = sizeof(*((type *)0)->member), .kind = SW_FIELD_POINTER, .fields = (fields_),       \
        __VA_ARGS__                                                                                \
    }
#define SW_SQUASH(type, member, fields_, ...)                                                      \
    {                                                                                              \
        .key = "", .offset = offsetof(type, member), .size = SW_MEMBER_SIZE(type, member),         \
        .kind = SW_FIELD_SQUASH, .fields = (fields_), __VA_ARGS__                                  \
    }
#define SW_ELSEWHERE(key_, help_, ...)                                                             \
    {                                                                                              \
        .key = (key_), .help = (help_), .kind = SW_FIELD_ELSEWHERE, __VA_ARGS__                    \
    }
#define SW_REMAIN(help_, ...)                                                                      \
    {                                                                                              \
        .key = "", .help = (help_), .kind = SW_FIELD_REMAIN, __VA_ARGS__                           \
    }
#define SW_FIELD_END                                                                               \
    {                                                                                              \
        .key = NULL                                                                                \
    }

/** Go's duration text ("1m30s", "1.5h", "10us", "-1s", "0").
 *
 * @param ret_ns  untouched on failure
 * @return 0; SW_E_INVALID with *ret_why "invalid duration", "missing unit in duration", "unknown
 *         unit" or "duration out of range" (constant text)
 */
SW_CHECKED int
sw_duration_parse(const char *text, size_t len, int64_t *ret_ns, const char **ret_why);

/** Room for every text of sw_duration_format. */
#define SW_DURATION_TEXT_MAX 96

/** As Go prints it: 90 s is "1m30s", 300 s "5m0s", 200 ms "200ms", 0 "0s". */
void sw_duration_format(int64_t ns, char text[SW_DURATION_TEXT_MAX]);

/** Index of a word in a NULL-terminated table, or -1. */
int sw_word_index(const char *const *words, const char *text, bool ignore_case);

/** The text of a value of an enum field, or "?" outside the table. */
const char *sw_word_text(const char *const *words, int index);

/** An item of a list: SW_LIST_AT(conf->metadata_keys, const char *, i). */
#define SW_LIST_AT(list, type, index) (((type *)(list).items)[index])

#endif
