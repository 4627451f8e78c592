#include "perf/loadgen/client.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void sw_lg_h1_client_start(struct sw_lg_connection *connection, struct sw_lg_request *request)
{
    const struct sw_lg_bytes *head = &connection->client->http_head;
    char length[64];
    int len = snprintf(length, sizeof(length), "Content-Length: %zu\r\n\r\n", request->size);
    sw_lg_bytes_put(&connection->control, head->data, head->len);
    sw_lg_bytes_put(&connection->control, length, (size_t)len);
    connection->input.len = 0;
}

void sw_lg_h1_client_fill(struct sw_lg_connection *connection)
{
    struct sw_lg_request *request = connection->requests_count ? connection->requests[0] : NULL;
    if (!request || request->finished || request->end_framed) {
        return;
    }
    connection->iov[connection->iov_count++] = (struct iovec){(void *)request->data, request->size};
    request->framed = request->size;
    request->end_framed = true;
    request->touched = true;
}

// The value of a header in the head's text, or NULL.
static const char *header(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (!strncasecmp(line + 2, name, len) && line[2 + len] == ':') {
            const char *value = line + 3 + len;
            return value + strspn(value, " \t");
        }
    }
    return NULL;
}

// Length of a chunked body that is there whole; 0 when not yet.
static size_t chunked_length(const char *body, size_t len)
{
    size_t at = 0;
    while (at < len) {
        const char *rest = body + at;
        // gcc 12 with UBSan takes the sum for a possible null unless it is asked.
        const char *line_end = rest ? memmem(rest, len - at, "\r\n", 2) : NULL;
        if (!line_end) {
            return 0;
        }
        size_t size = strtoul(body + at, NULL, 16);
        at = (size_t)(line_end + 2 - body);
        if (size == 0) {
            const char *last = memmem(body + at - 2, len - at + 2, "\r\n\r\n", 4);
            return last ? (size_t)(last + 4 - body) : 0;
        }
        if (len - at < 2 || size > len - at - 2) {
            return 0;
        }
        at += size + 2;
    }
    return 0;
}

bool sw_lg_h1_client_feed(struct sw_lg_connection *connection, const uint8_t *data, size_t len)
{
    struct sw_lg_bytes *input = &connection->input;
    struct sw_lg_request *request = connection->requests_count ? connection->requests[0] : NULL;
    sw_lg_bytes_put(input, data, len);
    sw_lg_bytes_reserve(input, 1);
    input->data[input->len] = 0;
    char *text = (char *)input->data;
    char *body = strstr(text, "\r\n\r\n");
    if (!body) {
        return input->len < 65536;
    }
    body += 4;
    int status = 0;
    if (sscanf(text, "HTTP/1.%*d %d", &status) != 1 || status < 100 || status > 599 || !request) {
        return false;
    }
    if (status == 100) {
        input->len = 0;
        return true;
    }
    char saved = *body;
    *body = 0;
    const char *length = header(text, "Content-Length");
    const char *encoding = header(text, "Transfer-Encoding");
    const char *after = header(text, "Retry-After");
    const char *connection_header = header(text, "Connection");
    bool closes = connection_header && !strncasecmp(connection_header, "close", 5);
    size_t have = input->len - (size_t)(body - text);
    size_t need = length ? strtoul(length, NULL, 10) : 0;
    bool chunked = encoding && !strncasecmp(encoding, "chunked", 7);
    uint64_t delay_ns = after ? strtoull(after, NULL, 10) * SW_LG_NS_PER_S : 0;
    bool has_delay = after;
    *body = saved;
    if (chunked ? chunked_length(body, have) == 0 : have < need) {
        return input->len < (1 << 20);
    }
    request->http_status = status;
    request->has_retry_delay = has_delay;
    request->retry_delay_ns = delay_ns;
    if (!chunked) {
        sw_lg_bytes_put(&request->answer, body, need);
    }
    input->len = 0;
    connection->going_away |= closes;
    if (!request->end_framed || connection->iov_at < connection->iov_count) {
        connection->going_away = true; // refused early: the rest of the body has no place to go
    }
    sw_lg_connection_finish(connection, request);
    return true;
}
