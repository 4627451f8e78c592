#include "dataplane/l7_http/grpc.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"

#include <stdio.h>

/* ---- messages ---- */

void sw_grpc_reader_init(
    struct sw_grpc_reader *reader,
    uint32_t limit,
    struct sw_account *account,
    struct sw_http_budget *budget
)
{
    *reader = (struct sw_grpc_reader){.limit = limit, .account = account, .budget = budget};
}

static void give_back(struct sw_grpc_reader *reader)
{
    if (reader->taken_bytes > 0) {
        sw_http_budget_give(reader->budget, reader->taken_bytes);
        reader->taken_bytes = 0;
    }
}

void sw_grpc_reader_fini(struct sw_grpc_reader *reader)
{
    sw_buf_unref(reader->buf);
    reader->buf = NULL;
    give_back(reader);
}

// The prefix is whole: the message gets its room, or not.
static int begin_message(struct sw_grpc_reader *reader)
{
    const uint8_t *prefix = reader->prefix;
    reader->compressed = prefix[0] == 1;
    reader->length = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16
                     | (uint32_t)prefix[3] << 8 | prefix[4];
    if (reader->length > reader->limit) {
        return SW_E_TOO_LARGE; // asked before the flag, as in grpc-go's parser.recvMsg
    }
    if (prefix[0] > 1) {
        return SW_E_PROTOCOL;
    }
    if (!sw_http_budget_take(reader->budget, reader->length)) {
        return SW_E_FULL;
    }
    reader->taken_bytes = reader->length;
    reader->buf = sw_buf_new(reader->account, reader->length);
    if (reader->buf == NULL) {
        give_back(reader);
        return SW_E_NOMEM;
    }
    reader->done = reader->length == 0;
    return SW_OK;
}

int sw_grpc_reader_feed(struct sw_grpc_reader *reader, const uint8_t *data, size_t size)
{
    if (reader->err != SW_OK || reader->done) {
        return reader->err;
    }
    if (reader->prefix_len < SW_GRPC_PREFIX_BYTES) {
        size_t take = SW_MIN(size, (size_t)SW_GRPC_PREFIX_BYTES - reader->prefix_len);
        memcpy(reader->prefix + reader->prefix_len, data, take);
        reader->prefix_len = (uint8_t)(reader->prefix_len + take);
        data += take;
        size -= take;
        if (reader->prefix_len < SW_GRPC_PREFIX_BYTES) {
            return SW_OK;
        }
        reader->err = begin_message(reader);
        if (reader->err != SW_OK || reader->done) {
            return reader->err;
        }
    }
    struct sw_buf *buf = reader->buf;
    size_t take = SW_MIN(size, (size_t)(reader->length - buf->size));
    memcpy(buf->data + buf->size, data, take);
    buf->size += (uint32_t)take;
    reader->done = buf->size == reader->length;
    return SW_OK;
}

struct sw_buf *sw_grpc_reader_take(struct sw_grpc_reader *reader)
{
    SW_ASSERT(reader->done && reader->buf != NULL);
    struct sw_buf *buf = reader->buf;
    reader->buf = NULL;
    give_back(reader);
    return buf;
}

void sw_grpc_prefix(uint8_t out[SW_GRPC_PREFIX_BYTES], bool compressed, uint32_t length)
{
    out[0] = compressed ? 1 : 0;
    out[1] = (uint8_t)(length >> 24);
    out[2] = (uint8_t)(length >> 16);
    out[3] = (uint8_t)(length >> 8);
    out[4] = (uint8_t)length;
}

/* ---- grpc-timeout ---- */

static uint64_t unit_ns(char unit)
{
    switch (unit) {
    case 'H':
        return 3600 * SW_NS_PER_S;
    case 'M':
        return 60 * SW_NS_PER_S;
    case 'S':
        return SW_NS_PER_S;
    case 'm':
        return SW_NS_PER_MS;
    case 'u':
        return SW_NS_PER_US;
    case 'n':
        return 1;
    default:
        return 0;
    }
}

// grpc-go internal/transport/http_util.go decodeTimeout.
int sw_grpc_timeout_parse(struct sw_http_text text, uint64_t *ret_ns, const char **ret_why)
{
    uint64_t number;
    if (text.len < 2) {
        *ret_why = "transport: timeout string is too short";
        return SW_E_INVALID;
    }
    if (text.len > 9) {
        *ret_why = "transport: timeout string is too long";
        return SW_E_INVALID;
    }
    uint64_t unit = unit_ns(text.data[text.len - 1]);
    if (unit == 0) {
        *ret_why = "transport: timeout unit is not recognized";
        return SW_E_INVALID;
    }
    if (!sw_http_text_number((struct sw_http_text){text.data, text.len - 1}, &number)) {
        *ret_why = "strconv.ParseUint: invalid syntax";
        return SW_E_INVALID;
    }
    // Go's durations end at 2^63-1 ns; 99999999 hours would pass it.
    *ret_ns = number > (uint64_t)INT64_MAX / unit ? (uint64_t)INT64_MAX : number * unit;
    return SW_OK;
}

// grpc-go internal/grpcutil/encode_duration.go.
size_t sw_grpc_timeout_format(uint64_t ns, char out[16])
{
    static const char units[] = {'n', 'u', 'm', 'S', 'M', 'H'};
    uint64_t number = 0;
    size_t i = 0;
    for (; i < sizeof(units); i++) {
        uint64_t unit = unit_ns(units[i]);
        number = ns / unit + (ns % unit > 0 ? 1 : 0);
        if (number <= 99999999) {
            break;
        }
    }
    SW_ASSERT(i < sizeof(units)); // 2^64 ns are 5 million hours
    return (size_t)snprintf(out, 16, "%u%c", (unsigned)number, units[i]);
}

/* ---- codes ---- */

const char *sw_grpc_code_name(int code)
{
    static const char *const names[] = {
        [SW_GRPC_OK] = "OK",
        [SW_GRPC_CANCELLED] = "Canceled",
        [SW_GRPC_UNKNOWN] = "Unknown",
        [SW_GRPC_INVALID_ARGUMENT] = "InvalidArgument",
        [SW_GRPC_DEADLINE_EXCEEDED] = "DeadlineExceeded",
        [SW_GRPC_NOT_FOUND] = "NotFound",
        [SW_GRPC_ALREADY_EXISTS] = "AlreadyExists",
        [SW_GRPC_PERMISSION_DENIED] = "PermissionDenied",
        [SW_GRPC_RESOURCE_EXHAUSTED] = "ResourceExhausted",
        [SW_GRPC_FAILED_PRECONDITION] = "FailedPrecondition",
        [SW_GRPC_ABORTED] = "Aborted",
        [SW_GRPC_OUT_OF_RANGE] = "OutOfRange",
        [SW_GRPC_UNIMPLEMENTED] = "Unimplemented",
        [SW_GRPC_INTERNAL] = "Internal",
        [SW_GRPC_UNAVAILABLE] = "Unavailable",
        [SW_GRPC_DATA_LOSS] = "DataLoss",
        [SW_GRPC_UNAUTHENTICATED] = "Unauthenticated",
    };
    return code >= 0 && code < (int)SW_ARRAY_SIZE(names) ? names[code] : NULL;
}

const char *sw_grpc_code_word(int code)
{
    static const char *const words[] = {
        [SW_GRPC_OK] = "OK",
        [SW_GRPC_CANCELLED] = "CANCELLED",
        [SW_GRPC_UNKNOWN] = "UNKNOWN",
        [SW_GRPC_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
        [SW_GRPC_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
        [SW_GRPC_NOT_FOUND] = "NOT_FOUND",
        [SW_GRPC_ALREADY_EXISTS] = "ALREADY_EXISTS",
        [SW_GRPC_PERMISSION_DENIED] = "PERMISSION_DENIED",
        [SW_GRPC_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
        [SW_GRPC_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
        [SW_GRPC_ABORTED] = "ABORTED",
        [SW_GRPC_OUT_OF_RANGE] = "OUT_OF_RANGE",
        [SW_GRPC_UNIMPLEMENTED] = "UNIMPLEMENTED",
        [SW_GRPC_INTERNAL] = "INTERNAL",
        [SW_GRPC_UNAVAILABLE] = "UNAVAILABLE",
        [SW_GRPC_DATA_LOSS] = "DATA_LOSS",
        [SW_GRPC_UNAUTHENTICATED] = "UNAUTHENTICATED",
    };
    return code >= 0 && code < (int)SW_ARRAY_SIZE(words) ? words[code] : NULL;
}

// grpc-go internal/transport/http_util.go http2ErrConvTab.
int sw_grpc_code_of_reset(uint32_t h2_code)
{
    switch (h2_code) {
    case SW_H2_REFUSED_STREAM:
        return SW_GRPC_UNAVAILABLE;
    case SW_H2_CANCEL:
        return SW_GRPC_CANCELLED;
    case SW_H2_FLOW_CONTROL_ERROR:
    case SW_H2_ENHANCE_YOUR_CALM:
        return SW_GRPC_RESOURCE_EXHAUSTED;
    case SW_H2_INADEQUATE_SECURITY:
        return SW_GRPC_PERMISSION_DENIED;
    default:
        return h2_code <= SW_H2_HTTP_1_1_REQUIRED ? SW_GRPC_INTERNAL : SW_GRPC_UNKNOWN;
    }
}

// grpc-go internal/transport/http_util.go HTTPStatusConvTab.
int sw_grpc_code_of_http(unsigned status)
{
    switch (status) {
    case 400:
        return SW_GRPC_INTERNAL;
    case 401:
        return SW_GRPC_UNAUTHENTICATED;
    case 403:
        return SW_GRPC_PERMISSION_DENIED;
    case 404:
        return SW_GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return SW_GRPC_UNAVAILABLE;
    default:
        return SW_GRPC_UNKNOWN;
    }
}
