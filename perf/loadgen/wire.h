/** Protobuf wire bytes, as far as the generator's requests need them. */
#ifndef SW_PERF_LOADGEN_WIRE_H
#define SW_PERF_LOADGEN_WIRE_H

#include "perf/loadgen/common.h"

void sw_lg_put_varint(struct sw_lg_bytes *out, uint64_t value);
/** Field with a varint. */
void sw_lg_put_number(struct sw_lg_bytes *out, unsigned number, uint64_t value);
/** Fields of eight and of four bytes. */
void sw_lg_put_fixed64(struct sw_lg_bytes *out, unsigned number, uint64_t value);
void sw_lg_put_fixed32(struct sw_lg_bytes *out, unsigned number, uint32_t value);
void sw_lg_put_double(struct sw_lg_bytes *out, unsigned number, double value);
/** Length-delimited fields: tag, length, bytes; the bytes are the last that is written. */
void sw_lg_put_message(struct sw_lg_bytes *out, unsigned number, const void *data, size_t len);
void sw_lg_put_text(struct sw_lg_bytes *out, unsigned number, const char *text);

/** KeyValue { key 1, value 2 { string 1 | int 3 } }; reversed: the value first. The integer counts
 * where text is NULL. */
void sw_lg_put_attribute(
    struct sw_lg_bytes *out,
    unsigned number,
    bool reversed,
    const char *key,
    const char *text,
    size_t text_len,
    int64_t integer
);

/** Flag and length in front of a gRPC message; prefix and message stand together in `data`. */
#define SW_LG_GRPC_PREFIX 5
void sw_lg_set_grpc_prefix(uint8_t *data, size_t size, bool compressed);

#endif
