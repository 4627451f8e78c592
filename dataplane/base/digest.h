/* SHA-256 without allocation per message, over OpenSSL. */
#ifndef SW_BASE_DIGEST_H
#define SW_BASE_DIGEST_H

#include "dataplane/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SW_SHA256_BYTES 32

/** One core's. */
struct sw_digest;

/** @return 0 or SW_E_NOMEM (also: the library offers no SHA-256) */
SW_CHECKED int sw_digest_new(struct sw_digest **ret_digest);

/** NULL is legal. */
void sw_digest_free(struct sw_digest *digest);

/** @return 0 or SW_E_NOMEM */
SW_CHECKED int sw_digest_sha256(
    struct sw_digest *digest,
    const void *data,
    size_t size,
    uint8_t ret_sum[SW_SHA256_BYTES]
);

#endif
