/* A batch as the body of a request: its ranges by reference, or packed into a buffer of its own. */
#ifndef SW_SEND_BODY_H
#define SW_SEND_BODY_H

#include "dataplane/l7_http/codec.h"
#include "dataplane/l7_http/http.h"
#include "dataplane/otlp/batch.h"

struct sw_send_body {
    struct sw_http_body body; /**< first member */
    struct sw_batch_cursor cursor;
    struct sw_batch *kept; /**< shares the batch's bytes once its owner goes; NULL before */
    struct sw_buf *packed; /**< NULL: not packed */
    uint32_t offset;
};

/** Without compression. batch is borrowed until sw_send_body_keep or _fini. */
void sw_send_body_init(struct sw_send_body *body, const struct sw_batch *batch);

/** With gzip, in a buffer that is charged. @return 0 or SW_E_NOMEM (untouched) */
SW_CHECKED int sw_send_body_init_gzip(
    struct sw_send_body *body,
    const struct sw_batch *batch,
    struct sw_codec *codec,
    struct sw_account *account
);

/** The batch is about to be freed, while ranges may still be asked for.
 * @return 0 or SW_E_NOMEM: next() fails from now on */
SW_CHECKED int sw_send_body_keep(struct sw_send_body *body);

void sw_send_body_fini(struct sw_send_body *body);

#endif
