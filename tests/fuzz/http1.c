/* Requests and responses: whatever arrives, in one piece or in many, is reported alike and never read
 * past its end. The first byte says which side reads, the second how the rest is cut. */
#include "dataplane/l7_http/http1.h"

#include <stdlib.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** What one reading of the bytes came to. */
struct outcome {
    uint64_t hash; // over events and body bytes
    unsigned messages;
    enum sw_http1_event last;
};

static void mix(struct outcome *outcome, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        outcome->hash = (outcome->hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
}

static void look_at_head(const struct sw_http1 *http, struct outcome *outcome)
{
    const char *head = (const char *)http->head->data;
    for (uint32_t i = 0; i < http->headers_count; i++) {
        struct sw_http_text name = sw_http1_header_name(http, i);
        struct sw_http_text value = sw_http1_header_value(http, i);
        CHECK(name.data >= head && name.len > 0);
        CHECK(value.data + value.len <= head + http->head->size);
        CHECK(memchr(value.data, '\n', value.len) == NULL);
        CHECK(memchr(value.data, '\r', value.len) == NULL);
        mix(outcome, name.data, name.len);
        mix(outcome, value.data, value.len);
    }
    if (!http->client) {
        CHECK(http->method.data == head && http->target.data > head);
        CHECK(http->target.data + http->target.len < head + http->head->size);
        mix(outcome, http->target.data, http->target.len);
    }
    // Which of the two rules the length is the place where senders and receivers come to differ.
    CHECK(!http->chunked || !http->has_length);
    CHECK(!http->has_length || http->length <= INT64_MAX);
}

static enum sw_http1_event
take(struct sw_http1 *http, const uint8_t *data, size_t size, struct outcome *outcome)
{
    enum sw_http1_event event = SW_HTTP1_BODY;
    while (size > 0 || event != SW_HTTP1_MORE) {
        size_t taken = SIZE_MAX;
        event = sw_http1_feed(http, data, size, &taken);
        CHECK(taken <= size);
        if (event == SW_HTTP1_BODY) {
            CHECK(http->body.len > 0 && http->body.len <= taken);
            CHECK((const uint8_t *)http->body.data + http->body.len == data + taken);
            mix(outcome, http->body.data, http->body.len);
        }
        data += taken;
        size -= taken;
        switch (event) {
        case SW_HTTP1_HEAD:
            look_at_head(http, outcome);
            mix(outcome, "H", 1);
            break;
        case SW_HTTP1_END:
            mix(outcome, "E", 1);
            outcome->messages++;
            sw_http1_next(http);
            CHECK(sw_http1_idle(http));
            break;
        case SW_HTTP1_FAIL:
            CHECK(http->client || http->status >= 400);
            return event;
        default:
            break;
        }
    }
    return event;
}

static struct outcome read_all(const uint8_t *data, size_t size, bool client, size_t piece)
{
    struct sw_account account = {0};
    struct sw_http1 http;
    struct outcome outcome = {0};
    sw_http1_init(&http, client, &account);
    while (size > 0 && outcome.last != SW_HTTP1_FAIL) {
        size_t len = piece == 0 || piece > size ? size : piece;
        uint8_t *copy = malloc(len);
        CHECK(copy != NULL);
        memcpy(copy, data, len);
        outcome.last = take(&http, copy, len, &outcome);
        free(copy);
        data += len;
        size -= len;
    }
    enum sw_http1_event end = sw_http1_eof(&http);
    mix(&outcome, &end, sizeof(end));
    sw_http1_fini(&http);
    CHECK(sw_account_charged(&account) == 0);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    bool client = (data[0] & 1) != 0;
    struct outcome whole = read_all(data + 2, size - 2, client, 0);
    struct outcome parts = read_all(data + 2, size - 2, client, 1 + data[1] % 16);
    CHECK(whole.hash == parts.hash && whole.messages == parts.messages);
    CHECK(whole.last == parts.last);
    return 0;
}
