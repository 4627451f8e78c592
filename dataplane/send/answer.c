#include "dataplane/send/answer.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/field.h"
#include "dataplane/l7_http/grpc.h"
#include "dataplane/l7_http/http1.h"
#include "dataplane/otlp/status.h"

#include <stdio.h>

struct sw_buf *sw_text_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    struct sw_buf *buf = len >= 0 ? sw_buf_new(NULL, (uint32_t)len + 1) : NULL;
    if (buf != NULL) {
        vsnprintf((char *)buf->data, (size_t)len + 1, format, again);
        buf->size = (uint32_t)len;
    }
    va_end(again);
    va_end(args);
    return buf;
}

/* ---- outcomes ---- */

// "rpc error: code = <Name> desc = <text>", as Go prints a status.
static struct sw_buf *status_text(const char *before, int code, struct sw_http_text message)
{
    const char *name = sw_grpc_code_name(code);
    char number[24];
    if (name == NULL) {
        snprintf(number, sizeof(number), "Code(%d)", code);
        name = number;
    }
    return sw_text_format(
        "%srpc error: code = %s desc = %.*s", before, name, (int)message.len, message.data
    );
}

static void permanent(int code, struct sw_http_text message, struct sw_outcome *outcome)
{
    outcome->err = SW_E_PERMANENT;
    outcome->permanent = true;
    outcome->text = status_text("Permanent error: ", code, message);
}

// A status without more around it shows its bare message.
static void
retryable(int code, uint64_t delay_ns, struct sw_http_text message, struct sw_outcome *outcome)
{
    outcome->err = code == SW_GRPC_DEADLINE_EXCEEDED ? SW_E_TIMEOUT : SW_E_REFUSED;
    outcome->retry_after_ns = delay_ns;
    if (delay_ns == 0) {
        outcome->text = sw_buf_copy(NULL, message.data, (uint32_t)message.len);
        return;
    }
    char delay[SW_DURATION_TEXT_MAX];
    char before[SW_DURATION_TEXT_MAX + 24];
    sw_duration_format((int64_t)delay_ns, delay);
    snprintf(before, sizeof(before), "Throttle (%s), error: ", delay);
    outcome->text = status_text(before, code, message);
}

void sw_answer_grpc(
    int code,
    struct sw_http_text message,
    struct sw_buf *details,
    struct sw_outcome *ret_outcome
)
{
    struct sw_rpc_status status = {0};
    if (details != NULL
        && sw_rpc_status_decode((struct sw_bytes){details->data, details->size}, &status)
               != SW_OK) {
        sw_buf_unref(details);
        details = NULL;
    }
    *ret_outcome = (struct sw_outcome){.grpc_code = code, .details = details};
    switch (code) {
    case SW_GRPC_CANCELLED:
    case SW_GRPC_DEADLINE_EXCEEDED:
    case SW_GRPC_ABORTED:
    case SW_GRPC_OUT_OF_RANGE:
    case SW_GRPC_UNAVAILABLE:
    case SW_GRPC_DATA_LOSS:
        retryable(code, status.retry_delay_ns, message, ret_outcome);
        break;
    case SW_GRPC_RESOURCE_EXHAUSTED:
        if (status.has_retry_info) {
            retryable(code, status.retry_delay_ns, message, ret_outcome);
            break;
        }
        permanent(code, message, ret_outcome);
        break;
    default:
        permanent(code, message, ret_outcome);
        break;
    }
}

void sw_answer_permanent(int grpc_code, struct sw_buf *text, struct sw_outcome *ret_outcome)
{
    *ret_outcome = (struct sw_outcome){
        .err = SW_E_PERMANENT,
        .grpc_code = grpc_code,
        .permanent = true,
        .text = text,
    };
}

void sw_answer_none(int err, struct sw_buf *text, struct sw_outcome *ret_outcome)
{
    *ret_outcome = (struct sw_outcome){.err = err, .text = text};
}

// internal/statusutil NewStatusFromMsgAndHTTPCode.
static int grpc_code_of(unsigned status)
{
    switch (status) {
    case 400:
        return SW_GRPC_INVALID_ARGUMENT;
    case 401:
        return SW_GRPC_UNAUTHENTICATED;
    case 403:
        return SW_GRPC_PERMISSION_DENIED;
    case 404:
        return SW_GRPC_UNIMPLEMENTED;
    case 429:
        return SW_GRPC_RESOURCE_EXHAUSTED;
    case 502:
    case 503:
    case 504:
        return SW_GRPC_UNAVAILABLE;
    default:
        return SW_GRPC_UNKNOWN;
    }
}

// Whole seconds or an HTTP date; what cannot be read is no hint.
static uint64_t delay_of(struct sw_http_text retry_after, uint64_t wall_ns)
{
    uint64_t number = 0;
    if (retry_after.data == NULL) {
        return 0;
    }
    if (sw_http_text_number(retry_after, &number)) {
        return SW_MIN(number, UINT64_C(86400)) * SW_NS_PER_S;
    }
    if (sw_http_date_parse(retry_after, &number) == SW_OK && number > wall_ns) {
        return number - wall_ns;
    }
    return 0;
}

static struct sw_buf *http_text(unsigned code, const char *url, struct sw_http_text body)
{
    struct sw_rpc_status status;
    struct sw_bytes bytes = {(const uint8_t *)body.data, body.len};
    if (code < 400 || code > 599 || sw_rpc_status_decode(bytes, &status) != SW_OK) {
        return sw_text_format(
            "error exporting items, request to %s responded with HTTP Status Code %u", url, code
        );
    }
    return sw_text_format(
        "error exporting items, request to %s responded with HTTP Status Code %u, Message=%.*s, "
        "Details=[%s]",
        url,
        code,
        (int)status.message.size,
        (const char *)status.message.data,
        status.details.size > 0 ? "..." : ""
    );
}

void sw_answer_http(
    unsigned status,
    const char *url,
    struct sw_http_text body,
    struct sw_http_text retry_after,
    uint64_t wall_ns,
    struct sw_outcome *ret_outcome
)
{
    struct sw_buf *text = http_text(status, url, body);
    struct sw_http_text message = {"", 0};
    if (text != NULL) {
        message = (struct sw_http_text){(const char *)text->data, text->size};
    }
    int code = grpc_code_of(status);
    *ret_outcome = (struct sw_outcome){.grpc_code = code};
    if (status == 429 || status == 502 || status == 503 || status == 504) {
        bool hinted = status == 429 || status == 503;
        retryable(code, hinted ? delay_of(retry_after, wall_ns) : 0, message, ret_outcome);
    } else {
        permanent(code, message, ret_outcome);
    }
    sw_buf_unref(text);
}

/* ---- gRPC trailers ---- */

struct sw_buf *sw_answer_message(struct sw_http_text text)
{
    struct sw_buf *buf = sw_buf_new(NULL, (uint32_t)text.len);
    if (buf != NULL) {
        struct sw_bytes bytes = {(const uint8_t *)text.data, text.len};
        buf->size = (uint32_t)sw_grpc_message_decode(bytes, buf->data);
    }
    return buf;
}

struct sw_buf *sw_answer_details(struct sw_http_text text)
{
    struct sw_buf *buf = sw_buf_new(NULL, (uint32_t)(text.len / 4 * 3 + 2));
    size_t size = 0;
    if (buf == NULL) {
        return NULL;
    }
    struct sw_bytes bytes = {(const uint8_t *)text.data, text.len};
    if (sw_base64_decode(bytes, buf->data, &size) != SW_OK) {
        sw_buf_unref(buf);
        return NULL;
    }
    buf->size = (uint32_t)size;
    return buf;
}
