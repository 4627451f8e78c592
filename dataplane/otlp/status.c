#include "dataplane/otlp/status.h"

#include <stdio.h>

#define TAG_CODE           SW_PB_TAG(1, SW_PB_VARINT) // google.rpc.Status
#define TAG_MESSAGE        SW_PB_TAG(2, SW_PB_LEN)
#define TAG_DETAILS        SW_PB_TAG(3, SW_PB_LEN)
#define TAG_TYPE_URL       SW_PB_TAG(1, SW_PB_LEN) // google.protobuf.Any
#define TAG_VALUE          SW_PB_TAG(2, SW_PB_LEN)
#define TAG_RETRY_DELAY    SW_PB_TAG(1, SW_PB_LEN)    // google.rpc.RetryInfo
#define TAG_SECONDS        SW_PB_TAG(1, SW_PB_VARINT) // google.protobuf.Duration
#define TAG_NANOS          SW_PB_TAG(2, SW_PB_VARINT)
#define TAG_PARTIAL        SW_PB_TAG(1, SW_PB_LEN) // ExportTraceServiceResponse
#define TAG_REJECTED       SW_PB_TAG(1, SW_PB_VARINT)
#define TAG_REJECTED_CAUSE SW_PB_TAG(2, SW_PB_LEN)

#define NS_PER_S      UINT64_C(1000000000)
#define RETRY_INFO    "google.rpc.RetryInfo"
#define RETRY_INFO_AT SW_BYTES("type.googleapis.com/" RETRY_INFO)

/* Whether a field has a known number and another wire type than the known one. */
static bool misfit(uint32_t tag, uint32_t known)
{
    return tag >> 3 == known >> 3 && tag != known;
}

/* ---- decoding ---- */

struct detail {
    struct sw_bytes type_url;
    struct sw_bytes value;
};

static bool read_detail(struct sw_bytes any, struct detail *ret_detail)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    *ret_detail = (struct detail){.value = {NULL, 0}};
    sw_pb_reader_init(&reader, any);
    while (sw_pb_next(&reader, &field)) {
        if (misfit(field.tag, TAG_TYPE_URL) || misfit(field.tag, TAG_VALUE)) {
            return false;
        }
        if (field.tag == TAG_TYPE_URL) {
            ret_detail->type_url = field.bytes;
        } else if (field.tag == TAG_VALUE) {
            ret_detail->value = field.bytes;
        }
    }
    return reader.error == SW_PB_OK;
}

/* What stands behind the last slash of the URL names the message. */
static bool is_retry_info(const struct detail *detail)
{
    struct sw_bytes name = detail->type_url;
    for (size_t i = name.size; i > 0; i--) {
        if (name.data[i - 1] == '/') {
            name = (struct sw_bytes){name.data + i, name.size - i};
            break;
        }
    }
    return sw_bytes_equal(name, SW_BYTES(RETRY_INFO));
}

static uint64_t duration_ns(int64_t seconds, int32_t nanos)
{
    // The Collector looks for a positive member and takes the sum; below zero means nothing to wait for.
    __int128 ns = (__int128)seconds * NS_PER_S + nanos;
    if (ns <= 0) {
        return 0;
    }
    return ns > INT64_MAX ? INT64_MAX : (uint64_t)ns;
}

static bool read_duration(struct sw_bytes bytes, int64_t *seconds, int32_t *nanos)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, bytes);
    while (sw_pb_next(&reader, &field)) {
        if (misfit(field.tag, TAG_SECONDS) || misfit(field.tag, TAG_NANOS)) {
            return false;
        }
        if (field.tag == TAG_SECONDS) {
            *seconds = (int64_t)field.number;
        } else if (field.tag == TAG_NANOS) {
            *nanos = (int32_t)field.number;
        }
    }
    return reader.error == SW_PB_OK;
}

static bool read_retry_info(struct sw_bytes bytes, uint64_t *ret_delay_ns)
{
    int64_t seconds = 0;
    int32_t nanos = 0;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, bytes);
    while (sw_pb_next(&reader, &field)) {
        if (misfit(field.tag, TAG_RETRY_DELAY)) {
            return false;
        }
        if (field.tag == TAG_RETRY_DELAY && !read_duration(field.bytes, &seconds, &nanos)) {
            return false;
        }
    }
    if (reader.error != SW_PB_OK) {
        return false;
    }
    *ret_delay_ns = duration_ns(seconds, nanos);
    return true;
}

/* A detail that cannot be read is passed up all the same, but says nothing to us. */
static void look_at_detail(struct sw_rpc_status *status, struct sw_bytes any)
{
    struct detail detail;
    uint64_t delay_ns = 0;
    if (!status->has_retry_info && read_detail(any, &detail) && is_retry_info(&detail)
        && read_retry_info(detail.value, &delay_ns)) {
        status->has_retry_info = true;
        status->retry_delay_ns = delay_ns;
    }
}

int sw_rpc_status_decode(struct sw_bytes bytes, struct sw_rpc_status *ret_status)
{
    struct sw_rpc_status status = {.code = 0};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, bytes);
    while (sw_pb_next(&reader, &field)) {
        if (misfit(field.tag, TAG_CODE) || misfit(field.tag, TAG_MESSAGE)
            || misfit(field.tag, TAG_DETAILS)) {
            return SW_E_MALFORMED;
        }
        if (field.tag == TAG_CODE) {
            status.code = (int32_t)field.number;
        } else if (field.tag == TAG_MESSAGE) {
            status.message = field.bytes;
        } else if (field.tag == TAG_DETAILS) {
            status.details = bytes;
            look_at_detail(&status, field.bytes);
        }
    }
    if (reader.error != SW_PB_OK) {
        return SW_E_MALFORMED;
    }
    *ret_status = status;
    return SW_OK;
}

static bool read_partial(struct sw_bytes bytes, struct sw_export_response *response)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, bytes);
    while (sw_pb_next(&reader, &field)) {
        if (misfit(field.tag, TAG_REJECTED) || misfit(field.tag, TAG_REJECTED_CAUSE)) {
            return false;
        }
        if (field.tag == TAG_REJECTED) {
            response->rejected = (int64_t)field.number;
        } else if (field.tag == TAG_REJECTED_CAUSE) {
            response->message = field.bytes;
        }
    }
    return reader.error == SW_PB_OK;
}

int sw_export_response_decode(struct sw_bytes bytes, struct sw_export_response *ret_response)
{
    struct sw_export_response response = {.has_partial = false};
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, bytes);
    while (sw_pb_next(&reader, &field)) {
        if (misfit(field.tag, TAG_PARTIAL)
            || (field.tag == TAG_PARTIAL && !read_partial(field.bytes, &response))) {
            return SW_E_MALFORMED;
        }
    }
    if (reader.error != SW_PB_OK) {
        return SW_E_MALFORMED;
    }
    response.has_partial = response.rejected != 0 || response.message.size > 0;
    *ret_response = response;
    return SW_OK;
}

/* ---- encoding ---- */

/* Counts what is written and writes what fits. */
struct sink {
    char *out;
    size_t capacity;
    size_t size;
};

static void put(struct sink *sink, const void *data, size_t size)
{
    if (size > 0 && sink->size + size <= sink->capacity) {
        memcpy(sink->out + sink->size, data, size);
    }
    sink->size += size;
}

static void put_text(struct sink *sink, const char *text)
{
    put(sink, text, strlen(text));
}

static void put_varint_field(struct sink *sink, uint32_t tag, uint64_t number)
{
    uint8_t field[2 * SW_PB_VARINT_MAX];
    if (number != 0) {
        const uint8_t *end = sw_pb_put_varint(sw_pb_put_varint(field, tag), number);
        put(sink, field, (size_t)(end - field));
    }
}

static void put_bytes_field(struct sink *sink, uint32_t tag, struct sw_bytes bytes)
{
    uint8_t head[2 * SW_PB_VARINT_MAX];
    const uint8_t *end = sw_pb_put_head(head, tag, bytes.size);
    put(sink, head, (size_t)(end - head));
    put(sink, bytes.data, bytes.size);
}

#define SMALL_MAX 80 // any RetryInfo as Any: 42 + 2 + 2 + 2 * 11

/* RetryInfo in an Any. @return bytes */
static size_t make_retry_info(uint64_t delay_ns, uint8_t out[SMALL_MAX])
{
    char duration[2 * (1 + SW_PB_VARINT_MAX)];
    char retry_info[sizeof(duration) + 2];
    struct sink inner = {duration, sizeof(duration), 0};
    put_varint_field(&inner, TAG_SECONDS, delay_ns / NS_PER_S);
    put_varint_field(&inner, TAG_NANOS, delay_ns % NS_PER_S);
    struct sink outer = {retry_info, sizeof(retry_info), 0};
    put_bytes_field(
        &outer, TAG_RETRY_DELAY, (struct sw_bytes){(const uint8_t *)duration, inner.size}
    );
    struct sink any = {(char *)out, SMALL_MAX, 0};
    put_bytes_field(&any, TAG_TYPE_URL, RETRY_INFO_AT);
    put_bytes_field(&any, TAG_VALUE, (struct sw_bytes){(const uint8_t *)retry_info, outer.size});
    SW_ASSERT(any.size <= SMALL_MAX);
    return any.size;
}

size_t sw_rpc_status_encode(const struct sw_rpc_status *status, uint8_t *out, size_t capacity)
{
    struct sink sink = {(char *)out, capacity, 0};
    put_varint_field(&sink, TAG_CODE, (uint64_t)(int64_t)status->code);
    if (status->message.size > 0) {
        put_bytes_field(&sink, TAG_MESSAGE, status->message);
    }
    if (status->details.size > 0) {
        struct sw_pb_reader reader;
        struct sw_pb_field field;
        sw_pb_reader_init(&reader, status->details);
        while (sw_pb_next(&reader, &field)) {
            if (field.tag == TAG_DETAILS) {
                put(&sink, field.whole.data, field.whole.size);
            }
        }
    } else if (status->has_retry_info) {
        uint8_t any[SMALL_MAX];
        size_t size = make_retry_info(status->retry_delay_ns, any);
        put_bytes_field(&sink, TAG_DETAILS, (struct sw_bytes){any, size});
    }
    return sink.size;
}

size_t
sw_export_response_encode(const struct sw_export_response *response, uint8_t *out, size_t capacity)
{
    struct sink sink = {(char *)out, capacity, 0};
    size_t size = 0;
    if (response->rejected != 0) {
        size += 1 + sw_pb_varint_size((uint64_t)response->rejected);
    }
    if (response->message.size > 0) {
        size += sw_pb_len_size(TAG_REJECTED_CAUSE, response->message.size);
    }
    uint8_t head[1 + SW_PB_VARINT_MAX];
    put(&sink, head, (size_t)(sw_pb_put_head(head, TAG_PARTIAL, size) - head));
    put_varint_field(&sink, TAG_REJECTED, (uint64_t)response->rejected);
    if (response->message.size > 0) {
        put_bytes_field(&sink, TAG_REJECTED_CAUSE, response->message);
    }
    return sink.size;
}

/* ---- JSON ---- */

/* Bytes of the UTF-8 character at the start, 0 when it is none (RFC 3629: no surrogates, no overlong
 * forms, nothing above U+10FFFF). */
static size_t utf8_size(const uint8_t *at, size_t left)
{
    static const struct {
        uint8_t first_min, first_max, second_min, second_max, size;
    } forms[] = {
        {0x00, 0x7f, 0x00, 0xff, 1},
        {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(forms); i++) {
        size_t size = forms[i].size;
        if (at[0] < forms[i].first_min || at[0] > forms[i].first_max) {
            continue;
        }
        if (size > left
            || (size > 1 && (at[1] < forms[i].second_min || at[1] > forms[i].second_max))) {
            return 0;
        }
        for (size_t k = 2; k < size; k++) {
            if ((at[k] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return size;
    }
    return 0;
}

static void put_json_character(struct sink *sink, const uint8_t *at, size_t size)
{
    static const char escaped[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = at[0] == 0 ? NULL : strchr(escaped, at[0]);
    if (found != NULL) {
        char text[2] = {'\\', letters[found - escaped]};
        put(sink, text, sizeof(text));
    } else if (at[0] < 0x20) {
        char text[8];
        snprintf(text, sizeof(text), "\\u%04x", at[0]);
        put_text(sink, text);
    } else {
        put(sink, at, size);
    }
}

static void put_json_string(struct sink *sink, struct sw_bytes text)
{
    put_text(sink, "\"");
    for (size_t i = 0; i < text.size;) {
        size_t size = utf8_size(text.data + i, text.size - i);
        if (size == 0) {
            put_text(sink, "\xef\xbf\xbd");
            i++;
            continue;
        }
        put_json_character(sink, text.data + i, size);
        i += size;
    }
    put_text(sink, "\"");
}

/* A Duration: seconds with none, three, six or nine places. */
static void put_json_duration(struct sink *sink, uint64_t ns)
{
    char text[40];
    unsigned long long seconds = ns / NS_PER_S;
    unsigned rest = (unsigned)(ns % NS_PER_S);
    if (rest == 0) {
        snprintf(text, sizeof(text), "\"%llus\"", seconds);
    } else if (rest % 1000000 == 0) {
        snprintf(text, sizeof(text), "\"%llu.%03us\"", seconds, rest / 1000000);
    } else if (rest % 1000 == 0) {
        snprintf(text, sizeof(text), "\"%llu.%06us\"", seconds, rest / 1000);
    } else {
        snprintf(text, sizeof(text), "\"%llu.%09us\"", seconds, rest);
    }
    put_text(sink, text);
}

static void put_json_detail(struct sink *sink, struct sw_bytes any)
{
    struct detail detail;
    uint64_t delay_ns = 0;
    if (!read_detail(any, &detail)) {
        detail = (struct detail){.value = any};
    }
    put_text(sink, "{\"@type\":");
    put_json_string(sink, detail.type_url);
    if (is_retry_info(&detail) && read_retry_info(detail.value, &delay_ns)) {
        put_text(sink, ",\"retryDelay\":");
        put_json_duration(sink, delay_ns);
    } else {
        put_text(sink, ",\"value\":\"");
        size_t room = sink->size < sink->capacity ? sink->capacity - sink->size : 0;
        sink->size +=
            sw_base64_encode(detail.value, true, room > 0 ? sink->out + sink->size : NULL, room);
        put_text(sink, "\"");
    }
    put_text(sink, "}");
}

static void put_json_details(struct sink *sink, struct sw_bytes details)
{
    bool first = true;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, details);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == TAG_DETAILS) {
            put_text(sink, first ? "\"details\":[" : ",");
            put_json_detail(sink, field.bytes);
            first = false;
        }
    }
    put_text(sink, first ? "" : "]");
}

size_t sw_rpc_status_encode_json(const struct sw_rpc_status *status, char *out, size_t capacity)
{
    struct sink sink = {out, capacity, 0};
    put_text(&sink, "{");
    if (status->code != 0) {
        char text[32];
        snprintf(text, sizeof(text), "\"code\":%d", status->code);
        put_text(&sink, text);
    }
    if (status->message.size > 0) {
        put_text(&sink, sink.size > 1 ? ",\"message\":" : "\"message\":");
        put_json_string(&sink, status->message);
    }
    const char *comma = sink.size > 1 ? "," : "";
    if (status->details.size > 0) {
        put_text(&sink, comma);
        put_json_details(&sink, status->details);
    } else if (status->has_retry_info) {
        uint8_t any[SMALL_MAX];
        size_t size = make_retry_info(status->retry_delay_ns, any);
        put_text(&sink, comma);
        put_text(&sink, "\"details\":[");
        put_json_detail(&sink, (struct sw_bytes){any, size});
        put_text(&sink, "]");
    }
    put_text(&sink, "}");
    return sink.size;
}
