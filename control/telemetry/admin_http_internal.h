/* The parser of requests below the server. */
#ifndef SW_TELEMETRY_ADMIN_HTTP_INTERNAL_H
#define SW_TELEMETRY_ADMIN_HTTP_INTERNAL_H

#include "control/telemetry/admin_http.h"

#include <stdbool.h>
#include <stddef.h>

struct sw_admin_head {
    struct sw_admin_request request;
    size_t body_bytes;
    bool keep_alive;
    bool has_coding; // a body whose length only its coding tells
    int error;       // HTTP status, 0 none
};

/* Bytes of the first head, to the end of its empty line; 0 when it is not complete. */
size_t sw_admin_head_len(const char *data, size_t len);

/* Takes a whole head apart, in place: NUL-terminated, no other NUL in it. Lines end with LF or CR LF.
 * What the result points to lies in text. */
void sw_admin_parse_head(char *text, struct sw_admin_head *ret_head);

#endif
