#include "control/telemetry/admin_http.h"
#include "dataplane/base/clock.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A server on a loopback port that is turned by hand; its time is ours. */
struct rig {
    struct sw_admin_server *server;
    struct sw_addr addr;
    uint64_t now_ns;
    unsigned handled_count;
    size_t body_size;
};

static void
handle(void *context, const struct sw_admin_request *request, struct sw_admin_reply *reply)
{
    struct rig *rig = context;
    rig->handled_count++;
    if (strcmp(request->path, "/page") != 0) {
        sw_admin_not_found(reply);
        return;
    }
    reply->content_type = "text/plain";
    sw_string_format(&reply->body, "%s %s", request->method, request->query);
    for (size_t i = 0; i < rig->body_size; i++) {
        sw_string_putc(&reply->body, 'b');
    }
}

static void rig_open(struct rig *rig, unsigned connections_max)
{
    memset(rig, 0, sizeof(*rig));
    rig->now_ns = 100 * SW_NS_PER_S;
    struct sw_admin_conf conf = {
        .read_timeout_ns = 5 * SW_NS_PER_S,
        .write_timeout_ns = 10 * SW_NS_PER_S,
        .idle_timeout_ns = 120 * SW_NS_PER_S,
        .connections_max = connections_max,
        .handle = handle,
        .context = rig,
    };
    uint16_t port = 0;
    assert_int_equal(sw_admin_server_new(&conf, &rig->server), 0);
    assert_int_equal(sw_addr_parse("127.0.0.1", 0, &rig->addr), 0);
    assert_int_equal(sw_admin_server_listen(rig->server, &rig->addr, &port), 0);
    assert_int_equal(sw_addr_parse("127.0.0.1", port, &rig->addr), 0);
}

static int dial(struct rig *rig)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &rig->addr.sa, rig->addr.len), 0);
    return fd;
}

// Turns the server until it has nothing to do; loopback delivers at once, so a moment is enough.
static void turn(struct rig *rig)
{
    struct pollfd fd = {.fd = sw_admin_server_fd(rig->server), .events = POLLIN};
    do {
        for (unsigned i = 0; i < 100; i++) {
            if (sw_admin_server_poll(rig->server, rig->now_ns) > rig->now_ns) {
                break;
            }
        }
    } while (poll(&fd, 1, 5) > 0);
}

// What has come until now; "closed" is put behind it when the server ended the connection.
static const char *receive(struct rig *rig, int fd)
{
    static char text[1 << 20];
    size_t len = 0;
    for (;;) {
        turn(rig);
        ssize_t count = recv(fd, text + len, sizeof(text) - len - 8, MSG_DONTWAIT);
        if (count == 0) {
            strcpy(text + len, "closed");
            return text;
        }
        if (count < 0) {
            text[len] = '\0';
            return text;
        }
        len += (size_t)count;
    }
}

static const char *ask(struct rig *rig, int fd, const char *request)
{
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    return receive(rig, fd);
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
    size_t len = strlen(text);
    return len >= strlen(with) && strcmp(text + len - strlen(with), with) == 0;
}

static void test_request_is_answered_and_the_connection_kept(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 8);
    int fd = dial(&rig);
    const char *text = ask(&rig, fd, "GET /page?q HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(starts(text, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: "));
    assert_true(ends(text, "Content-Length: 5\r\n\r\nGET q"));
    text = ask(&rig, fd, "HEAD /page HTTP/1.1\r\n\r\n");
    assert_true(ends(text, "Content-Length: 5\r\n\r\n"));
    text = ask(&rig, fd, "GET /other HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_true(starts(text, "HTTP/1.1 404 Not Found\r\n"));
    assert_true(ends(text, "404 page not found\nclosed"));
    close(fd);
    sw_admin_server_free(rig.server);
}

static void test_request_in_pieces_and_pipelined_ones_are_answered_in_order(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 8);
    int fd = dial(&rig);
    assert_string_equal(ask(&rig, fd, "\r\nGET /pa"), "");
    assert_string_equal(ask(&rig, fd, "ge?1 HTTP/1.1\r\n\r"), "");
    const char *text =
        ask(&rig,
            fd,
            "\nPOST /page?2 HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET GET /page?3 HTTP/1.1\r\n\r\n");
    const char *one = strstr(text, "GET 1HTTP/1.1 200");
    const char *two = strstr(text, "POST 2HTTP/1.1 200");
    assert_true(one != NULL && two != NULL && one < two);
    assert_true(ends(text, "GET 3"));
    assert_int_equal(rig.handled_count, 3);
    close(fd);
    sw_admin_server_free(rig.server);
}

static void test_bad_and_endless_requests_end_the_connection(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 8);
    static const struct {
        const char *request;
        const char *status;
    } cases[] = {
        {"nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
        {"GET / HTTP/3\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = dial(&rig);
        const char *text = ask(&rig, fd, cases[i].request);
        assert_true(starts(text, cases[i].status));
        assert_true(ends(text, "closed"));
        close(fd);
    }
    static char endless[20000];
    memset(endless, 'a', sizeof(endless) - 1);
    int fd = dial(&rig);
    const char *text = ask(&rig, fd, endless);
    assert_true(starts(text, "HTTP/1.1 431 "));
    close(fd);
    fd = dial(&rig);
    assert_int_equal(send(fd, "GET /\0 HTTP/1.1\r\n\r\n", 19, MSG_NOSIGNAL), 19);
    assert_true(starts(receive(&rig, fd), "HTTP/1.1 400 "));
    close(fd);
    assert_int_equal(rig.handled_count, 0);
    sw_admin_server_free(rig.server);
}

static void test_slow_and_idle_peers_are_let_go(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 8);
    int slow = dial(&rig);
    int idle = dial(&rig);
    assert_string_equal(ask(&rig, slow, "GET /pa"), "");
    assert_true(starts(ask(&rig, idle, "GET /page HTTP/1.1\r\n\r\n"), "HTTP/1.1 200"));
    rig.now_ns += 5 * SW_NS_PER_S;
    assert_string_equal(receive(&rig, slow), "closed");
    assert_string_equal(receive(&rig, idle), "");
    rig.now_ns += 5 * SW_NS_PER_S; // the answer is out, it is idle from now on
    assert_string_equal(receive(&rig, idle), "");
    rig.now_ns += 120 * SW_NS_PER_S;
    assert_string_equal(receive(&rig, idle), "closed");
    close(slow);
    close(idle);
    sw_admin_server_free(rig.server);
}

static void test_more_connections_than_allowed_are_closed_and_counted(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 2);
    int fds[3];
    for (unsigned i = 0; i < 3; i++) {
        fds[i] = dial(&rig);
        turn(&rig);
    }
    assert_int_equal(sw_admin_server_refused_count(rig.server), 1);
    assert_string_equal(receive(&rig, fds[2]), "closed");
    close(fds[0]);
    turn(&rig);
    int again = dial(&rig);
    assert_true(starts(ask(&rig, again, "GET /page HTTP/1.1\r\n\r\n"), "HTTP/1.1 200"));
    close(again);
    close(fds[1]);
    close(fds[2]);
    sw_admin_server_free(rig.server);
}

static void test_peer_that_asks_and_does_not_read_is_held_back(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, 2);
    rig.body_size = 300000;
    int fd = dial(&rig);
    static const char request[] = "GET /page HTTP/1.1\r\n\r\n";
    for (unsigned i = 0; i < 150; i++) { // more than the buffers of the system take
        if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            break;
        }
        turn(&rig);
    }
    assert_true(rig.handled_count < 100);
    unsigned before = rig.handled_count;
    static char sink[1 << 20];
    for (unsigned i = 0; i < 60; i++) {
        recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
        turn(&rig);
    }
    assert_true(rig.handled_count > before);
    close(fd);
    sw_admin_server_free(rig.server);
    sw_admin_server_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_is_answered_and_the_connection_kept),
        cmocka_unit_test(test_request_in_pieces_and_pipelined_ones_are_answered_in_order),
        cmocka_unit_test(test_bad_and_endless_requests_end_the_connection),
        cmocka_unit_test(test_slow_and_idle_peers_are_let_go),
        cmocka_unit_test(test_more_connections_than_allowed_are_closed_and_counted),
        cmocka_unit_test(test_peer_that_asks_and_does_not_read_is_held_back),
    };
    return cmocka_run_group_tests_name("admin_server", tests, NULL, NULL);
}
