/* What the files of the HTTP/1 parser share. */
#ifndef SW_L7_HTTP_HTTP1_INTERNAL_H
#define SW_L7_HTTP_HTTP1_INTERNAL_H

#include "dataplane/l7_http/http1.h"

enum http1_state {
    HTTP1_HEAD,
    HTTP1_LENGTH,    // body bytes that Content-Length counts
    HTTP1_CLOSE,     // body bytes until the connection ends
    HTTP1_SIZE,      // chunk-size digits
    HTTP1_EXTENSION, // behind ';' of a chunk line
    HTTP1_SIZE_LF,   // LF of a chunk line
    HTTP1_CHUNK,     // chunk data
    HTTP1_CHUNK_CR,  // CR LF behind it
    HTTP1_CHUNK_LF,
    HTTP1_TRAILER,    // at the start of a trailer line
    HTTP1_TRAILER_LF, // LF of the empty line
    HTTP1_TRAILER_IN, // inside of a trailer line
    HTTP1_TRAILER_IN_LF,
    HTTP1_DONE,
    HTTP1_FAILED,
};

/** Notes the refusal. @return SW_HTTP1_FAIL */
enum sw_http1_event sw_http1_fail_internal(struct sw_http1 *http, unsigned status, const char *why);

/** The first line is complete. @return MORE or FAIL */
enum sw_http1_event sw_http1_start_line_internal(struct sw_http1 *http);

/** All lines are there: finds the headers and what they mean. @return HEAD or FAIL; the state is then
 * that of the body */
enum sw_http1_event sw_http1_head_internal(struct sw_http1 *http);

#endif
