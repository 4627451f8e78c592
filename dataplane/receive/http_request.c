/* Where an HTTP request leads and what it brings: paths as Go's ServeMux takes them, content types as
 * mime.ParseMediaType does (otlp-protocol §4.1). */
#include "dataplane/receive/receive_internal.h"

/* ---- paths ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Behind the authority of an absolute URI; the target itself when it is none.
static struct sw_http_text path_of(struct sw_http_text target)
{
    if (target.data[0] == '/') {
        return target;
    }
    const char *colon = memchr(target.data, ':', target.len);
    size_t left = colon != NULL ? target.len - (size_t)(colon - target.data) : 0;
    if (left < 3 || colon[1] != '/' || colon[2] != '/') {
        return (struct sw_http_text){"", 0}; // opaque, or what CONNECT names
    }
    const char *authority = colon + 3;
    size_t rest = left - 3;
    for (size_t i = 0; i < rest; i++) {
        if (authority[i] == '/' || authority[i] == '?') {
            return (struct sw_http_text){authority + i, rest - i};
        }
    }
    return (struct sw_http_text){"", 0};
}

static void cut_query(struct sw_http_text *path, struct sw_http_text *ret_query)
{
    const char *mark = memchr(path->data, '?', path->len);
    size_t len = mark != NULL ? (size_t)(mark - path->data) : path->len;
    *ret_query = (struct sw_http_text){path->data + len, path->len - len};
    path->len = len;
}

static bool escapes_are_sound(struct sw_http_text path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.data[i] != '%') {
            continue;
        }
        if (path.len - i < 3 || hex_digit(path.data[i + 1]) < 0
            || hex_digit(path.data[i + 2]) < 0) {
            return false;
        }
        i += 2;
    }
    return true;
}

// Segments are compared unescaped, so an escaped slash is no border.
static bool path_is(struct sw_http_text path, const char *pattern)
{
    size_t i = 0;
    for (; i < path.len && *pattern != '\0'; i++, pattern++) {
        int c = (unsigned char)path.data[i];
        if (c == '%') {
            c = hex_digit(path.data[i + 1]) * 16 + hex_digit(path.data[i + 2]);
            i += 2;
            if (c == '/') {
                return false;
            }
        }
        if (c != (unsigned char)*pattern) {
            return false;
        }
    }
    return i == path.len && *pattern == '\0';
}

static bool is_clean(struct sw_http_text path)
{
    if (path.len == 0 || path.data[0] != '/') {
        return false;
    }
    for (size_t i = 0; i + 1 < path.len; i++) {
        if (path.data[i] != '/') {
            continue;
        }
        const char *segment = path.data + i + 1;
        size_t len = path.len - i - 1;
        const char *slash = memchr(segment, '/', len);
        len = slash != NULL ? (size_t)(slash - segment) : len;
        if (len == 0 || (len <= 2 && segment[0] == '.' && segment[len - 1] == '.')) {
            return false;
        }
    }
    return true;
}

// net/http cleanPath: no empty segments, no dots; a slash at the end stays. `out` has room for path and a
// slash. @return bytes
static size_t clean(struct sw_http_text path, char *out)
{
    size_t at = 0;
    size_t i = 0;
    while (i < path.len) {
        const char *segment = path.data + i;
        const char *slash = memchr(segment, '/', path.len - i);
        size_t len = slash != NULL ? (size_t)(slash - segment) : path.len - i;
        if (len == 2 && memcmp(segment, "..", 2) == 0) {
            while (at > 0 && out[--at] != '/') {
            }
        } else if (len > 0 && !(len == 1 && segment[0] == '.')) {
            out[at++] = '/';
            memcpy(out + at, segment, len);
            at += len;
        }
        i += len + 1;
    }
    if (at == 0 || path.data[path.len - 1] == '/') {
        out[at++] = '/';
    }
    return at;
}

static enum receive_route
redirect(struct sw_http_text path, struct sw_http_text query, struct sw_buf **ret_location)
{
    struct sw_buf *location = sw_buf_new(NULL, (uint32_t)(path.len + query.len + 2));
    if (location == NULL) {
        return RECEIVE_ROUTE_NOMEM;
    }
    size_t len = clean(path, (char *)location->data);
    memcpy(location->data + len, query.data, query.len);
    location->size = (uint32_t)(len + query.len);
    *ret_location = location;
    return RECEIVE_ROUTE_REDIRECT;
}

static bool find_signal(
    const struct sw_otlp_receiver *receiver,
    struct sw_http_text path,
    bool (*is)(struct sw_http_text path, const char *pattern),
    enum sw_signal *ret_signal
)
{
    const struct sw_otlp_http_conf *conf = &receiver->env.conf->protocols.http;
    const char *const patterns[SW_SIGNALS_COUNT] = {
        [SW_TRACES] = conf->traces_url_path,
        [SW_METRICS] = conf->metrics_url_path,
        [SW_LOGS] = conf->logs_url_path,
    };
    for (unsigned signal = 0; signal < SW_SIGNALS_COUNT; signal++) {
        if (receiver->env.entries[signal] != NULL && is(path, patterns[signal])) {
            *ret_signal = signal;
            return true;
        }
    }
    return false;
}

enum receive_route sw_receive_route_of(
    const struct sw_otlp_receiver *receiver,
    struct sw_http_text target,
    enum sw_signal *ret_signal,
    struct sw_buf **ret_location
)
{
    if (target.data[0] == '/' && is_clean(target)
        && find_signal(receiver, target, sw_http_text_is, ret_signal)) {
        return RECEIVE_ROUTE_SIGNAL;
    }
    if (sw_http_text_is(target, "*")) {
        return RECEIVE_ROUTE_ASTERISK;
    }
    struct sw_http_text path = path_of(target);
    struct sw_http_text query;
    cut_query(&path, &query);
    if (!escapes_are_sound(path)) {
        return RECEIVE_ROUTE_INVALID;
    }
    if (!is_clean(path)) {
        return path.len > 0 ? redirect(path, query, ret_location) : RECEIVE_ROUTE_NONE;
    }
    bool found = find_signal(receiver, path, path_is, ret_signal);
    return found ? RECEIVE_ROUTE_SIGNAL : RECEIVE_ROUTE_NONE;
}

/* ---- content types ---- */

static bool is_token(char c)
{
    return c > 0x20 && c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static void skip_blanks(struct sw_http_text *rest)
{
    while (rest->len > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t')) {
        rest->data++;
        rest->len--;
    }
}

static void skip(struct sw_http_text *rest, size_t bytes)
{
    rest->data += bytes;
    rest->len -= bytes;
}

static size_t token_len(struct sw_http_text text)
{
    size_t len = 0;
    while (len < text.len && is_token(text.data[len])) {
        len++;
    }
    return len;
}

// The value of a parameter, a token or a quoted text. @return bytes; 0: none
static size_t value_len(struct sw_http_text text)
{
    if (text.len == 0 || text.data[0] != '"') {
        return token_len(text);
    }
    for (size_t i = 1; i < text.len; i++) {
        if (text.data[i] == '"') {
            return i + 1;
        }
        if (text.data[i] == '\\') {
            i++;
        }
    }
    return 0;
}

// "; name=value" again and again; a semicolon at the end is forgiven.
static bool parameters_are_sound(struct sw_http_text rest)
{
    for (;;) {
        skip_blanks(&rest);
        if (rest.len == 0) {
            return true;
        }
        if (rest.data[0] != ';') {
            return false;
        }
        skip(&rest, 1);
        skip_blanks(&rest);
        if (rest.len == 0) {
            return true;
        }
        size_t name = token_len(rest);
        skip(&rest, name);
        if (name == 0 || rest.len == 0 || rest.data[0] != '=') {
            return false;
        }
        skip(&rest, 1);
        size_t value = value_len(rest);
        if (value == 0) {
            return false;
        }
        skip(&rest, value);
    }
}

enum receive_media sw_receive_media_of(struct sw_http_text content_type)
{
    if (sw_http_text_is(content_type, "application/x-protobuf")) {
        return RECEIVE_MEDIA_PROTOBUF;
    }
    const char *semicolon = memchr(content_type.data, ';', content_type.len);
    size_t len = semicolon != NULL ? (size_t)(semicolon - content_type.data) : content_type.len;
    struct sw_http_text type = sw_http_text_trim((struct sw_http_text){content_type.data, len});
    struct sw_http_text rest = {content_type.data + len, content_type.len - len};
    size_t main_len = token_len(type);
    bool sound = main_len > 0;
    if (sound && main_len < type.len) { // a bare token passes too
        struct sw_http_text subtype = {type.data + main_len + 1, type.len - main_len - 1};
        sound = type.data[main_len] == '/' && subtype.len > 0 && token_len(subtype) == subtype.len;
    }
    if (!sound || !parameters_are_sound(rest)) {
        return RECEIVE_MEDIA_NONE;
    }
    if (sw_http_text_is_nocase(type, "application/x-protobuf")) {
        return RECEIVE_MEDIA_PROTOBUF;
    }
    return sw_http_text_is_nocase(type, "application/json") ? RECEIVE_MEDIA_JSON
                                                            : RECEIVE_MEDIA_OTHER;
}
