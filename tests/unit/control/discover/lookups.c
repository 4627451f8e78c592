/* Lookups against a name server that is scripted here, over loopback. Time is virtual but for the
 * limits of c-ares, which are not reached. */
#include "control/discover/discover.h"
#include "dataplane/base/clock.h"
#include "tests/lib/bench.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum mood {
    ANSWERS,
    SERVFAIL,
    NXDOMAIN,
    NO_DATA,
    SILENT,
    GARBAGE,
};

static struct {
    int fd;
    char servers[32];
    enum mood mood;
    unsigned addresses_count;
    unsigned questions_count;
    struct sw_discovery *discovery;
    struct sw_discovery_watch watch;
    unsigned answers_count;
    int err;
    unsigned count;
    unsigned left_out;
    char addresses[8][64];
    uint64_t now_ns;
} rig;

static void answered(
    struct sw_discovery_watch *watch,
    int err,
    const char *const *addresses,
    unsigned count,
    unsigned left_out
)
{
    rig.answers_count++;
    rig.err = err;
    rig.count = count;
    rig.left_out = left_out;
    for (unsigned i = 0; i < count && i < 8; i++) {
        snprintf(rig.addresses[i], sizeof(rig.addresses[i]), "%s", addresses[i]);
    }
}

static void open_rig(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    memset(&rig, 0, sizeof(rig));
    rig.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(rig.fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(getsockname(rig.fd, (struct sockaddr *)&addr, &len), 0);
    snprintf(rig.servers, sizeof(rig.servers), "127.0.0.1:%u", ntohs(addr.sin_port));
    const struct sw_discover_conf conf = {.servers = rig.servers};
    assert_int_equal(sw_discover_new(&conf, &rig.discovery), 0);
    rig.watch = (struct sw_discovery_watch){
        .hostname = "gateways.test.",
        .interval_ns = 5 * SW_NS_PER_S,
        .timeout_ns = SW_NS_PER_S,
        .answered = answered,
    };
    rig.now_ns = 100 * SW_NS_PER_S;
    rig.addresses_count = 2;
    assert_int_equal(rig.discovery->ops->begin(rig.discovery, &rig.watch), 0);
}

static void close_rig(void)
{
    rig.discovery->ops->end(rig.discovery, &rig.watch);
    sw_discover_free(rig.discovery);
    close(rig.fd);
}

// Question in, answer out: A gives 10.0.0.1, 10.0.0.2 …, AAAA fd00::1.
static void serve(void)
{
    uint8_t bytes[4096];
    struct sockaddr_in peer;
    socklen_t len = sizeof(peer);
    ssize_t got;
    while ((got = recvfrom(rig.fd, bytes, 512, 0, (struct sockaddr *)&peer, &len)) > 12) {
        size_t end = 12;
        while (bytes[end] != 0) {
            end += bytes[end] + 1u;
        }
        unsigned type = bytes[end + 2];
        end += 5;
        rig.questions_count++;
        if (rig.mood == SILENT) {
            continue;
        }
        unsigned count = rig.mood != ANSWERS ? 0 : type == 1 ? rig.addresses_count : type == 28;
        bytes[2] = 0x81;
        bytes[3] = rig.mood == SERVFAIL ? 0x82 : rig.mood == NXDOMAIN ? 0x83 : 0x80;
        memset(bytes + 6, 0, 6);
        bytes[7] = (uint8_t)count;
        for (unsigned i = 0; i < count; i++) {
            static const uint8_t fixed[] = {0xc0, 12, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0};
            memcpy(bytes + end, fixed, sizeof(fixed));
            bytes[end + 3] = (uint8_t)type;
            bytes[end + 11] = type == 1 ? 4 : 16;
            end += sizeof(fixed);
            memset(bytes + end, 0, 16);
            bytes[end] = type == 1 ? 10 : 0xfd;
            end += type == 1 ? 4 : 16;
            bytes[end - 1] = (uint8_t)(i + 1);
        }
        if (rig.mood == GARBAGE) {
            memset(bytes + 12, 0xc0, end - 12);
            bytes[7] = 200;
        }
        (void)!sendto(rig.fd, bytes, end, 0, (struct sockaddr *)&peer, len);
    }
}

// Until an answer has come, or nothing more happens.
static void turn(unsigned answers_count)
{
    for (unsigned i = 0; i < 2000 && rig.answers_count < answers_count; i++) {
        struct pollfd fds[] = {
            {.fd = rig.fd, .events = POLLIN},
            {.fd = sw_discover_fd(rig.discovery), .events = POLLIN},
        };
        poll(fds, 2, 1);
        serve();
        sw_discover_poll(rig.discovery, rig.now_ns);
    }
}

static void test_both_families_are_told(void **state)
{
    open_rig();
    turn(1);
    assert_int_equal(rig.answers_count, 1);
    assert_int_equal(rig.err, 0);
    assert_int_equal(rig.count, 3);
    bool seen[3] = {false};
    for (unsigned i = 0; i < 3; i++) {
        seen[0] |= strcmp(rig.addresses[i], "10.0.0.1") == 0;
        seen[1] |= strcmp(rig.addresses[i], "10.0.0.2") == 0;
        seen[2] |= strcmp(rig.addresses[i], "[fd00::1]") == 0;
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    close_rig();
}

static void test_the_name_is_asked_for_again_after_the_interval(void **state)
{
    open_rig();
    turn(1);
    unsigned before = rig.questions_count;
    rig.now_ns += 4 * SW_NS_PER_S;
    sw_discover_poll(rig.discovery, rig.now_ns);
    serve();
    assert_int_equal(rig.questions_count, before);
    rig.now_ns += SW_NS_PER_S;
    turn(2);
    assert_int_equal(rig.answers_count, 2);
    close_rig();
}

static void test_a_wanted_lookup_comes_out_of_turn_but_not_more_than_once_a_second(void **state)
{
    open_rig();
    turn(1);
    rig.now_ns += SW_NS_PER_S / 2;
    atomic_store(&rig.watch.wanted, true);
    sw_discover_poll(rig.discovery, rig.now_ns);
    assert_true(atomic_load(&rig.watch.wanted));
    rig.now_ns += SW_NS_PER_S / 2;
    turn(2);
    assert_int_equal(rig.answers_count, 2);
    assert_false(atomic_load(&rig.watch.wanted));
    close_rig();
}

static void test_failures_are_told_as_what_they_are(void **state)
{
    static const struct {
        enum mood mood;
        int err;
    } cases[] = {
        {NXDOMAIN, SW_E_NOT_FOUND},
        {NO_DATA, SW_E_NOT_FOUND},
    };
    for (unsigned i = 0; i < SW_ARRAY_SIZE(cases); i++) {
        open_rig();
        rig.mood = cases[i].mood;
        turn(1);
        assert_int_equal(rig.answers_count, 1);
        assert_int_equal(rig.err, cases[i].err);
        assert_int_equal(rig.count, 0);
        close_rig();
    }
}

static void test_a_broken_server_is_a_failure(void **state)
{
    static const enum mood moods[] = {SERVFAIL, GARBAGE};
    for (unsigned i = 0; i < SW_ARRAY_SIZE(moods); i++) {
        open_rig();
        rig.mood = moods[i];
        turn(1);
        if (rig.answers_count == 0) { // c-ares goes on asking: our limit ends it
            rig.now_ns += 11 * SW_NS_PER_S;
            turn(1);
        }
        assert_int_equal(rig.answers_count, 1);
        assert_int_not_equal(rig.err, 0);
        close_rig();
    }
}

static void test_a_silent_server_ends_with_the_limit(void **state)
{
    open_rig();
    rig.mood = SILENT;
    sw_discover_poll(rig.discovery, rig.now_ns);
    rig.now_ns += 9 * SW_NS_PER_S;
    sw_discover_poll(rig.discovery, rig.now_ns);
    assert_int_equal(rig.answers_count, 0);
    rig.now_ns += SW_NS_PER_S;
    sw_discover_poll(rig.discovery, rig.now_ns);
    assert_int_equal(rig.answers_count, 1);
    assert_int_equal(rig.err, SW_E_TIMEOUT);
    close_rig();
}

static void test_the_end_during_a_lookup_leaves_nothing_behind(void **state)
{
    open_rig();
    sw_discover_poll(rig.discovery, rig.now_ns);
    close_rig();
    assert_int_equal(rig.answers_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_families_are_told),
        cmocka_unit_test(test_the_name_is_asked_for_again_after_the_interval),
        cmocka_unit_test(test_a_wanted_lookup_comes_out_of_turn_but_not_more_than_once_a_second),
        cmocka_unit_test(test_failures_are_told_as_what_they_are),
        cmocka_unit_test(test_a_broken_server_is_a_failure),
        cmocka_unit_test(test_a_silent_server_ends_with_the_limit),
        cmocka_unit_test(test_the_end_during_a_lookup_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
