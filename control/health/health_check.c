#include "control/health/health_check.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <string.h>
#include <time.h>

#define CONNECTIONS_MAX 128

struct sw_health_check {
    const struct sw_health_check_conf *conf;
    struct sw_admin_server *server;
    bool ready;
    uint64_t ready_ns;      // monotonic, of becoming ready
    uint64_t ready_wall_ns; // the same moment
    uint64_t now_ns;        // of the last poll
};

/* ---- what is said ---- */

// A fraction as Go writes it: without zeros at its end, without the point when nothing is left.
static void put_fraction(struct sw_string *text, uint64_t value, unsigned digits)
{
    char fraction[16];
    unsigned len = digits;
    for (unsigned i = digits; i-- > 0; value /= 10) {
        fraction[i] = (char)('0' + value % 10);
    }
    while (len > 0 && fraction[len - 1] == '0') {
        len--;
    }
    if (len > 0) {
        sw_string_putc(text, '.');
        sw_string_add(text, fraction, len);
    }
}

void sw_health_check_put_duration(struct sw_string *text, uint64_t ns)
{
    if (ns == 0) {
        sw_string_put(text, "0s");
    } else if (ns < SW_NS_PER_US) {
        sw_string_format(text, "%uns", (unsigned)ns);
    } else if (ns < SW_NS_PER_MS) {
        sw_string_format(text, "%u", (unsigned)(ns / SW_NS_PER_US));
        put_fraction(text, ns % SW_NS_PER_US, 3);
        sw_string_put(text, "µs");
    } else if (ns < SW_NS_PER_S) {
        sw_string_format(text, "%u", (unsigned)(ns / SW_NS_PER_MS));
        put_fraction(text, ns % SW_NS_PER_MS, 6);
        sw_string_put(text, "ms");
    } else {
        uint64_t seconds = ns / SW_NS_PER_S;
        if (seconds >= 3600) {
            sw_string_format(text, "%lluh", (unsigned long long)(seconds / 3600));
        }
        if (seconds >= 60) {
            sw_string_format(text, "%um", (unsigned)(seconds / 60 % 60));
        }
        sw_string_format(text, "%u", (unsigned)(seconds % 60));
        put_fraction(text, ns % SW_NS_PER_S, 9);
        sw_string_putc(text, 's');
    }
}

// RFC 3339 with as many digits as there are, as Go's encoding/json.
static void put_time(struct sw_string *text, uint64_t wall_ns)
{
    char date[32];
    time_t seconds = (time_t)(wall_ns / SW_NS_PER_S);
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    sw_string_put(text, date);
    put_fraction(text, wall_ns % SW_NS_PER_S, 9);
    long minutes = tm.tm_gmtoff / 60;
    if (minutes == 0) {
        sw_string_putc(text, 'Z');
        return;
    }
    sw_string_putc(text, minutes < 0 ? '-' : '+');
    minutes = minutes < 0 ? -minutes : minutes;
    sw_string_format(text, "%02ld:%02ld", minutes / 60, minutes % 60);
}

static void put_json(const struct sw_health_check *health, struct sw_string *text)
{
    if (!health->ready) {
        sw_string_put(
            text,
            "{\"status\":\"Server not available\",\"upSince\":\"0001-01-01T00:00:00Z\","
            "\"uptime\":\"\"}"
        );
        return;
    }
    sw_string_put(text, "{\"status\":\"Server available\",\"upSince\":\"");
    put_time(text, health->ready_wall_ns);
    sw_string_put(text, "\",\"uptime\":\"");
    uint64_t now_ns = health->now_ns > health->ready_ns ? health->now_ns : health->ready_ns;
    sw_health_check_put_duration(text, now_ns - health->ready_ns);
    sw_string_put(text, "\"}");
}

void sw_health_check_answer(
    const struct sw_health_check *health,
    const struct sw_admin_request *request,
    struct sw_admin_reply *reply
)
{
    const struct sw_health_check_conf *conf = health->conf;
    // Go's mux: "/" is every path, another pattern without a slash at its end is that path alone.
    size_t len = strlen(conf->path);
    bool subtree = conf->path[len - 1] == '/';
    bool found = subtree ? strncmp(request->path, conf->path, len) == 0
                         : strcmp(request->path, conf->path) == 0;
    if (!found) {
        sw_admin_not_found(reply);
        return;
    }
    reply->status = health->ready ? 200 : 503;
    if (conf->response_body.enabled) {
        // What Go guesses of a body without a type; an empty one has none.
        const char *body =
            health->ready ? conf->response_body.healthy : conf->response_body.unhealthy;
        reply->content_type = body[0] != '\0' ? "text/plain; charset=utf-8" : NULL;
        sw_string_put(&reply->body, body);
        return;
    }
    reply->content_type = "application/json";
    put_json(health, &reply->body);
}

static void
handle(void *context, const struct sw_admin_request *request, struct sw_admin_reply *reply)
{
    sw_health_check_answer(context, request, reply);
}

/* ---- the extension ---- */

int sw_health_check_new(
    const struct sw_health_check_conf *conf,
    struct sw_health_check **ret_health
)
{
    struct sw_health_check *health = sw_zalloc(sizeof(*health));
    if (health == NULL) {
        return SW_E_NOMEM;
    }
    health->conf = conf;
    int64_t read_ns = conf->server.read_header_timeout_ns;
    struct sw_admin_conf server = {
        .read_timeout_ns = (uint64_t)(read_ns > 0 ? read_ns : conf->server.read_timeout_ns),
        .write_timeout_ns = (uint64_t)conf->server.write_timeout_ns,
        .idle_timeout_ns = (uint64_t)conf->server.idle_timeout_ns,
        .connections_max = CONNECTIONS_MAX,
        .handle = handle,
        .context = health,
    };
    int err = sw_admin_server_new(&server, &health->server);
    if (err != SW_OK) {
        sw_health_check_free(health);
        return err;
    }
    *ret_health = health;
    return SW_OK;
}

void sw_health_check_free(struct sw_health_check *health)
{
    if (health != NULL) {
        sw_admin_server_free(health->server);
        sw_free(health);
    }
}

int sw_health_check_listen(
    struct sw_health_check *health,
    const struct sw_addr *addr,
    uint16_t *ret_port
)
{
    return sw_admin_server_listen(health->server, addr, ret_port);
}

void sw_health_check_set_ready(
    struct sw_health_check *health,
    bool ready,
    uint64_t now_ns,
    uint64_t wall_ns
)
{
    if (ready && !health->ready) {
        health->ready_ns = now_ns;
        health->ready_wall_ns = wall_ns;
    }
    health->ready = ready;
}

int sw_health_check_fd(const struct sw_health_check *health)
{
    return sw_admin_server_fd(health->server);
}

uint64_t sw_health_check_poll(struct sw_health_check *health, uint64_t now_ns)
{
    health->now_ns = now_ns;
    return sw_admin_server_poll(health->server, now_ns);
}
