/* Two cores, their nets and one listener, stepped by hand; over any implementation of stream.h. */
#ifndef TESTS_L4_STREAM_WORLD_H
#define TESTS_L4_STREAM_WORLD_H

// cmocka.h needs the four before it
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/base/core.h"
#include "dataplane/l4_stream/stream.h"

#include <stdbool.h>

enum world_kind {
    WORLD_TCP,
    WORLD_UNIX,
    WORLD_MEMORY,
    WORLD_MEMORY_TROUBLED,
};

/** What one end of a connection has seen and is to do. */
struct end {
    struct sw_stream *stream;
    uint64_t received_bytes;
    uint64_t pattern_at; /**< next expected byte of the pattern */
    bool pattern_broken;
    int opens;
    int eofs;
    int drains;
    int closes;
    int err;
    bool close_on_data;
    bool close_on_eof;
    bool close_on_open;
    bool shutdown_on_eof;
    bool pause_on_data;
    struct sw_stream *close_other_on_data;
};

struct world {
    enum world_kind kind;
    struct sw_account account;
    struct sw_core cores[2]; /**< 0: client, 1: server */
    struct sw_memory_wire *wire;
    int listen_fd;
    struct sw_addr addr;
    struct end client;
    struct end server;
    struct end *accept_into; /**< next accepted connection; &server at first */
    char directory[64];
};

extern const struct sw_stream_events end_events;

void world_init(struct world *world, enum world_kind kind, const struct sw_memory_trouble *trouble);
void world_fini(struct world *world);

/** One turn of both cores. */
unsigned world_step(struct world *world);

/** Steps until the condition holds; fails the test when it never does. */
#define world_until(world, condition)                                                              \
    do {                                                                                           \
        unsigned steps_left = 2000000;                                                             \
        while (!(condition)) {                                                                     \
            world_step(world);                                                                     \
            if (--steps_left == 0) {                                                               \
                fail_msg("never: %s", #condition);                                                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/** Connects client and server; both are open on return. */
void world_connect(struct world *world);

/** Byte `at` of the pattern that all tests send. */
static inline uint8_t pattern_byte(uint64_t at)
{
    return (uint8_t)((at * 2654435761u) >> 13);
}

/** A buffer of the pattern from `at` on. */
struct sw_buf *pattern_buf(struct world *world, uint64_t at, uint32_t size);

#endif
