#include "dataplane/base/digest.h"

#include "dataplane/base/mem.h"

#include <openssl/evp.h>

struct sw_digest {
    EVP_MD *sha256; // fetched once: a fetch takes a lock
    EVP_MD_CTX *context;
};

int sw_digest_new(struct sw_digest **ret_digest)
{
    struct sw_digest *digest = sw_zalloc(sizeof(*digest));
    if (digest == NULL) {
        return SW_E_NOMEM;
    }
    digest->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    digest->context = EVP_MD_CTX_new();
    if (digest->sha256 == NULL || digest->context == NULL) {
        sw_digest_free(digest);
        return SW_E_NOMEM;
    }
    *ret_digest = digest;
    return SW_OK;
}

void sw_digest_free(struct sw_digest *digest)
{
    if (digest != NULL) {
        EVP_MD_CTX_free(digest->context);
        EVP_MD_free(digest->sha256);
        sw_free(digest);
    }
}

int sw_digest_sha256(
    struct sw_digest *digest,
    const void *data,
    size_t size,
    uint8_t ret_sum[SW_SHA256_BYTES]
)
{
    bool done = EVP_DigestInit_ex2(digest->context, digest->sha256, NULL) == 1
                && EVP_DigestUpdate(digest->context, data, size) == 1
                && EVP_DigestFinal_ex(digest->context, ret_sum, NULL) == 1;
    return done ? SW_OK : SW_E_NOMEM;
}
