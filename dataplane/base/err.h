/* Error codes: one table (err.def) for name, text and what a sender is told. */
#ifndef SW_BASE_ERR_H
#define SW_BASE_ERR_H

#include <stdbool.h>

#define SW_CHECKED __attribute__((warn_unused_result))

enum sw_err {
    SW_OK = 0,
#define SW_ERROR(name, value, text, grpc, http, retryable) name = -(value),
#include "dataplane/base/err.def"
#undef SW_ERROR
};

/** Text of a code, for people; never NULL. Any thread. */
const char *sw_err_text(int err);

/** Name of a code as it stands in err.def ("SW_E_FULL"); never NULL. Any thread. */
const char *sw_err_name(int err);

/** What a receiver answers for a plain error of this kind. 0 (OK) maps to gRPC 0 and HTTP 200. */
int sw_err_grpc_code(int err);
int sw_err_http_status(int err);
bool sw_err_retryable(int err);

#endif
