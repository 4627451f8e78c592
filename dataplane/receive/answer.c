/* How an outcome is told to a sender: gRPC code, HTTP status, google.rpc.Status (Collector v0.159
 * receiver/otlpreceiver/internal/errors and internal/httphelper; otlp-protocol §3.7, §4.5). */
#include "dataplane/otlp/status.h"
#include "dataplane/receive/receive_internal.h"

#include <stdio.h>

#define TEXT_BYTES_MAX 1024

void sw_receive_answer_of_outcome(
    const struct sw_outcome *outcome,
    struct receive_answer *ret_answer
)
{
    *ret_answer = (struct receive_answer){0};
    if (outcome->err == SW_OK) {
        return;
    }
    // A status in the chain of errors wins; a permanent error without one is the server's own fault.
    int code = outcome->grpc_code;
    if (code == 0) {
        code = outcome->permanent ? SW_GRPC_INTERNAL : sw_err_grpc_code(outcome->err);
    }
    const char *plain = sw_err_text(outcome->err);
    ret_answer->grpc_code = code;
    ret_answer->text = outcome->text != NULL ? receive_buf_text(outcome->text)
                                             : (struct sw_http_text){plain, strlen(plain)};
    ret_answer->details = outcome->details;
}

void sw_receive_answer_of_err(int err, struct receive_answer *ret_answer)
{
    struct sw_outcome outcome = {.err = err};
    sw_receive_answer_of_outcome(&outcome, ret_answer);
}

unsigned sw_receive_http_status(int grpc_code)
{
    switch (grpc_code) {
    case SW_GRPC_OK:
        return 200;
    case SW_GRPC_CANCELLED:
    case SW_GRPC_DEADLINE_EXCEEDED:
    case SW_GRPC_ABORTED:
    case SW_GRPC_OUT_OF_RANGE:
    case SW_GRPC_UNAVAILABLE:
    case SW_GRPC_DATA_LOSS:
        return 503;
    case SW_GRPC_RESOURCE_EXHAUSTED:
        return 429;
    case SW_GRPC_INVALID_ARGUMENT:
        return 400;
    case SW_GRPC_UNAUTHENTICATED:
        return 401;
    case SW_GRPC_PERMISSION_DENIED:
        return 403;
    case SW_GRPC_UNIMPLEMENTED:
        return 404;
    default:
        return 500;
    }
}

static struct sw_rpc_status status_of(const struct receive_answer *answer)
{
    struct sw_rpc_status status = {
        .code = answer->grpc_code,
        .message = {(const uint8_t *)answer->text.data, answer->text.len},
    };
    if (answer->details != NULL) {
        status.details = (struct sw_bytes){answer->details->data, answer->details->size};
    }
    return status;
}

bool sw_receive_retry_after(const struct receive_answer *answer, uint64_t *ret_seconds)
{
    struct sw_rpc_status status;
    if (answer->details == NULL) {
        return false;
    }
    struct sw_bytes bytes = {answer->details->data, answer->details->size};
    if (sw_rpc_status_decode(bytes, &status) != SW_OK || !status.has_retry_info) {
        return false;
    }
    *ret_seconds = status.retry_delay_ns / SW_NS_PER_S;
    return true;
}

struct sw_buf *sw_receive_status_bytes(const struct receive_answer *answer)
{
    struct sw_rpc_status status = status_of(answer);
    size_t size = sw_rpc_status_encode(&status, NULL, 0);
    struct sw_buf *buf = sw_buf_new(NULL, (uint32_t)size);
    if (buf != NULL) {
        buf->size = (uint32_t)sw_rpc_status_encode(&status, buf->data, size);
    }
    return buf;
}

struct sw_buf *sw_receive_status_json(const struct receive_answer *answer)
{
    struct sw_rpc_status status = status_of(answer);
    size_t size = sw_rpc_status_encode_json(&status, NULL, 0);
    struct sw_buf *buf = sw_buf_new(NULL, (uint32_t)size);
    if (buf != NULL) {
        buf->size = (uint32_t)sw_rpc_status_encode_json(&status, (char *)buf->data, size);
    }
    return buf;
}

struct sw_buf *sw_receive_text(const char *format, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0) {
        return NULL;
    }
    return sw_buf_copy(NULL, text, (uint32_t)SW_MIN((size_t)len, sizeof(text) - 1));
}

const char *sw_receive_quote(struct sw_http_text text, char *to, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    SW_ASSERT(size >= 8);
    size_t at = 0;
    to[at++] = '"';
    // Room for the longest escape, the closing quote and the NUL.
    for (size_t i = 0; i < text.len && at + 6 <= size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            to[at++] = '\\';
            to[at++] = (char)c;
        } else if (c < 0x20 || c == 0x7f) {
            to[at++] = '\\';
            to[at++] = 'x';
            to[at++] = digits[c >> 4];
            to[at++] = digits[c & 15];
        } else {
            to[at++] = (char)c;
        }
    }
    to[at++] = '"';
    to[at] = '\0';
    return to;
}
