#include "dataplane/base/err.h"

#include <stddef.h>

struct err_row {
    const char *name;
    const char *text;
    int grpc;
    int http;
    bool retryable;
};

static const struct err_row rows[] = {
    [0] = {"SW_OK", "ok", 0, 200, false},
#define SW_ERROR(name, value, text, grpc, http, retryable)                                         \
    [value] = {#name, text, grpc, http, retryable},
#include "dataplane/base/err.def"
#undef SW_ERROR
};

static const struct err_row unknown_row = {"SW_E_UNKNOWN", "unknown error", 2, 500, false};

static const struct err_row *row_of(int err)
{
    size_t index = err <= 0 ? (size_t)(-(long)err) : sizeof(rows);
    if (index >= sizeof(rows) / sizeof(rows[0]) || rows[index].name == NULL) {
        return &unknown_row;
    }
    return &rows[index];
}

const char *sw_err_text(int err)
{
    return row_of(err)->text;
}

const char *sw_err_name(int err)
{
    return row_of(err)->name;
}

int sw_err_grpc_code(int err)
{
    return row_of(err)->grpc;
}

int sw_err_http_status(int err)
{
    return row_of(err)->http;
}

bool sw_err_retryable(int err)
{
    return row_of(err)->retryable;
}
