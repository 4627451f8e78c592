/* OTLP/JSON from anybody: what is read is a valid request that protobuf-c reads too, what is written is read back
 * as the same, and slices change nothing. The first byte picks the signal; 'p' and what follows it are
 * protobuf, for the writer alone. */
#include "tests/lib/json.h"

#include "tests/lib/otlp_compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct sw_buf *a, const struct sw_buf *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* What we read must be what everybody reads: the reference validator, the walkers and protobuf-c, of all
 * signals. */
static void check_request(enum sw_signal signal, const struct json_reading *reading)
{
    struct sw_otlp_counts counts;
    const struct sw_buf *buf = reading->request;
    AGREE(otlp_compare(signal, buf->data, buf->size));
    AGREE(sw_otlp_validate(signal, buf->data, buf->size, &counts, NULL) == SW_OK);
    AGREE(counts.migrate || counts.items == reading->items_count);
}

/* Protobuf-c writes again what it read of the request. */
static struct sw_buf *repack(enum sw_signal signal, const struct sw_buf *request)
{
    ProtobufCMessage *message = oracle_unpack(signal, request->data, request->size);
    AGREE(message != NULL);
    struct sw_buf *packed = sw_buf_new(NULL, (uint32_t)protobuf_c_message_get_packed_size(message));
    packed->size = (uint32_t)protobuf_c_message_pack(message, packed->data);
    protobuf_c_message_free_unpacked(message, NULL);
    return packed;
}

/* The JSON of what protobuf-c makes of a request is the JSON of the request. */
static void check_repacked(enum sw_signal signal, const struct sw_buf *request, struct sw_buf *json)
{
    struct sw_buf *other = NULL;
    struct sw_buf *packed = repack(signal, request);
    AGREE(json_write(signal, json_bytes(packed), SIZE_MAX, NULL, &other) == SW_OK);
    AGREE(same(json, other));
    sw_buf_unref(packed);
    sw_buf_unref(other);
}

/* JSON, protobuf, JSON, protobuf: after the first round nothing changes any more, and protobuf-c reads
 * both as we do. */
static void check_rounds(enum sw_signal signal, const struct json_reading *first)
{
    struct sw_buf *json = NULL;
    struct sw_buf *again = NULL;
    struct sw_buf *sliced = NULL;
    AGREE(json_write(signal, json_bytes(first->request), SIZE_MAX, NULL, &json) == SW_OK);
    AGREE(json_write(signal, json_bytes(first->request), 1, NULL, &sliced) == SW_OK);
    AGREE(same(json, sliced));
    struct json_reading second = json_read(signal, json_bytes(json), SIZE_MAX, NULL);
    AGREE(second.err == SW_OK && second.items_count == first->items_count);
    AGREE(json_write(signal, json_bytes(second.request), SIZE_MAX, NULL, &again) == SW_OK);
    AGREE(same(json, again));
    check_request(signal, &second);
    check_repacked(signal, second.request, json);
    sw_buf_unref(json);
    sw_buf_unref(again);
    sw_buf_unref(sliced);
    sw_buf_unref(second.request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    if (data[0] == 'p') {
        struct sw_buf *json = NULL;
        enum sw_signal signal = data[1] % SW_SIGNALS_COUNT;
        struct sw_bytes request = {data + 2, size - 2};
        int err = json_write(signal, request, 32, NULL, &json);
        AGREE(err == SW_OK || err == SW_E_MALFORMED);
        if (err == SW_OK) {
            struct json_reading reading = json_read(signal, json_bytes(json), SIZE_MAX, NULL);
            AGREE(reading.err == SW_OK);
            sw_buf_unref(reading.request);
        }
        sw_buf_unref(json);
        return 0;
    }
    enum sw_signal signal = data[0] % SW_SIGNALS_COUNT;
    struct sw_bytes json = {data + 1, size - 1};
    struct json_reading whole = json_read(signal, json, SIZE_MAX, NULL);
    struct json_reading sliced = json_read(signal, json, 1, NULL);
    AGREE(whole.err == sliced.err);
    if (whole.err == SW_OK) {
        AGREE(same(whole.request, sliced.request) && whole.items_count == sliced.items_count);
        check_request(signal, &whole);
        check_rounds(signal, &whole);
    } else {
        AGREE(whole.err == SW_E_MALFORMED && whole.fault.size == sliced.fault.size);
        AGREE(memcmp(whole.fault.text, sliced.fault.text, whole.fault.size) == 0);
    }
    sw_buf_unref(whole.request);
    sw_buf_unref(sliced.request);
    return 0;
}
