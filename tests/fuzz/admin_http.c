/* Requests to the pages of the control thread: any bytes, one head after the other, as the server cuts
 * them. */
#include "control/telemetry/admin_http_internal.h"
#include "control/telemetry/prometheus.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

// A text of the result lies in the head or is constant and empty.
static void check_text(const char *text, const char *head, size_t len)
{
    size_t text_len = strlen(text);
    MUST(text_len == 0 || (text >= head && text + text_len <= head + len));
}

static void check_head(char *text, size_t len)
{
    struct sw_admin_head head;
    sw_admin_parse_head(text, &head);
    MUST(head.error == 0 || head.error == 400 || head.error == 505);
    check_text(head.request.method, text, len);
    check_text(head.request.path, text, len);
    check_text(head.request.query, text, len);
    check_text(head.request.accept, text, len);
    if (head.error == 0) {
        MUST(head.request.method[0] != '\0' && head.request.path[0] == '/');
        MUST(sw_page_content_type(sw_page_negotiate(head.request.accept)) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (at < size) {
        size_t len = sw_admin_head_len((const char *)data + at, size - at);
        MUST(len <= size - at);
        if (len == 0) {
            break;
        }
        if (memchr(data + at, '\0', len) == NULL) {
            // Exactly as long as it is, so that a sanitizer sees the first byte read past its end.
            char *text = malloc(len + 1);
            MUST(text != NULL);
            memcpy(text, data + at, len);
            text[len] = '\0';
            check_head(text, len);
            free(text);
        }
        at += len;
    }
    return 0;
}
