#include "perf/loadgen/wire.h"

#include <string.h>

void sw_lg_put_varint(struct sw_lg_bytes *out, uint64_t value)
{
    uint8_t text[10];
    size_t len = 0;
    do {
        text[len] = (uint8_t)(value & 0x7f) | (value > 0x7f ? 0x80 : 0);
        value >>= 7;
        len++;
    } while (value);
    sw_lg_bytes_put(out, text, len);
}

void sw_lg_put_number(struct sw_lg_bytes *out, unsigned number, uint64_t value)
{
    sw_lg_put_varint(out, number << 3);
    sw_lg_put_varint(out, value);
}

void sw_lg_put_fixed64(struct sw_lg_bytes *out, unsigned number, uint64_t value)
{
    sw_lg_put_varint(out, number << 3 | 1);
    sw_lg_bytes_put(out, &value, sizeof(value));
}

void sw_lg_put_fixed32(struct sw_lg_bytes *out, unsigned number, uint32_t value)
{
    sw_lg_put_varint(out, number << 3 | 5);
    sw_lg_bytes_put(out, &value, sizeof(value));
}

void sw_lg_put_double(struct sw_lg_bytes *out, unsigned number, double value)
{
    sw_lg_put_varint(out, number << 3 | 1);
    sw_lg_bytes_put(out, &value, sizeof(value));
}

void sw_lg_put_message(struct sw_lg_bytes *out, unsigned number, const void *data, size_t len)
{
    sw_lg_put_varint(out, number << 3 | 2);
    sw_lg_put_varint(out, len);
    sw_lg_bytes_put(out, data, len);
}

void sw_lg_put_text(struct sw_lg_bytes *out, unsigned number, const char *text)
{
    sw_lg_put_message(out, number, text, strlen(text));
}

void sw_lg_put_attribute(
    struct sw_lg_bytes *out,
    unsigned number,
    bool reversed,
    const char *key,
    const char *text,
    size_t text_len,
    int64_t integer
)
{
    struct sw_lg_bytes value = {0};
    struct sw_lg_bytes pair = {0};
    if (text) {
        sw_lg_put_message(&value, 1, text, text_len);
    } else {
        sw_lg_put_number(&value, 3, (uint64_t)integer);
    }
    if (!reversed) {
        sw_lg_put_text(&pair, 1, key);
    }
    sw_lg_put_message(&pair, 2, value.data, value.len);
    if (reversed) {
        sw_lg_put_text(&pair, 1, key);
    }
    sw_lg_put_message(out, number, pair.data, pair.len);
    sw_lg_bytes_free(&value);
    sw_lg_bytes_free(&pair);
}

void sw_lg_set_grpc_prefix(uint8_t *data, size_t size, bool compressed)
{
    size_t body = size - SW_LG_GRPC_PREFIX;
    data[0] = compressed;
    for (unsigned i = 0; i < 4; i++) {
        data[1 + i] = (uint8_t)(body >> (24 - 8 * i));
    }
}
