/* A batch as the body of a request: its ranges by reference, or packed (or written as JSON) into a buffer
 * of its own. */
#ifndef SW_SEND_BODY_H
#define SW_SEND_BODY_H

#include "dataplane/l7_http/codec.h"
#include "dataplane/l7_http/http.h"
#include "dataplane/otlp/batch.h"
#include "dataplane/pipeline/net_conf.h"

struct sw_send_body {
    struct sw_http_body body; /**< first member */
    struct sw_batch_cursor cursor;
    struct sw_batch *kept; /**< shares the batch's bytes once its owner goes; NULL before */
    struct sw_buf *packed; /**< NULL: not packed */
    uint32_t offset;
};

/** The coding that a `compression` names, in HTTP and in gRPC. */
enum sw_coding sw_send_coding_http(int compression);
enum sw_coding sw_send_coding_grpc(int compression);

/** Without compression. batch is borrowed until sw_send_body_keep or _fini. */
void sw_send_body_init(struct sw_send_body *body, const struct sw_batch *batch);

/** Packed (sw_codec_pack), in a buffer that is charged. @return 0 or SW_E_NOMEM (untouched) */
SW_CHECKED int sw_send_body_init_packed(
    struct sw_send_body *body,
    const struct sw_batch *batch,
    struct sw_codec *codec,
    enum sw_coding coding,
    int level,
    struct sw_account *account
);

/** A text of its own, which is taken over. */
void sw_send_body_init_text(struct sw_send_body *body, struct sw_buf *text);

/** A text packed, as sw_send_body_init_packed. text is borrowed. */
SW_CHECKED int sw_send_body_init_packed_text(
    struct sw_send_body *body,
    const struct sw_buf *text,
    struct sw_codec *codec,
    enum sw_coding coding,
    int level,
    struct sw_account *account
);

/** The batch is about to be freed, while ranges may still be asked for.
 * @return 0 or SW_E_NOMEM: next() fails from now on */
SW_CHECKED int sw_send_body_keep(struct sw_send_body *body);

void sw_send_body_fini(struct sw_send_body *body);

#endif
