/* gRPC on top of HTTP/2: message framing, timeouts, what stands in trailers. Values on the caller's
 * memory, no I/O. Rules and texts: grpc-go rpc_util.go and internal/transport (v1.83). */
#ifndef SW_L7_HTTP_GRPC_H
#define SW_L7_HTTP_GRPC_H

#include "dataplane/base/buf.h"
#include "dataplane/l7_http/http.h"
#include "dataplane/l7_http/http2.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sw_grpc_code {
    SW_GRPC_OK = 0,
    SW_GRPC_CANCELLED = 1,
    SW_GRPC_UNKNOWN = 2,
    SW_GRPC_INVALID_ARGUMENT = 3,
    SW_GRPC_DEADLINE_EXCEEDED = 4,
    SW_GRPC_NOT_FOUND = 5,
    SW_GRPC_ALREADY_EXISTS = 6,
    SW_GRPC_PERMISSION_DENIED = 7,
    SW_GRPC_RESOURCE_EXHAUSTED = 8,
    SW_GRPC_FAILED_PRECONDITION = 9,
    SW_GRPC_ABORTED = 10,
    SW_GRPC_OUT_OF_RANGE = 11,
    SW_GRPC_UNIMPLEMENTED = 12,
    SW_GRPC_INTERNAL = 13,
    SW_GRPC_UNAVAILABLE = 14,
    SW_GRPC_DATA_LOSS = 15,
    SW_GRPC_UNAUTHENTICATED = 16,
};

#define SW_GRPC_PREFIX_BYTES 5

/** One message in the making: prefix, then a buffer of the declared length. */
struct sw_grpc_reader {
    uint8_t prefix[SW_GRPC_PREFIX_BYTES];
    uint8_t prefix_len;
    bool compressed;    /**< flag 1 */
    bool done;          /**< the message is whole; further bytes are ignored (unary) */
    uint32_t length;    /**< declared, once the prefix is whole */
    struct sw_buf *buf; /**< holds a reference; allocated when the prefix is whole */
    struct sw_account *account;
    struct sw_http_budget *budget;
    uint32_t limit;      /**< most bytes of a message */
    int err;             /**< why it takes no more, else 0 */
    int64_t taken_bytes; /**< from the budget */
};

void sw_grpc_reader_init(
    struct sw_grpc_reader *reader,
    uint32_t limit,
    struct sw_account *account,
    struct sw_http_budget *budget
);
/** Drops the buffer and gives back the budget. Idempotent. */
void sw_grpc_reader_fini(struct sw_grpc_reader *reader);

/** Takes bytes. The declared length is admitted before anything is allocated.
 *
 * @return 0; SW_E_PROTOCOL: flag neither 0 nor 1 (prefix[0] says which); SW_E_TOO_LARGE: length > limit;
 *     SW_E_FULL: the budget has no room; SW_E_NOMEM. After an error it takes no more.
 */
SW_CHECKED int sw_grpc_reader_feed(struct sw_grpc_reader *reader, const uint8_t *data, size_t size);

/** The whole message; the buffer becomes the caller's, the budget is given back. done only. */
struct sw_buf *sw_grpc_reader_take(struct sw_grpc_reader *reader);

/** Writes the prefix of a message. */
void sw_grpc_prefix(uint8_t out[SW_GRPC_PREFIX_BYTES], bool compressed, uint32_t length);

/** grpc-timeout: 1 to 8 digits and one of H M S m u n.
 *
 * @param ret_why  when it fails: grpc-go's words without the quoted value
 * @return 0 or SW_E_INVALID
 */
SW_CHECKED int
sw_grpc_timeout_parse(struct sw_http_text text, uint64_t *ret_ns, const char **ret_why);

/** The smallest unit that fits 8 digits, rounded up. @return length (no NUL) */
size_t sw_grpc_timeout_format(uint64_t ns, char out[16]);

/** "Unavailable", … as Go prints codes; "Code(17)" for unknown ones needs the number: NULL. */
const char *sw_grpc_code_name(int code);

/** Its name in capitals ("DEADLINE_EXCEEDED"), as attributes have it; NULL outside 0 … 16. */
const char *sw_grpc_code_word(int code);

/** What an RST_STREAM of the server means to a client of grpc-go. */
int sw_grpc_code_of_reset(uint32_t h2_code);

/** What a response without grpc-status means, by its :status. */
int sw_grpc_code_of_http(unsigned status);

#endif
