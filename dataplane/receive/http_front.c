/* What stands in front of every request of the HTTP endpoint: `response_headers` and `cors` (v0.159
 * config/confighttp; rs/cors v1.11; otlp-protocol §4.7). Where neither is configured there is no front, and
 * answers leave the short way (http_reply.c). */
#include "dataplane/base/mem.h"
#include "dataplane/receive/http_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

// Beside the configured ones: those of CORS (6) and of the answer itself (4).
#define CORS_LINES_MAX 10u
// Access-Control-Request-Headers may come in several lines; more are left out of the answer.
#define ASKED_LINES_MAX 16u
// rs/cors internal/sortedset.go.
#define EMPTY_NAMES_MAX 16u

struct header {
    struct sw_http_text name; // in Go's canonical form, NUL-terminated
    struct sw_http_text value;
};

struct receive_front {
    const struct sw_http_server_conf *conf;
    struct header *fixed; // response_headers, each name once
    struct header *lines; // of the answer in the making
    size_t fixed_count;
    size_t lines_count;
    char *texts;   // of `fixed`
    char *exposed; // Access-Control-Expose-Headers; NULL: none
    char max_age[24];
    bool cors;
    bool any_origin;
    bool any_header;
    bool closes;   // response_headers have Connection: close
    bool has_date; // and Date
};

/* ---- making ---- */

static bool is_token(const char *name)
{
    bool sound = *name != '\0';
    for (const char *at = name; *at != '\0'; at++) {
        sound = sound && (isalnum((unsigned char)*at) || strchr("!#$%&'*+-.^_`|~", *at) != NULL);
    }
    return sound;
}

// http.CanonicalHeaderKey: names with foreign bytes stay as they are.
static void canonical(const char *name, char *to)
{
    bool sound = is_token(name);
    bool upper = true;
    for (; *name != '\0'; name++) {
        int c = (unsigned char)*name;
        *to++ = (char)(!sound ? c : upper ? toupper(c) : tolower(c));
        upper = c == '-';
    }
    *to = '\0';
}

// net/http headerNewlineToSpace: a value never becomes a second line.
static void one_line(const char *value, char *to)
{
    for (; *value != '\0'; value++) {
        *to++ = (char)(*value == '\n' || *value == '\r' ? ' ' : *value);
    }
    *to = '\0';
}

static bool has_entry(const struct sw_list *list, const char *what)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(SW_LIST_AT(*list, const char *, i), what) == 0) {
            return true;
        }
    }
    return false;
}

// Go leaves names out that are none. How long a body is, is not for a configuration to say.
static bool may_be_sent(struct sw_http_text name)
{
    return is_token(name.data) && !sw_http_text_is(name, "Content-Length")
           && !sw_http_text_is(name, "Transfer-Encoding");
}

static void set_fixed(struct receive_front *front, struct sw_http_text name, const char *value)
{
    struct sw_http_text trimmed = sw_http_text_trim((struct sw_http_text){value, strlen(value)});
    size_t at = 0;
    if (!may_be_sent(name)) {
        return;
    }
    while (at < front->fixed_count && !sw_http_text_is(front->fixed[at].name, name.data)) {
        at++;
    }
    if (sw_http_text_is(name, "Connection") && sw_http_text_is_nocase(trimmed, "close")) {
        front->closes = true;
        return;
    }
    front->has_date |= sw_http_text_is(name, "Date");
    front->fixed[at] = (struct header){name, trimmed};
    front->fixed_count += at == front->fixed_count;
}

static int make_fixed(struct receive_front *front)
{
    const struct sw_list *list = &front->conf->response_headers;
    size_t lines = list->count + CORS_LINES_MAX + ASKED_LINES_MAX;
    size_t bytes = 1;
    for (size_t i = 0; i < list->count; i++) {
        const struct sw_pair *pair = &SW_LIST_AT(*list, struct sw_pair, i);
        bytes += strlen(pair->name) + strlen(pair->value) + 2;
    }
    front->fixed = sw_zalloc((list->count + 1) * sizeof(*front->fixed));
    front->lines = sw_zalloc(lines * sizeof(*front->lines));
    front->texts = sw_zalloc(bytes);
    if (front->fixed == NULL || front->lines == NULL || front->texts == NULL) {
        return SW_E_NOMEM;
    }
    char *at = front->texts;
    for (size_t i = 0; i < list->count; i++) {
        const struct sw_pair *pair = &SW_LIST_AT(*list, struct sw_pair, i);
        struct sw_http_text name = {at, strlen(pair->name)};
        canonical(pair->name, at);
        at += name.len + 1;
        one_line(pair->value, at);
        set_fixed(front, name, at);
        at += strlen(at) + 1;
    }
    return SW_OK;
}

static int make_exposed(struct receive_front *front)
{
    const struct sw_list *list = &front->conf->cors.exposed_headers;
    size_t bytes = 0;
    for (size_t i = 0; i < list->count; i++) {
        bytes += strlen(SW_LIST_AT(*list, const char *, i)) + 2;
    }
    if (list->count == 0) {
        return SW_OK;
    }
    front->exposed = sw_zalloc(bytes);
    if (front->exposed == NULL) {
        return SW_E_NOMEM;
    }
    char *at = front->exposed;
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) {
            *at++ = ',';
            *at++ = ' ';
        }
        canonical(SW_LIST_AT(*list, const char *, i), at);
        at += strlen(at);
    }
    return SW_OK;
}

static int make_cors(struct receive_front *front)
{
    const struct sw_http_server_conf *conf = front->conf;
    front->cors = conf->cors.enabled && conf->cors.allowed_origins.count > 0;
    if (!front->cors) {
        return SW_OK;
    }
    front->any_origin = has_entry(&conf->cors.allowed_origins, "*");
    front->any_header = has_entry(&conf->cors.allowed_headers, "*");
    if (conf->cors.max_age != 0) { // below zero it is 0
        int64_t most = SW_MAX(conf->cors.max_age, INT64_C(0));
        snprintf(front->max_age, sizeof(front->max_age), "%" PRId64, most);
    }
    return make_exposed(front);
}

int sw_receive_front_new(const struct sw_http_server_conf *conf, struct receive_front **ret_front)
{
    bool cors = conf->cors.enabled && conf->cors.allowed_origins.count > 0;
    if (!cors && conf->response_headers.count == 0) {
        return SW_OK;
    }
    struct receive_front *front = sw_zalloc(sizeof(*front));
    if (front == NULL) {
        return SW_E_NOMEM;
    }
    front->conf = conf;
    int err = make_fixed(front);
    if (err == SW_OK) {
        err = make_cors(front);
    }
    if (err != SW_OK) {
        sw_receive_front_free(front);
        return err;
    }
    *ret_front = front;
    return SW_OK;
}

void sw_receive_front_free(struct receive_front *front)
{
    if (front != NULL) {
        sw_free(front->fixed);
        sw_free(front->lines);
        sw_free(front->texts);
        sw_free(front->exposed);
        sw_free(front);
    }
}

bool sw_receive_front_closes(const struct receive_front *front)
{
    return front != NULL && front->closes;
}

/* ---- cross-origin requests ---- */

bool sw_receive_front_is_preflight(
    const struct receive_front *front,
    const struct sw_http1 *message
)
{
    struct sw_http_text method = {"", 0};
    return front != NULL && front->cors && sw_http_text_is(message->method, "OPTIONS")
           && sw_http1_header(message, "Access-Control-Request-Method", &method) && method.len > 0;
}

// Case does not count; one asterisk stands for any part.
static bool origin_is(struct sw_http_text origin, const char *pattern)
{
    const char *star = strchr(pattern, '*');
    if (star == NULL) {
        return sw_http_text_is_nocase(origin, pattern);
    }
    size_t before = (size_t)(star - pattern);
    size_t behind = strlen(star + 1);
    return origin.len >= before + behind && strncasecmp(origin.data, pattern, before) == 0
           && strncasecmp(origin.data + origin.len - behind, star + 1, behind) == 0;
}

static bool origin_is_allowed(const struct receive_front *front, struct sw_http_text origin)
{
    const struct sw_list *list = &front->conf->cors.allowed_origins;
    bool allowed = front->any_origin;
    for (size_t i = 0; i < list->count && !allowed; i++) {
        allowed = origin_is(origin, SW_LIST_AT(*list, const char *, i));
    }
    return allowed;
}

static bool method_is_allowed(struct sw_http_text method)
{
    return sw_http_text_is(method, "GET") || sw_http_text_is(method, "POST")
           || sw_http_text_is(method, "HEAD") || sw_http_text_is(method, "OPTIONS");
}

// The name as it was sent against one in lower case.
static bool is_lower(struct sw_http_text name, const char *allowed)
{
    size_t i = 0;
    while (i < name.len && allowed[i] != '\0'
           && name.data[i] == (char)tolower((unsigned char)allowed[i])) {
        i++;
    }
    return i == name.len && allowed[i] == '\0';
}

static bool header_is_allowed(const struct receive_front *front, struct sw_http_text name)
{
    static const char *const usual[] = {"accept", "content-type", "x-requested-with"};
    const struct sw_list *list = &front->conf->cors.allowed_headers;
    if (list->count == 0) {
        for (size_t i = 0; i < SW_ARRAY_SIZE(usual); i++) {
            if (sw_http_text_is(name, usual[i])) {
                return true;
            }
        }
    }
    for (size_t i = 0; i < list->count; i++) {
        if (is_lower(name, SW_LIST_AT(*list, const char *, i))) {
            return true;
        }
    }
    return false;
}

// One blank at most on either side. @return false: there are more
static bool trim_one(struct sw_http_text *name)
{
    if (name->len > 0 && (name->data[0] == ' ' || name->data[0] == '\t')) {
        name->data++;
        name->len--;
    }
    if (name->len > 0 && (name->data[name->len - 1] == ' ' || name->data[name->len - 1] == '\t')) {
        name->len--;
    }
    return name->len == 0
           || (name->data[0] != ' ' && name->data[0] != '\t' && name->data[name->len - 1] != ' '
               && name->data[name->len - 1] != '\t');
}

/* The names asked for so far: they come sorted, each once. */
struct asked {
    struct sw_http_text last;
    unsigned empty_count;
};

static bool follows(struct sw_http_text last, struct sw_http_text name)
{
    int order = memcmp(last.data, name.data, SW_MIN(last.len, name.len));
    return order < 0 || (order == 0 && last.len < name.len);
}

static bool
line_is_allowed(const struct receive_front *front, struct sw_http_text line, struct asked *asked)
{
    bool more = true;
    while (more) {
        const char *comma = memchr(line.data, ',', line.len);
        struct sw_http_text name = line;
        more = comma != NULL;
        if (more) {
            name.len = (size_t)(comma - line.data);
            line = (struct sw_http_text){comma + 1, line.len - name.len - 1};
        }
        if (!trim_one(&name)) {
            return false;
        }
        if (name.len == 0) {
            if (++asked->empty_count > EMPTY_NAMES_MAX) {
                return false;
            }
            continue;
        }
        if (!header_is_allowed(front, name) || !follows(asked->last, name)) {
            return false;
        }
        asked->last = name;
    }
    return true;
}

static const char asked_headers[] = "Access-Control-Request-Headers";

static bool headers_are_allowed(const struct receive_front *front, const struct sw_http1 *message)
{
    struct asked asked = {.last = {"", 0}};
    for (uint32_t i = 0; i < message->headers_count && !front->any_header; i++) {
        if (sw_http_text_is_nocase(sw_http1_header_name(message, i), asked_headers)
            && !line_is_allowed(front, sw_http1_header_value(message, i), &asked)) {
            return false;
        }
    }
    return true;
}

/* ---- the headers of an answer ---- */

// By name, as Go writes them; those of one name in the order they came.
static void add_text(struct receive_front *front, const char *name, struct sw_http_text value)
{
    size_t at = front->lines_count++;
    SW_ASSERT(at < front->fixed_count + CORS_LINES_MAX + ASKED_LINES_MAX);
    struct header *lines = front->lines;
    while (at > 0 && strcmp(lines[at - 1].name.data, name) > 0) {
        lines[at] = lines[at - 1];
        at--;
    }
    lines[at] = (struct header){{name, strlen(name)}, value};
}

static void add(struct receive_front *front, const char *name, const char *value)
{
    add_text(front, name, (struct sw_http_text){value, strlen(value)});
}

static void allow_origin(struct receive_front *front, struct sw_http_text origin)
{
    add_text(front, "Access-Control-Allow-Origin", front->any_origin ? SW_HTTP_TEXT("*") : origin);
    add(front, "Access-Control-Allow-Credentials", "true");
}

static void add_preflight(struct receive_front *front, const struct sw_http1 *message)
{
    struct sw_http_text origin = {"", 0};
    struct sw_http_text method = {"", 0};
    add(front, "Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    (void)sw_http1_header(message, "Origin", &origin);
    (void)sw_http1_header(message, "Access-Control-Request-Method", &method);
    if (origin.len == 0 || !origin_is_allowed(front, origin) || !method_is_allowed(method)
        || !headers_are_allowed(front, message)) {
        return;
    }
    allow_origin(front, origin);
    add_text(front, "Access-Control-Allow-Methods", method);
    unsigned asked_count = 0;
    for (uint32_t i = 0; i < message->headers_count && asked_count < ASKED_LINES_MAX; i++) {
        struct sw_http_text value = sw_http1_header_value(message, i);
        if (sw_http_text_is_nocase(sw_http1_header_name(message, i), asked_headers)
            && (asked_count > 0 || value.len > 0)) {
            add_text(front, "Access-Control-Allow-Headers", value);
            asked_count++;
        }
    }
    if (front->max_age[0] != '\0') {
        add(front, "Access-Control-Max-Age", front->max_age);
    }
}

static void add_actual(struct receive_front *front, const struct sw_http1 *message)
{
    struct sw_http_text origin = {"", 0};
    add(front, "Vary", "Origin");
    (void)sw_http1_header(message, "Origin", &origin);
    if (origin.len == 0 || !origin_is_allowed(front, origin)
        || !method_is_allowed(message->method)) {
        return;
    }
    allow_origin(front, origin);
    if (front->exposed != NULL) {
        add(front, "Access-Control-Expose-Headers", front->exposed);
    }
}

static bool reply_has(const struct http_reply *reply, struct sw_http_text name)
{
    return (reply->type != NULL && sw_http_text_is(name, "Content-Type"))
           || (reply->location != NULL && sw_http_text_is(name, "Location"))
           || (reply->retry && sw_http_text_is(name, "Retry-After"))
           || (reply->nosniff && sw_http_text_is(name, "X-Content-Type-Options"));
}

bool sw_receive_front_put(struct http_conn *http, const struct http_reply *reply)
{
    struct receive_front *front = http->conn.endpoint->receiver->front;
    char retry[24];
    front->lines_count = 0;
    for (size_t i = 0; i < front->fixed_count; i++) {
        if (!reply_has(reply, front->fixed[i].name)) {
            add_text(front, front->fixed[i].name.data, front->fixed[i].value);
        }
    }
    if (front->cors) {
        if (reply->preflight) {
            add_preflight(front, &http->http);
        } else {
            add_actual(front, &http->http);
        }
    }
    if (reply->type != NULL) {
        add(front, "Content-Type", reply->type);
    }
    if (reply->location != NULL) {
        add_text(front, "Location", receive_buf_text(reply->location));
    }
    if (reply->nosniff) {
        add(front, "X-Content-Type-Options", "nosniff");
    }
    if (reply->retry) {
        snprintf(retry, sizeof(retry), "%" PRIu64, reply->retry_s);
        add(front, "Retry-After", retry);
    }
    for (size_t i = 0; i < front->lines_count; i++) {
        const struct header *line = &front->lines[i];
        sw_receive_http_put(http, line->name.data, line->name.len);
        sw_receive_http_put(http, ": ", 2);
        sw_receive_http_put(http, line->value.data, line->value.len);
        sw_receive_http_put(http, "\r\n", 2);
    }
    return front->has_date;
}
