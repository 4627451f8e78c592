#include "perf/loadgen/template.h"

#include <stdlib.h>
#include <string.h>

enum mark {
    MARK_NONE,
    MARK_TRACE_ID,
    MARK_SPAN_ID,
    MARK_PARENT_ID,
    MARK_START,
    MARK_END,
    MARK_STATUS,
    MARK_COUNT
};

// One field of a span as wire bytes; the part that changes begins `at` bytes behind its start.
struct field {
    uint8_t bytes[1024 * 64];
    size_t len;
    enum mark mark;
    size_t at;
};

struct span_fields {
    struct field field[40];
    unsigned count;
};

static void
add_field(struct span_fields *fields, const struct sw_lg_bytes *bytes, enum mark mark, size_t at)
{
    struct field *field = &fields->field[fields->count];
    if (fields->count == 40 || bytes->len > sizeof(field->bytes)) {
        sw_lg_die("span size too large");
    }
    memcpy(field->bytes, bytes->data, bytes->len);
    field->len = bytes->len;
    field->mark = mark;
    field->at = at;
    fields->count++;
}

static void
add_fixed(struct span_fields *fields, unsigned number, unsigned wire, size_t len, enum mark mark)
{
    static const uint8_t zero[16];
    struct sw_lg_bytes out = {0};
    sw_lg_put_varint(&out, number << 3 | wire);
    if (wire == 2) {
        sw_lg_put_varint(&out, len);
    }
    size_t at = out.len;
    sw_lg_bytes_put(&out, zero, len);
    add_field(fields, &out, mark, at);
    sw_lg_bytes_free(&out);
}

static void add_attribute(
    struct span_fields *fields,
    bool reversed,
    const char *key,
    const char *text,
    size_t text_len,
    int64_t integer
)
{
    struct sw_lg_bytes out = {0};
    sw_lg_put_attribute(&out, 9, reversed, key, text, text_len, integer);
    add_field(fields, &out, MARK_NONE, 0);
    sw_lg_bytes_free(&out);
}

static size_t fields_size(const struct span_fields *fields)
{
    size_t size = 0;
    for (unsigned i = 0; i < fields->count; i++) {
        size += fields->field[i].len;
    }
    return size;
}

static const char *const names[] = {
    "GET /api/v1/orders/{id}",
    "POST /api/v1/cart/items",
    "SELECT shop.orders",
    "orders.OrderService/Place",
    "publish order-events",
    "HGETALL session"};
static const char *const routes[] =
    {"/api/v1/orders/{id}", "/api/v1/cart/items", "/checkout", "/api/v1/users/{user}/addresses"};

// The attributes that instrumentation libraries write, as many as fit below the wanted size.
static void add_attributes(struct span_fields *fields, bool reversed, unsigned variant, size_t max)
{
    const char *route = routes[variant % 4];
    char query[64];
    char thread[32];
    char client[32];
    snprintf(
        query, sizeof(query), "session=%08x&page=%u", (unsigned)sw_lg_mix(variant), variant % 97
    );
    snprintf(thread, sizeof(thread), "http-nio-8443-exec-%u", 10 + variant % 64);
    snprintf(client, sizeof(client), "10.42.%u.%u", variant / 200 % 200, variant % 200);
    const struct {
        const char *key;
        const char *text;
        int64_t integer;
    } attributes[] = {
        {"http.request.method", variant % 3 ? "GET" : "POST", 0},
        {"http.response.status_code", NULL, variant % 50 ? 200 : 404},
        {"http.route", route, 0},
        {"url.scheme", "https", 0},
        {"url.path", route, 0},
        {"url.query", query, 0},
        {"server.address", "shop.example.com", 0},
        {"server.port", NULL, 8443},
        {"client.address", client, 0},
        {"network.peer.address", client, 0},
        {"network.peer.port", NULL, 40000 + variant % 20000},
        {"network.protocol.version", "1.1", 0},
        {"user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101", 0},
        {"thread.id", NULL, 17 + variant % 64},
        {"thread.name", thread, 0},
    };
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        const char *text = attributes[i].text;
        size_t need = strlen(attributes[i].key) + (text ? strlen(text) : 3) + 12;
        if (fields_size(fields) + need <= max) {
            add_attribute(
                fields,
                reversed,
                attributes[i].key,
                text,
                text ? strlen(text) : 0,
                attributes[i].integer
            );
        }
    }
}

// A text that compresses like hexadecimal does, to bring the span to its exact size. Lengths that
// no text can reach (a length prefix grows by a byte) are met by a longer key.
static void add_padding(struct span_fields *fields, bool reversed, unsigned variant, size_t missing)
{
    static const char *const keys[] = {"shop.payload", "shop.payload_", "shop.payload__"};
    char *text = sw_lg_alloc(1, missing + 1);
    uint64_t state = sw_lg_mix(variant + 1000);
    for (size_t i = 0; i < missing; i++) {
        if (i % 16 == 0) {
            state = sw_lg_mix(state);
        }
        text[i] = "0123456789abcdef"[state >> i % 16 * 4 & 15];
    }
    for (unsigned k = 0; k < 3; k++) {
        for (size_t len = missing; len > 0 && len + 40 > missing; len--) {
            struct sw_lg_bytes out = {0};
            sw_lg_put_attribute(&out, 9, reversed, keys[k], text, len, 0);
            bool fits = out.len == missing;
            if (fits) {
                add_field(fields, &out, MARK_NONE, 0);
            }
            sw_lg_bytes_free(&out);
            if (fits) {
                free(text);
                return;
            }
        }
    }
    sw_lg_die("no span of that size can be built; try one a few bytes larger");
}

static void
build_fields(struct span_fields *fields, const struct sw_lg_form *form, unsigned variant)
{
    struct sw_lg_bytes out = {0};
    fields->count = 0;
    add_fixed(fields, 1, 2, 16, MARK_TRACE_ID);
    add_fixed(fields, 2, 2, 8, MARK_SPAN_ID);
    add_fixed(fields, 4, 2, 8, MARK_PARENT_ID);
    sw_lg_put_text(&out, 5, names[variant % 6]);
    add_field(fields, &out, MARK_NONE, 0);
    out.len = 0;
    sw_lg_put_varint(&out, 6 << 3);
    sw_lg_put_varint(&out, 2 + variant % 2);
    add_field(fields, &out, MARK_NONE, 0);
    sw_lg_bytes_free(&out);
    add_fixed(fields, 7, 1, 8, MARK_START);
    add_fixed(fields, 8, 1, 8, MARK_END);
    // Attributes and padding stand before status (4 bytes) and flags (6 bytes).
    size_t fixed = fields_size(fields) + 4 + 6;
    if (form->span_size < fixed + 24) {
        sw_lg_die("spans of %u bytes are too small; %zu is the least", form->span_size, fixed + 24);
    }
    add_attributes(fields, form->reversed, variant, form->span_size - 10 - 24);
    add_padding(fields, form->reversed, variant, form->span_size - 10 - fields_size(fields));
    static const uint8_t status[4] = {0x7a, 0x02, 0x18, 0x00};
    static const uint8_t flags[6] = {0x85, 0x01, 0x01, 0x01, 0x00, 0x00};
    add_field(fields, &(struct sw_lg_bytes){.data = (uint8_t *)status, .len = 4}, MARK_STATUS, 3);
    add_field(fields, &(struct sw_lg_bytes){.data = (uint8_t *)flags, .len = 6}, MARK_NONE, 0);
}

// Writes one span and notes, relative to the start of its bytes, where the changing parts are.
static void put_span(
    struct sw_lg_bytes *out,
    const struct span_fields *fields,
    bool reversed,
    struct sw_lg_patch *patch
)
{
    uint32_t at[MARK_COUNT] = {0};
    sw_lg_put_varint(out, 2 << 3 | 2);
    sw_lg_put_varint(out, fields_size(fields));
    for (unsigned n = 0; n < fields->count; n++) {
        // Elements of one repeated field keep their order in both directions, as the Collector's
        // do; here that concerns nobody's decision, so the mirrored order of attributes is kept.
        const struct field *field = &fields->field[reversed ? fields->count - 1 - n : n];
        at[field->mark] = (uint32_t)(out->len + field->at);
        sw_lg_bytes_put(out, field->bytes, field->len);
    }
    *patch = (struct sw_lg_patch
    ){at[MARK_TRACE_ID],
      at[MARK_SPAN_ID],
      at[MARK_PARENT_ID],
      at[MARK_START],
      at[MARK_END],
      at[MARK_STATUS]};
}

static void put_resource(struct sw_lg_bytes *out, bool reversed, unsigned number)
{
    struct sw_lg_bytes body = {0};
    char text[64];
    static const char *const services[] = {"checkout", "cart", "payment", "frontend", "shipping"};
    const char *service = services[number % 5];
    sw_lg_put_attribute(&body, 1, reversed, "service.name", service, strlen(service), 0);
    sw_lg_put_attribute(&body, 1, reversed, "service.version", "2.14.3", 6, 0);
    snprintf(text, sizeof(text), "%s-7d9f6c5b8-%05x", service, number * 7919 & 0xfffff);
    sw_lg_put_attribute(&body, 1, reversed, "k8s.pod.name", text, strlen(text), 0);
    sw_lg_put_attribute(&body, 1, reversed, "telemetry.sdk.language", "java", 4, 0);
    sw_lg_put_message(out, 1, body.data, body.len);
    sw_lg_bytes_free(&body);
}

static void put_scope(struct sw_lg_bytes *out)
{
    struct sw_lg_bytes body = {0};
    sw_lg_put_text(&body, 1, "io.opentelemetry.tomcat-10.0");
    sw_lg_put_text(&body, 2, "2.14.0-alpha");
    sw_lg_put_message(out, 1, body.data, body.len);
    sw_lg_bytes_free(&body);
}

static void shift(struct sw_lg_patch *patches, uint32_t count, size_t by)
{
    for (uint32_t i = 0; i < count; i++) {
        patches[i].trace_id += (uint32_t)by;
        patches[i].span_id += (uint32_t)by;
        patches[i].parent_id += (uint32_t)by;
        patches[i].start += (uint32_t)by;
        patches[i].end += (uint32_t)by;
        patches[i].status += (uint32_t)by;
    }
}

// ResourceSpans { resource 1, scope_spans 2 { scope 1, spans 2 } } with spans from..from + count.
static void put_resource_spans(
    struct sw_lg_bytes *out,
    const struct sw_lg_form *form,
    unsigned number,
    struct sw_lg_patch *patches,
    uint32_t from,
    uint32_t count
)
{
    struct sw_lg_bytes scope = {0};
    struct sw_lg_bytes resource = {0};
    struct span_fields *fields = sw_lg_alloc(1, sizeof(*fields));
    if (!form->reversed) {
        put_scope(&scope);
    }
    for (uint32_t i = 0; i < count; i++) {
        build_fields(fields, form, from + i);
        put_span(&scope, fields, form->reversed, &patches[from + i]);
    }
    if (form->reversed) {
        put_scope(&scope);
    }
    if (!form->reversed) {
        put_resource(&resource, form->reversed, number);
    }
    sw_lg_put_message(&resource, 2, scope.data, scope.len);
    // sw_lg_put_message wrote the scope's bytes last.
    shift(patches + from, count, resource.len - scope.len);
    if (form->reversed) {
        put_resource(&resource, form->reversed, number);
    }
    size_t inner = resource.len;
    sw_lg_put_message(out, 1, resource.data, resource.len);
    shift(patches + from, count, out->len - inner);
    sw_lg_bytes_free(&scope);
    sw_lg_bytes_free(&resource);
    free(fields);
}

void sw_lg_template_init(
    struct sw_lg_template *template,
    const struct sw_lg_form *form,
    uint32_t count
)
{
    struct sw_lg_bytes out = {0};
    uint8_t prefix[SW_LG_GRPC_PREFIX] = {0};
    template->count = count;
    template->patches = sw_lg_alloc(count, sizeof(*template->patches));
    sw_lg_bytes_put(&out, prefix, sizeof(prefix));
    uint32_t done = 0;
    for (uint32_t r = 0; r < form->resources; r++) {
        uint32_t upto = (uint32_t)((uint64_t)count * (r + 1) / form->resources);
        if (upto > done) {
            put_resource_spans(&out, form, r, template->patches, done, upto - done);
        }
        done = upto;
    }
    sw_lg_set_grpc_prefix(out.data, out.len, false);
    template->data = out.data;
    template->size = out.len;
}

void sw_lg_template_fini(struct sw_lg_template *template)
{
    free(template->data);
    free(template->patches);
    *template = (struct sw_lg_template){0};
}

// Root covers its children; a microsecond between traces keeps start times apart.
void sw_lg_template_fill(
    struct sw_lg_template *template,
    const struct sw_lg_shape *shape,
    uint64_t epoch_ns,
    const uint64_t *spans
)
{
    uint64_t trace = UINT64_MAX;
    uint8_t trace_id[16] = {0};
    uint64_t root_id = 0;
    uint32_t error_index = UINT32_MAX;
    uint64_t root_ns = 0;
    for (uint32_t i = 0; i < template->count; i++) {
        const struct sw_lg_patch *patch = &template->patches[i];
        uint32_t index = SW_LG_INDEX(spans[i]);
        if (SW_LG_TRACE(spans[i]) != trace) {
            trace = SW_LG_TRACE(spans[i]);
            sw_lg_trace_id(shape, trace, trace_id);
            root_id = sw_lg_span_id(shape, SW_LG_SPAN(trace, 0ull));
            error_index =
                sw_lg_is_error_trace(shape, trace) ? sw_lg_error_index(shape, trace) : UINT32_MAX;
            root_ns = sw_lg_is_slow_trace(shape, trace) ? SW_LG_SLOW_NS : SW_LG_NORMAL_NS;
        }
        uint64_t span_id = index ? sw_lg_span_id(shape, spans[i]) : root_id;
        uint64_t parent_id = index ? root_id : 0;
        uint64_t start = epoch_ns + trace * 1000 + index * 10000ull;
        uint64_t end = index ? start + SW_LG_NORMAL_NS / 4 : start + root_ns;
        memcpy(template->data + patch->trace_id, trace_id, 16);
        memcpy(template->data + patch->span_id, &span_id, 8);
        memcpy(template->data + patch->parent_id, &parent_id, 8);
        memcpy(template->data + patch->start, &start, 8);
        memcpy(template->data + patch->end, &end, 8);
        template->data[patch->status] = index == error_index ? 2 : 0;
    }
}
