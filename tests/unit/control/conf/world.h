/* Configurations from memory: files and variables that a test names, components made for tests. */
#ifndef SW_TESTS_CONF_WORLD_H
#define SW_TESTS_CONF_WORLD_H

#include "control/conf/conf_internal.h"
#include "dataplane/base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WORLD_NAMES_MAX 16

struct world_text {
    const char *name;
    const char *text;
};

/* What a load reads, and what came of it. Zero-initialised by world_open. */
struct world {
    struct world_text files[WORLD_NAMES_MAX];
    struct world_text env[WORLD_NAMES_MAX];
    const char *configs[WORLD_NAMES_MAX];
    const char *sets[WORLD_NAMES_MAX];
    const char *gates[WORLD_NAMES_MAX];
    struct sw_conf_args args;
    const struct sw_component *const *components;
    size_t components_count;
    struct sw_conf *conf;
    struct sw_conf_errors errors;
    int err;
    char text[4096]; /* of the finding or value asked for last */
};

extern struct world world;

/** An empty world: no files, no variables, the components for tests, purpose validate. */
void world_open(void);
void world_close(void);

/** A file that --config names too. */
void world_config(const char *name, const char *text);
/** A file that only references name. */
void world_file(const char *name, const char *text);
void world_env(const char *name, const char *value);
void world_set(const char *set);

/** Loads what the world holds; err, conf and errors say what came of it. */
void world_load(void);
/** One file "c.yaml" whose text is a whole configuration; the load must succeed or fail as said. */
void world_load_text(const char *text);

/** The finding that contains these words, as people see it; NULL when there is none. */
const char *world_finding(const char *words);
/** The i-th finding as people see it, "" behind the last. */
const char *world_finding_at(size_t index);

/* ---- components for tests: one receiver, processors, exporters, a connector, an extension ---- */

struct world_inner {
    bool enabled;
    int64_t count;
    const char *name;
};

struct world_item {
    const char *name;
    int32_t small;
    uint16_t port;
};

struct world_conf {
    bool flag;
    int32_t small;
    uint32_t number;
    int64_t signed_number;
    uint64_t big;
    double ratio;
    int64_t wait_ns;
    const char *text;
    const char *secret;
    int word;
    const char *id;
    struct sw_value value;
    struct sw_list headers;
    struct sw_list texts;
    struct sw_list words;
    struct sw_list items; /* struct world_item */
    struct world_inner section;
    struct world_inner optional;
    struct world_inner optional_on;
    struct world_inner bare;
    struct world_item *pointer;
    struct world_inner squashed;
    const char *old;
    bool no_effect;
    int64_t not_yet;
};

/** Conf of the processor "probe" of the last load. */
struct world_conf *world_probe(void);

/** A configuration with one probe: each line of `keys` is indented under it. Line 4 is the first. */
const char *world_with_probe(const char *keys);
/** Loads it. */
void world_load_probe(const char *keys);

#endif
