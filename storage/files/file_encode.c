/* A request as a record of a file, and the path of a group. */
#include "dataplane/base/mem.h"
#include "dataplane/otlp/json.h"
#include "storage/files/files_internal.h"

#include <stdio.h>
#include <string.h>

#define JSON_STEP (1u << 20)

/* ---- records ---- */

static int to_json(
    struct sw_file *file,
    enum sw_signal signal,
    struct sw_bytes request,
    struct sw_buf **ret_json
)
{
    struct sw_json_writer *writer = sw_json_writer_new(signal, request, file->files->account);
    int err = SW_E_AGAIN;
    if (writer == NULL) {
        return SW_E_NOMEM;
    }
    while (err == SW_E_AGAIN) {
        err = sw_json_writer_step(writer, JSON_STEP);
    }
    if (err == SW_OK) {
        *ret_json = sw_json_writer_take(writer);
    }
    sw_json_writer_free(writer);
    return err;
}

struct once {
    struct sw_bytes bytes;
    bool given;
};

static bool next_once(void *ctx, struct sw_piece *ret_piece)
{
    struct once *once = ctx;
    if (once->given || once->bytes.size == 0) {
        return false;
    }
    once->given = true;
    *ret_piece = (struct sw_piece){NULL, once->bytes.data, (uint32_t)once->bytes.size};
    return true;
}

static int pack(struct sw_file *file, struct sw_bytes bytes, struct sw_buf **ret_packed)
{
    struct sw_files *files = file->files;
    struct once once = {.bytes = bytes};
    int err = files->codec == NULL ? sw_codec_new(&files->codec) : SW_OK;
    if (err != SW_OK) {
        return err;
    }
    return sw_codec_pack(
        files->codec,
        SW_CODING_ZSTD,
        file->conf.level,
        next_once,
        &once,
        bytes.size,
        files->account,
        ret_packed
    );
}

static int frame(const struct sw_file *file, struct sw_bytes bytes, struct file_bytes *record)
{
    if (file->conf.json && !file->conf.zstd) {
        int err = sw_file_bytes_add(record, bytes.data, bytes.size);
        return err == SW_OK ? sw_file_bytes_add(record, "\n", 1) : err;
    }
    uint8_t length[4];
    for (unsigned i = 0; i < sizeof(length); i++) {
        length[i] = (uint8_t)(bytes.size >> (24 - 8 * i));
    }
    int err = sw_file_bytes_add(record, length, sizeof(length));
    return err == SW_OK ? sw_file_bytes_add(record, bytes.data, bytes.size) : err;
}

static struct sw_bytes bytes_of(const struct sw_buf *buf)
{
    return (struct sw_bytes){buf->data, buf->size};
}

int sw_file_encode(
    struct sw_file *file,
    enum sw_signal signal,
    struct sw_bytes request,
    struct file_bytes *ret_record,
    struct sw_file_job *job
)
{
    struct sw_buf *json = NULL;
    struct sw_buf *packed = NULL;
    struct sw_bytes bytes = request;
    int err = SW_OK;
    if (request.size > UINT32_MAX) {
        return sw_file_fail(job, SW_E_TOO_LARGE, "a request of %zu bytes", request.size);
    }
    if (file->conf.json) {
        err = to_json(file, signal, request, &json);
        bytes = err == SW_OK ? bytes_of(json) : bytes;
    }
    if (err == SW_OK && file->conf.zstd) {
        err = pack(file, bytes, &packed);
        bytes = err == SW_OK ? bytes_of(packed) : bytes;
    }
    if (err == SW_OK) {
        err = frame(file, bytes, ret_record);
    }
    sw_buf_unref(json);
    sw_buf_unref(packed);
    return err;
}

/* ---- paths ---- */

/* Go's path.Clean, in place: no empty parts, no ".", ".." taken with the part before it. */
static void clean(char *path)
{
    bool rooted = path[0] == '/';
    char *begin = rooted ? path + 1 : path;
    char *out = begin;
    const char *floor = begin; // ".." goes no further back
    const char *at = begin;
    while (*at != '\0') {
        size_t len = strcspn(at, "/");
        const char *next = at + len + (at[len] == '/' ? 1 : 0);
        bool up = len == 2 && at[0] == '.' && at[1] == '.';
        if (up && out > floor) {
            out--;
            while (out > floor && *out != '/') {
                out--;
            }
        } else if (len > 0 && !(len == 1 && at[0] == '.') && !(up && rooted)) {
            if (out > begin) {
                *out++ = '/';
            }
            memmove(out, at, len);
            out += len;
            floor = up ? out : floor;
        }
        at = next;
    }
    if (out == path) {
        *out++ = '.';
    }
    *out = '\0';
}

static char *join(struct sw_bytes prefix, struct sw_bytes value, const char *suffix)
{
    size_t size = prefix.size + value.size + strlen(suffix) + 2;
    char *path = sw_alloc(size);
    if (path != NULL) {
        snprintf(
            path,
            size,
            "%.*s%.*s%s",
            (int)prefix.size,
            (const char *)prefix.data,
            (int)value.size,
            (const char *)value.data,
            suffix
        );
    }
    return path;
}

// The part before '*', clean, with the slash at its end if it has one.
static char *clean_prefix(const char *pattern, size_t len)
{
    char *prefix = sw_alloc(len + 2);
    if (prefix == NULL) {
        return NULL;
    }
    snprintf(prefix, len + 1, "%.*s", (int)len, pattern);
    bool slash = len > 0 && prefix[len - 1] == '/';
    clean(prefix);
    size_t now = strlen(prefix);
    if (slash && prefix[now - 1] != '/') {
        prefix[now] = '/';
        prefix[now + 1] = '\0';
    }
    return prefix;
}

char *sw_file_group_path(const char *pattern, struct sw_bytes value)
{
    size_t star = strcspn(pattern, "*");
    const char *suffix = pattern[star] == '*' ? pattern + star + 1 : "";
    char *prefix_text = clean_prefix(pattern, star);
    if (prefix_text == NULL) {
        return NULL;
    }
    struct sw_bytes prefix = {(const uint8_t *)prefix_text, strlen(prefix_text)};
    if (value.size >= 2 && memcmp(value.data, "./", 2) == 0) {
        value = (struct sw_bytes){value.data + 1, value.size - 1};
    } else if (value.size >= 3 && memcmp(value.data, "../", 3) == 0) {
        value = (struct sw_bytes){value.data + 2, value.size - 2};
    }
    char *path = join(prefix, value, suffix);
    if (path != NULL) {
        clean(path);
    }
    if (path != NULL && strncmp(path, prefix_text, prefix.size) != 0) {
        // The value leads out of the folder: it is made a path from the root first.
        char *inner = join(SW_BYTES("/"), value, suffix);
        sw_free(path);
        path = NULL;
        if (inner != NULL) {
            clean(inner);
            path = join(prefix, SW_BYTES("/"), inner);
            sw_free(inner);
        }
        if (path != NULL) {
            clean(path);
        }
    }
    sw_free(prefix_text);
    return path;
}
