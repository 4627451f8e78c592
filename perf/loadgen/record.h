/** The record files of sw-loadgen and sw-sink, which sw-check compares.
 *
 * A file is a header of 64 bytes and then one record per span in the order of the events; numbers
 * are little-endian as the machine writes them (a file is read on the machine that wrote it).
 */
#ifndef SW_PERF_LOADGEN_RECORD_H
#define SW_PERF_LOADGEN_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SW_LG_SENT_MAGIC     "SWSENT01"
#define SW_LG_RECEIVED_MAGIC "SWRECV01"

enum sw_lg_state {
    SW_LG_ACKED = 0,    // the peer said OK
    SW_LG_REFUSED = 1,  // the peer said no, and nobody tried again
    SW_LG_UNKNOWN = 2,  // no answer: connection lost or time-out after bytes had left
    SW_LG_NOT_SENT = 3, // no byte of the request ever left
};

enum sw_lg_span_flag {
    SW_LG_FLAG_ERROR = 1, // this span has status ERROR
    SW_LG_FLAG_SLOW = 2,  // this span makes its trace slow
    SW_LG_FLAG_LATE = 4,  // sent after a pause, past the decision
};

struct sw_lg_record_header {
    char magic[8];
    uint64_t seed;
    uint32_t record_size;
    uint32_t spans_per_trace; // 0 in the sink's files
    uint64_t slow_ns;         // what a slow root lasts
    uint8_t reserved[32];
};
_Static_assert(sizeof(struct sw_lg_record_header) == 64, "file format");

struct sw_lg_sent {
    uint8_t trace_id[16];
    uint64_t span_id; // the 8 wire bytes in memory order
    uint8_t state;
    uint8_t flags;
    uint16_t index;
    uint16_t attempts; // times the span's request was sent
    uint16_t reserved;
};
_Static_assert(sizeof(struct sw_lg_sent) == 32, "file format");

struct sw_lg_received {
    uint8_t trace_id[16];
    uint64_t span_id;
};
_Static_assert(sizeof(struct sw_lg_received) == 24, "file format");

/** Creates the file and writes its header; ends the program when it cannot. */
FILE *sw_lg_record_create(const char *path, const struct sw_lg_record_header *header);

/** Closes and ends the program when anything could not be written. */
void sw_lg_record_close(FILE *file, const char *path);

/** Maps a whole file; returns its records and their number, the header through ret_header. */
const void *sw_lg_record_map(
    const char *path,
    const char magic[8],
    uint32_t record_size,
    const struct sw_lg_record_header **ret_header,
    uint64_t *ret_count
);

#endif
