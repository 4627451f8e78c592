/* The head of a message: start line, headers, and what they say about the body. What is accepted and
 * refused is Go's net/http and net/textproto; `why` is set where its server says why. */
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/http1_internal.h"

/** What is gathered while the headers go by. */
struct facts {
    struct sw_http_text length; // the first Content-Length
    struct sw_http_text coding; // the first Transfer-Encoding
    struct sw_http_text expect; // the first Expect
    uint32_t lengths_count;
    uint32_t codings_count;
    uint32_t hosts_count;
    bool lengths_differ;
    bool bad_name; // has a blank in it
    bool close;
    bool keep_alive;
};

// RFC 9110 §5.6.2.
static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool all_token(struct sw_http_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token(text.data[i])) {
            return false;
        }
    }
    return text.len > 0;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static enum sw_http1_event refuse(struct sw_http1 *http, const char *why)
{
    return sw_http1_fail_internal(http, 400, why);
}

/* ---- start line ---- */

// The line from *at on, without its end; *at moves behind it. There is a LF.
static struct sw_http_text next_line(const struct sw_buf *head, uint32_t *at)
{
    const char *begin = (const char *)head->data + *at;
    const char *lf = memchr(begin, '\n', head->size - *at);
    SW_ASSERT(lf != NULL);
    size_t len = (size_t)(lf - begin);
    *at += (uint32_t)len + 1;
    if (len > 0 && begin[len - 1] == '\r') {
        len--;
    }
    return (struct sw_http_text){begin, len};
}

// Up to the first blank; *rest is what follows it. @return false: there is none
static bool cut_blank(struct sw_http_text *rest, struct sw_http_text *ret_first)
{
    const char *blank = memchr(rest->data, ' ', rest->len);
    if (blank == NULL) {
        return false;
    }
    size_t len = (size_t)(blank - rest->data);
    *ret_first = (struct sw_http_text){rest->data, len};
    rest->data += len + 1;
    rest->len -= len + 1;
    return true;
}

static bool parse_version(struct sw_http1 *http, struct sw_http_text text)
{
    if (text.len != 8 || memcmp(text.data, "HTTP/", 5) != 0 || text.data[6] != '.') {
        return false;
    }
    unsigned major = (unsigned)(text.data[5] - '0');
    unsigned minor = (unsigned)(text.data[7] - '0');
    if (major > 9 || minor > 9) {
        return false;
    }
    http->version_major = (uint8_t)major;
    http->version_minor = (uint8_t)minor;
    return true;
}

// As far as url.ParseRequestURI cares before it looks at the path: no control bytes, and a path, an
// asterisk or a scheme in front. CONNECT names an authority.
static bool target_is_sound(struct sw_http_text method, struct sw_http_text target)
{
    for (size_t i = 0; i < target.len; i++) {
        if (is_control(target.data[i])) {
            return false;
        }
    }
    if (target.len == 0) {
        return false;
    }
    if (target.data[0] == '/' || sw_http_text_is(target, "*")
        || sw_http_text_is(method, "CONNECT")) {
        return true;
    }
    size_t i = 0;
    while (i < target.len
           && ((target.data[i] >= 'a' && target.data[i] <= 'z')
               || (target.data[i] >= 'A' && target.data[i] <= 'Z')
               || (i > 0 && target.data[i] != '\0'
                   && strchr("0123456789+-.", target.data[i]) != NULL))) {
        i++;
    }
    return i > 0 && i < target.len && target.data[i] == ':';
}

static enum sw_http1_event request_line(struct sw_http1 *http, struct sw_http_text line)
{
    struct sw_http_text method;
    struct sw_http_text target;
    if (!cut_blank(&line, &method) || !cut_blank(&line, &target) || !all_token(method)
        || !parse_version(http, line) || !target_is_sound(method, target)) {
        return refuse(http, NULL);
    }
    http->method = method;
    http->target = target;
    http->preface = http->version_major == 2 && http->version_minor == 0
                    && sw_http_text_is(method, "PRI") && sw_http_text_is(target, "*");
    return SW_HTTP1_MORE;
}

static enum sw_http1_event status_line(struct sw_http1 *http, struct sw_http_text line)
{
    struct sw_http_text version;
    struct sw_http_text code;
    uint64_t status = 0;
    if (!cut_blank(&line, &version)) {
        return refuse(http, "malformed HTTP response");
    }
    while (line.len > 0 && line.data[0] == ' ') {
        line.data++;
        line.len--;
    }
    if (!cut_blank(&line, &code)) {
        code = line; // without a reason
    }
    if (code.len != 3 || !sw_http_text_number(code, &status) || status < 100) {
        return refuse(http, "malformed HTTP status code");
    }
    if (!parse_version(http, version) || http->version_major != 1) {
        return refuse(http, "malformed HTTP version");
    }
    http->status = (unsigned)status;
    return SW_HTTP1_MORE;
}

enum sw_http1_event sw_http1_start_line_internal(struct sw_http1 *http)
{
    uint32_t at = 0;
    struct sw_http_text line = next_line(http->head, &at);
    return http->client ? status_line(http, line) : request_line(http, line);
}

/* ---- headers ---- */

static int add_header(struct sw_http1 *http, const struct sw_http1_header *header)
{
    if (http->headers_count == http->headers_capacity) {
        uint32_t capacity = http->headers_capacity > 0 ? http->headers_capacity * 2 : 16;
        if (capacity > SW_HTTP1_HEADERS_MAX) {
            return SW_E_TOO_LARGE;
        }
        struct sw_http1_header *larger =
            sw_realloc(http->headers, capacity * sizeof(http->headers[0]));
        if (larger == NULL) {
            return SW_E_NOMEM;
        }
        sw_account_charge(
            http->account, (int64_t)((capacity - http->headers_capacity) * sizeof(larger[0]))
        );
        http->headers = larger;
        http->headers_capacity = capacity;
    }
    http->headers[http->headers_count++] = *header;
    return SW_OK;
}

// @return false: refused
static bool check_name(const struct sw_http1 *http, struct sw_http_text name, struct facts *facts)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == ' ') {
            // A name that no one can ask for; a server tells the client what is wrong with it.
            facts->bad_name = !http->client;
        } else if (!is_token(name.data[i])) {
            return false;
        }
    }
    return true;
}

static bool check_value(struct sw_http_text value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (is_control(value.data[i]) && value.data[i] != '\t') {
            return false;
        }
    }
    return true;
}

static void note_connection(struct sw_http_text value, struct facts *facts)
{
    struct sw_http_text token;
    while (sw_http_text_next(&value, &token)) {
        facts->close = facts->close || sw_http_text_is_nocase(token, "close");
        facts->keep_alive = facts->keep_alive || sw_http_text_is_nocase(token, "keep-alive");
    }
}

static void note(
    struct sw_http1 *http,
    struct sw_http_text name,
    struct sw_http_text value,
    struct facts *facts
)
{
    if (sw_http_text_is_nocase(name, "content-length")) {
        if (facts->lengths_count++ == 0) {
            facts->length = value;
        } else if (value.len != facts->length.len || memcmp(value.data, facts->length.data, value.len) != 0) {
            facts->lengths_differ = true;
        }
    } else if (sw_http_text_is_nocase(name, "transfer-encoding")) {
        if (facts->codings_count++ == 0) {
            facts->coding = value;
        }
    } else if (sw_http_text_is_nocase(name, "connection")) {
        note_connection(value, facts);
    } else if (sw_http_text_is_nocase(name, "host")) {
        if (facts->hosts_count++ == 0) {
            http->host = value;
        }
    } else if (sw_http_text_is_nocase(name, "expect") && facts->expect.data == NULL) {
        facts->expect = value;
    }
}

// The header that begins at *at, with the lines that continue it: these are joined to it in place with
// one blank. @return its text; *at moves behind all of them
static struct sw_http_text next_header(struct sw_buf *head, uint32_t *at)
{
    struct sw_http_text line = sw_http_text_trim(next_line(head, at));
    char *end = (char *)line.data + line.len;
    while (head->data[*at] == ' ' || head->data[*at] == '\t') {
        struct sw_http_text more = sw_http_text_trim(next_line(head, at));
        *end++ = ' '; // where the line's LF stood, at the latest
        memmove(end, more.data, more.len);
        end += more.len;
        line.len += 1 + more.len;
    }
    return line;
}

// One header. @return 0; SW_E_MALFORMED, SW_E_TOO_LARGE, SW_E_NOMEM
static int take_header(struct sw_http1 *http, uint32_t *at, struct facts *facts)
{
    struct sw_buf *head = http->head;
    // The colon belongs into the first of a header's lines.
    uint32_t ahead = *at;
    struct sw_http_text line = sw_http_text_trim(next_line(head, &ahead));
    const char *colon = memchr(line.data, ':', line.len);
    if (colon == NULL) {
        return SW_E_MALFORMED;
    }
    line = next_header(head, at);
    struct sw_http_text name = {line.data, (size_t)(colon - line.data)};
    struct sw_http_text value = {colon + 1, line.len - name.len - 1};
    if (!check_name(http, name, facts) || !check_value(value)) {
        return SW_E_MALFORMED;
    }
    if (name.len == 0) {
        return SW_OK; // textproto skips it
    }
    value = sw_http_text_trim(value);
    note(http, name, value, facts);
    struct sw_http1_header header = {
        .name = (uint32_t)(name.data - (const char *)head->data),
        .name_len = (uint32_t)name.len,
        .value = (uint32_t)(value.data - (const char *)head->data),
        .value_len = (uint32_t)value.len,
    };
    return add_header(http, &header);
}

static int take_headers(struct sw_http1 *http, struct facts *facts)
{
    const struct sw_buf *head = http->head;
    uint32_t at = 0;
    (void)next_line(head, &at);
    if (head->data[at] == ' ' || head->data[at] == '\t') {
        return SW_E_MALFORMED; // continues nothing
    }
    while (head->data[at] != '\n' && !(head->data[at] == '\r' && head->data[at + 1] == '\n')) {
        int err = take_header(http, &at, facts);
        if (err != SW_OK) {
            return err;
        }
    }
    return SW_OK;
}

/* ---- what they mean ---- */

// transfer.go fixLength: a length must be sound even where chunks overrule it.
static bool read_length(struct sw_http1 *http, const struct facts *facts)
{
    if (facts->lengths_count == 0) {
        return true;
    }
    uint64_t length = 0;
    if (facts->lengths_differ || !sw_http_text_number(facts->length, &length)
        || length > INT64_MAX) {
        return false;
    }
    http->has_length = !http->chunked;
    http->length = length;
    return true;
}

// transfer.go parseTransferEncoding: HTTP/1.0 knows none.
static bool read_coding(struct sw_http1 *http, const struct facts *facts)
{
    if (facts->codings_count == 0 || http->version_minor == 0) {
        return true;
    }
    http->chunked = facts->codings_count == 1 && sw_http_text_is_nocase(facts->coding, "chunked");
    return http->chunked;
}

// http.hasToken: blanks separate as commas do.
static bool asks_continue(struct sw_http_text expect)
{
    static const char token[] = "100-continue";
    size_t begin = 0;
    if (expect.len == 0) {
        return false;
    }
    for (size_t i = 0; i <= expect.len; i++) {
        if (i < expect.len && expect.data[i] != ' ' && expect.data[i] != ','
            && expect.data[i] != '\t') {
            continue;
        }
        struct sw_http_text word = {expect.data + begin, i - begin};
        if (sw_http_text_is_nocase(word, token)) {
            return true;
        }
        begin = i + 1;
    }
    return false;
}

static void read_connection(struct sw_http1 *http, const struct facts *facts)
{
    bool old = http->version_minor == 0;
    http->keep_alive = !facts->close && (!old || facts->keep_alive) && !http->preface;
    http->keep_alive_asked = old && facts->keep_alive && !http->preface;
}

// httpguts.ValidHostHeader: characters only.
static bool host_is_sound(struct sw_http_text host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        bool sound = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
                     || (c != '\0' && strchr("!$%&'()*+,-.:;=[]_~", c) != NULL);
        if (!sound) {
            return false;
        }
    }
    return true;
}

// server.go conn.readRequest, in its order.
static enum sw_http1_event check_request(struct sw_http1 *http, const struct facts *facts)
{
    if (http->version_major != 1 && !http->preface) {
        return sw_http1_fail_internal(http, 505, "unsupported protocol version");
    }
    bool needs_host = http->version_major == 1 && http->version_minor > 0
                      && !sw_http_text_is(http->method, "CONNECT");
    if (needs_host && facts->hosts_count == 0) {
        return refuse(http, "missing required Host header");
    }
    if (!host_is_sound(http->host)) {
        return refuse(http, "malformed Host header");
    }
    if (facts->bad_name) {
        return refuse(http, "invalid header name");
    }
    bool continues = asks_continue(facts->expect);
    bool has_body = http->chunked || (http->has_length && http->length > 0);
    http->expect_continue = continues && has_body && http->version_minor > 0;
    http->expect_other = !continues && facts->expect.len > 0;
    return SW_HTTP1_HEAD;
}

static void begin_body(struct sw_http1 *http)
{
    bool never =
        http->client
        && (http->no_body || http->status < 200 || http->status == 204 || http->status == 304);
    http->line_bytes = 0;
    http->left = 0;
    if (never || http->preface) {
        http->state = HTTP1_DONE;
    } else if (http->chunked) {
        http->state = HTTP1_SIZE;
    } else if (http->has_length) {
        http->left = http->length;
        http->state = http->length > 0 ? HTTP1_LENGTH : HTTP1_DONE;
    } else if (http->client) {
        http->state = HTTP1_CLOSE;
        http->until_close = true;
        http->keep_alive = false;
    } else {
        http->state = HTTP1_DONE;
    }
}

enum sw_http1_event sw_http1_head_internal(struct sw_http1 *http)
{
    struct facts facts = {0};
    switch (take_headers(http, &facts)) {
    case SW_OK:
        break;
    case SW_E_TOO_LARGE:
        return sw_http1_fail_internal(http, 431, NULL);
    case SW_E_NOMEM:
        return sw_http1_fail_internal(http, 503, sw_err_text(SW_E_NOMEM));
    default:
        return refuse(http, http->client ? "malformed MIME header line" : NULL);
    }
    if (!http->client && facts.hosts_count > 1) {
        return refuse(http, NULL);
    }
    if (!read_coding(http, &facts)) {
        return sw_http1_fail_internal(http, 501, "Unsupported transfer encoding");
    }
    if (!read_length(http, &facts)) {
        return refuse(http, http->client ? "bad Content-Length" : NULL);
    }
    read_connection(http, &facts);
    if (!http->client && check_request(http, &facts) == SW_HTTP1_FAIL) {
        return SW_HTTP1_FAIL;
    }
    begin_body(http);
    return SW_HTTP1_HEAD;
}
