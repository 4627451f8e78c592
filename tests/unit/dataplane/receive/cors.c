/* Cross-origin requests and `response_headers`: what stands in front of every answer of the HTTP endpoint.
 * Headers are rs/cors's, as recorded (parity groups receiver/cors*). */
#include "tests/unit/dataplane/receive/bed.h"

#define PB_TYPE "Content-Type: application/x-protobuf\r\n"
#define PLAIN_415                                                                                  \
    "415 unsupported media type, supported: [application/json, application/x-protobuf]"
#define PLAIN_405 "405 method not allowed, supported: [POST]"

#define ALLOWED(origin)                                                                            \
    "Access-Control-Allow-Credentials: true\r\nAccess-Control-Allow-Origin: " origin "\r\n"
#define PREFLIGHT(origin, method, headers, age)                                                    \
    "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Credentials: true\r\n" headers                \
    "Access-Control-Allow-Methods: " method "\r\nAccess-Control-Allow-Origin: " origin "\r\n" age  \
    "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n\r\n"
#define NOT_ALLOWED                                                                                \
    "HTTP/1.1 204 No Content\r\n"                                                                  \
    "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n\r\n"
#define AGE          "Access-Control-Max-Age: 600\r\n"
#define ASK(method)  "Access-Control-Request-Method: " method "\r\n"
#define NAMES(names) "Access-Control-Request-Headers: " names "\r\n"
#define ORIGIN(name) "Origin: " name "\r\n"
#define OURS         "https://app.example.com"
#define GRANT(names) "Access-Control-Allow-Headers: " names "\r\n"

struct exchange {
    const char *line;
    const char *headers;
    const char *head;
    const char *body; // NULL: the two bytes of success
};

static void run(struct bed *bed, struct bed_client *client, const struct exchange *exchange)
{
    char text[1024];
    snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: x\r\n", exchange->line);
    bed_send_text(client, text);
    bed_send_text(client, exchange->headers);
    bed_send_text(client, "Content-Length: 0\r\n\r\n");
    bed_until(bed, bed_responses_count(client) == 1);
    if (exchange->body != NULL) {
        bed_assert_response(client, exchange->head, exchange->body, strlen(exchange->body));
    } else {
        bed_assert_response_text(client, exchange->head, "\x0a\x00");
    }
}

static void run_all(
    void (*change)(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf),
    const struct exchange *exchanges,
    size_t count
)
{
    for (enum bed_kind kind = BED_MEMORY; kind <= BED_TROUBLED; kind++) {
        struct bed bed;
        bed_init_conf(&bed, kind, 3, change);
        struct bed_client *client = bed_connect_http(&bed);
        for (size_t i = 0; i < count; i++) {
            run(&bed, client, &exchanges[i]);
        }
        assert_int_equal(client->text_len, 0);
        bed_fini(&bed);
    }
}

/* ---- cors ---- */

static const char *origins[] = {"https://app.example.com", "https://*.example.org"};
static const char *allowed_names[] = {"x-tenant", "x-zone"};
static const char *exposed_names[] = {"x-one", "X-TWO"};
static const char *any[] = {"*"};

static void usual(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    struct sw_http_server_conf *server = &conf->protocols.http.server;
    server->cors.enabled = true;
    server->cors.allowed_origins = (struct sw_list){origins, SW_ARRAY_SIZE(origins)};
    server->cors.max_age = 600;
}

static const struct exchange usual_exchanges[] = {
    {"OPTIONS /v1/traces", ORIGIN(OURS) ASK("POST"), PREFLIGHT(OURS, "POST", "", AGE), ""},
    {"OPTIONS /nowhere", ORIGIN(OURS) ASK("GET"), PREFLIGHT(OURS, "GET", "", AGE), ""},
    {"OPTIONS /v1/traces",
     ORIGIN("https://APP.example.COM") ASK("HEAD"),
     PREFLIGHT("https://APP.example.COM", "HEAD", "", AGE),
     ""},
    {"OPTIONS /v1/traces",
     ORIGIN("https://a.b.example.org") ASK("POST"),
     PREFLIGHT("https://a.b.example.org", "POST", "", AGE),
     ""},
    {"OPTIONS /v1/traces", ORIGIN("https://example.org") ASK("POST"), NOT_ALLOWED, ""},
    {"OPTIONS /v1/traces", ORIGIN("https://evil.test") ASK("POST"), NOT_ALLOWED, ""},
    {"OPTIONS /v1/traces", ORIGIN(OURS) ASK("PUT"), NOT_ALLOWED, ""},
    {"OPTIONS /v1/traces", ASK("POST"), NOT_ALLOWED, ""},
    {"OPTIONS /v1/traces",
     ORIGIN(OURS) ASK("POST") NAMES("accept,content-type, x-requested-with"),
     PREFLIGHT(OURS, "POST", GRANT("accept,content-type, x-requested-with"), AGE),
     ""},
    {"OPTIONS /v1/traces", ORIGIN(OURS) ASK("POST") NAMES("x-tenant"), NOT_ALLOWED, ""},
    // Fetch sends them in lower case, sorted, each once: all else is none of a browser's.
    {"OPTIONS /v1/traces", ORIGIN(OURS) ASK("POST") NAMES("Content-Type"), NOT_ALLOWED, ""},
    {"OPTIONS /v1/traces", ORIGIN(OURS) ASK("POST") NAMES("content-type,accept"), NOT_ALLOWED, ""},
    {"OPTIONS /v1/traces", ORIGIN(OURS) ASK("POST") NAMES("accept,accept"), NOT_ALLOWED, ""},
    {"OPTIONS /v1/traces",
     ORIGIN(OURS) ASK("POST") NAMES("accept,  content-type"),
     NOT_ALLOWED,
     ""},
    // No preflight without a method that is asked for.
    {"OPTIONS /v1/traces",
     ORIGIN(OURS),
     "HTTP/1.1 405 Method Not Allowed\r\n" ALLOWED(OURS
     ) "Content-Type: text/plain\r\nVary: Origin\r\nContent-Length: 41\r\n\r\n",
     PLAIN_405},
};

static void test_preflights_are_answered_as_rs_cors_does(void **state)
{
    run_all(usual, usual_exchanges, SW_ARRAY_SIZE(usual_exchanges));
}

static const struct exchange actual_exchanges[] = {
    {"POST /v1/traces",
     PB_TYPE ORIGIN(OURS),
     "HTTP/1.1 200 OK\r\n" ALLOWED(OURS
     ) "Content-Type: application/x-protobuf\r\nVary: Origin\r\nContent-Length: 2\r\n\r\n",
     NULL},
    {"POST /v1/traces",
     PB_TYPE ORIGIN("https://evil.test"),
     "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nVary: Origin\r\n"
     "Content-Length: 2\r\n\r\n",
     NULL},
    {"POST /v1/traces",
     PB_TYPE,
     "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nVary: Origin\r\n"
     "Content-Length: 2\r\n\r\n",
     NULL},
    {"POST /v1/traces",
     ORIGIN(OURS),
     "HTTP/1.1 415 Unsupported Media Type\r\n" ALLOWED(OURS
     ) "Content-Type: text/plain\r\nVary: Origin\r\nContent-Length: 81\r\n\r\n",
     PLAIN_415},
    {"PUT /v1/traces",
     PB_TYPE ORIGIN(OURS),
     "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nVary: Origin\r\n"
     "Content-Length: 41\r\n\r\n",
     PLAIN_405},
    {"POST /v1/nothing",
     PB_TYPE ORIGIN(OURS),
     "HTTP/1.1 404 Not Found\r\n" ALLOWED(OURS
     ) "Content-Type: text/plain; charset=utf-8\r\nVary: Origin\r\n"
       "X-Content-Type-Options: nosniff\r\nContent-Length: 19\r\n\r\n",
     "404 page not found\n"},
    {"POST //v1/traces",
     PB_TYPE ORIGIN(OURS),
     "HTTP/1.1 307 Temporary Redirect\r\n" ALLOWED(OURS
     ) "Location: /v1/traces\r\nVary: Origin\r\nContent-Length: 0\r\n\r\n",
     ""},
};

static void test_every_answer_says_whether_its_origin_may_read_it(void **state)
{
    run_all(usual, actual_exchanges, SW_ARRAY_SIZE(actual_exchanges));
}

static void own_names(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    struct sw_http_server_conf *server = &conf->protocols.http.server;
    usual(env, conf);
    server->cors.max_age = -1;
    server->cors.allowed_headers = (struct sw_list){allowed_names, SW_ARRAY_SIZE(allowed_names)};
    server->cors.exposed_headers = (struct sw_list){exposed_names, SW_ARRAY_SIZE(exposed_names)};
}

static const struct exchange own_exchanges[] = {
    {"OPTIONS /v1/traces",
     ORIGIN(OURS) ASK("POST") NAMES("x-tenant,x-zone"),
     PREFLIGHT(OURS, "POST", GRANT("x-tenant,x-zone"), "Access-Control-Max-Age: 0\r\n"),
     ""},
    // The list replaces the usual three.
    {"OPTIONS /v1/traces", ORIGIN(OURS) ASK("POST") NAMES("content-type"), NOT_ALLOWED, ""},
    {"GET /v1/traces",
     PB_TYPE ORIGIN(OURS),
     "HTTP/1.1 405 Method Not Allowed\r\n" ALLOWED(OURS
     ) "Access-Control-Expose-Headers: X-One, X-Two\r\nContent-Type: text/plain\r\n"
       "Vary: Origin\r\nContent-Length: 41\r\n\r\n",
     PLAIN_405},
};

static void test_own_headers_replace_the_usual_ones_and_are_exposed(void **state)
{
    run_all(own_names, own_exchanges, SW_ARRAY_SIZE(own_exchanges));
}

static void everybody(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    struct sw_http_server_conf *server = &conf->protocols.http.server;
    server->cors.enabled = true;
    server->cors.allowed_origins = (struct sw_list){any, 1};
    server->cors.allowed_headers = (struct sw_list){any, 1};
}

static const struct exchange any_exchanges[] = {
    {"OPTIONS /v1/traces",
     ORIGIN("null") ASK("POST") NAMES("Zebra, ant"),
     PREFLIGHT("*", "POST", GRANT("Zebra, ant"), ""),
     ""},
};

static void test_asterisks_allow_everything(void **state)
{
    run_all(everybody, any_exchanges, SW_ARRAY_SIZE(any_exchanges));
}

static void no_origins(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.cors.enabled = true;
}

static const struct exchange off_exchanges[] = {
    {"OPTIONS /v1/traces",
     ORIGIN(OURS) ASK("POST"),
     "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 41\r\n\r\n",
     PLAIN_405},
    // To the server as such; no handler is asked, whatever the content type.
    {"OPTIONS *", PB_TYPE, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
};

static void test_cors_without_origins_is_off(void **state)
{
    run_all(no_origins, off_exchanges, SW_ARRAY_SIZE(off_exchanges));
}

/* ---- response_headers ---- */

static struct sw_pair pairs[] = {
    {"x-served-by", "  weir "},
    {"X-SERVED-BY", "weir 2"},
    {"cache-control", "no\r\nstore"},
    {"content-type", "text/odd"},
    {"no name", "x"},
    {"Content-Length", "77"},
    {"strict-transport-security", "max-age=1"},
};

static void fixed_headers(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.response_headers = (struct sw_list){pairs, SW_ARRAY_SIZE(pairs)};
}

static const struct exchange fixed_exchanges[] = {
    // The handler's own content type wins; a value stays on its line, a name that is none is left out.
    {"GET /v1/traces",
     PB_TYPE,
     "HTTP/1.1 405 Method Not Allowed\r\nCache-Control: no  store\r\nContent-Type: text/plain\r\n"
     "Strict-Transport-Security: max-age=1\r\nX-Served-By: weir 2\r\nContent-Length: 41\r\n\r\n",
     PLAIN_405},
    {"POST //v1/traces",
     PB_TYPE,
     "HTTP/1.1 307 Temporary Redirect\r\nCache-Control: no  store\r\nContent-Type: text/odd\r\n"
     "Location: /v1/traces\r\nStrict-Transport-Security: max-age=1\r\nX-Served-By: weir 2\r\n"
     "Content-Length: 0\r\n\r\n",
     ""},
};

static void test_response_headers_are_on_every_answer(void **state)
{
    run_all(fixed_headers, fixed_exchanges, SW_ARRAY_SIZE(fixed_exchanges));
}

static struct sw_pair goodbye[] = {{"connection", "close"}, {"x-a", "b"}};

static void closing_header(struct sw_otlp_receiver_env *env, struct sw_otlp_receiver_conf *conf)
{
    conf->protocols.http.server.response_headers =
        (struct sw_list){goodbye, SW_ARRAY_SIZE(goodbye)};
}

static void test_connection_close_among_them_is_meant(void **state)
{
    struct bed bed;
    bed_init_conf(&bed, BED_MEMORY, 1, closing_header);
    struct bed_client *client = bed_connect_http(&bed);
    struct sw_buf *body = bed_request(0, 1);
    bed_post(client, "", body);
    bed_until(&bed, bed_responses_count(client) == 1);
    bed_assert_response_text(
        client,
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nX-A: b\r\n"
        "Content-Length: 2\r\nConnection: close\r\n\r\n",
        "\x0a\x00"
    );
    bed_until(&bed, client->eof || client->closed);
    sw_buf_unref(body);
    bed_fini(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preflights_are_answered_as_rs_cors_does),
        cmocka_unit_test(test_every_answer_says_whether_its_origin_may_read_it),
        cmocka_unit_test(test_own_headers_replace_the_usual_ones_and_are_exposed),
        cmocka_unit_test(test_asterisks_allow_everything),
        cmocka_unit_test(test_cors_without_origins_is_off),
        cmocka_unit_test(test_response_headers_are_on_every_answer),
        cmocka_unit_test(test_connection_close_among_them_is_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
