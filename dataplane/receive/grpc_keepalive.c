/* How long a connection of the gRPC endpoint lives: max_connection_idle, max_connection_age with its grace,
 * PINGs to a silent peer, as grpc-go does it (v1.83 internal/transport/http2_server.go keepalive;
 * otlp-protocol §5.5, §5.6). What a peer may ping is in l7_http/http2.
 *
 * A connection has one timer. It is moved to an earlier time only; when it fires too early it looks at what
 * comes next by then, so that a call costs no timer. */
#include "dataplane/base/clock.h"
#include "dataplane/receive/grpc_internal.h"

// grpc-go's defaults, and its least time between PINGs of a server.
#define TIME_DEFAULT_NS    (UINT64_C(7200) * SW_NS_PER_S)
#define TIMEOUT_DEFAULT_NS (UINT64_C(20) * SW_NS_PER_S)
#define TIME_MIN_NS        ((uint64_t)SW_NS_PER_S)
// Part of the age by which it varies, up and down.
#define JITTER_PART 10

static const struct sw_grpc_keepalive_server_conf *conf_of(const struct grpc_conn *grpc)
{
    return &grpc->conn.endpoint->receiver->env.conf->protocols.grpc.keepalive;
}

static struct sw_core *core_of(const struct grpc_conn *grpc)
{
    return grpc->conn.endpoint->receiver->core;
}

static uint64_t after(uint64_t from_ns, int64_t time_ns)
{
    return time_ns > 0 && from_ns != SW_TIME_NEVER ? from_ns + (uint64_t)time_ns : SW_TIME_NEVER;
}

// Give or take a tenth, so that connections that came together do not go together.
static uint64_t age_deadline(struct grpc_conn *grpc)
{
    struct sw_core *core = core_of(grpc);
    uint64_t at_ns = after(core->now_ns, conf_of(grpc)->parameters.max_connection_age_ns);
    if (at_ns == SW_TIME_NEVER) {
        return at_ns;
    }
    // Both the time and the age have 63 bits: no sum wraps.
    uint64_t part_ns = (at_ns - core->now_ns) / JITTER_PART;
    return part_ns > 0 ? at_ns - part_ns + sw_rand_u64(&core->rand) % (2 * part_ns) : at_ns;
}

static uint64_t ping_time(const struct grpc_conn *grpc)
{
    int64_t time_ns = conf_of(grpc)->parameters.time_ns;
    return time_ns > 0 ? SW_MAX((uint64_t)time_ns, TIME_MIN_NS) : TIME_DEFAULT_NS;
}

static uint64_t ping_timeout(const struct grpc_conn *grpc)
{
    int64_t timeout_ns = conf_of(grpc)->parameters.timeout_ns;
    return timeout_ns > 0 ? (uint64_t)timeout_ns : TIMEOUT_DEFAULT_NS;
}

static uint64_t idle_deadline(const struct grpc_conn *grpc)
{
    if (sw_h2_leaving(grpc->h2)) {
        return SW_TIME_NEVER;
    }
    return after(grpc->life.idle_ns, conf_of(grpc)->parameters.max_connection_idle_ns);
}

static void watch(struct grpc_conn *grpc)
{
    struct receive_conn *conn = &grpc->conn;
    uint64_t at_ns = SW_MIN(idle_deadline(grpc), SW_MIN(grpc->life.age_ns, grpc->life.look_ns));
    if (!conn->timer.armed || at_ns < conn->timer.at_ns) {
        sw_timer_set(&core_of(grpc)->timers, &conn->timer, at_ns);
    }
}

void sw_receive_grpc_life_begin(struct grpc_conn *grpc)
{
    struct sw_core *core = core_of(grpc);
    grpc->life = (struct grpc_life){
        .idle_ns = core->now_ns,
        .age_ns = age_deadline(grpc),
        .look_ns = core->now_ns + ping_time(grpc),
        .seen_ns = core->now_ns,
    };
    watch(grpc);
}

void sw_receive_grpc_idle(struct grpc_conn *grpc)
{
    grpc->life.idle_ns = core_of(grpc)->now_ns;
    if (conf_of(grpc)->parameters.max_connection_idle_ns > 0 && !grpc->conn.ending) {
        watch(grpc);
    }
}

static void tell_to_go(struct grpc_conn *grpc, const char *why)
{
    sw_h2_goaway(grpc->h2, why);
    receive_conn_wake(&grpc->conn);
}

// @return false: the connection is closed
static bool look_at_peer(struct grpc_conn *grpc, uint64_t now_ns)
{
    static const uint8_t nothing[8] = {0};
    struct grpc_life *life = &grpc->life;
    uint64_t time_ns = ping_time(grpc);
    if (grpc->conn.stream->paused) {
        life->read_ns = now_ns; // it is we who do not listen: its answer may be waiting
    }
    if (life->read_ns > life->seen_ns) {
        life->pinged = false;
        life->seen_ns = life->read_ns;
        life->look_ns = SW_MAX(life->read_ns + time_ns, now_ns + 1);
        return true;
    }
    if (life->pinged && life->left_ns == 0) {
        receive_count_refusal(grpc->conn.endpoint, RECEIVE_TIMEOUT);
        sw_receive_conn_close(&grpc->conn);
        return false;
    }
    if (!life->pinged) {
        life->pinged = true;
        life->left_ns = ping_timeout(grpc);
        sw_h2_ping(grpc->h2, nothing);
        receive_conn_wake(&grpc->conn);
    }
    uint64_t sleep_ns = SW_MIN(time_ns, life->left_ns);
    life->left_ns -= sleep_ns;
    life->look_ns = now_ns + sleep_ns;
    return true;
}

void sw_receive_grpc_due(struct receive_conn *conn, uint64_t now_ns)
{
    struct grpc_conn *grpc = grpc_of(conn);
    struct grpc_life *life = &grpc->life;
    if (now_ns >= life->age_ns) {
        if (life->aged) {
            sw_receive_conn_close(conn); // the grace is over
            return;
        }
        life->aged = true;
        life->age_ns = after(now_ns, conf_of(grpc)->parameters.max_connection_age_grace_ns);
        tell_to_go(grpc, "max_age");
    }
    if (now_ns >= idle_deadline(grpc)) {
        tell_to_go(grpc, "max_idle");
    }
    if (now_ns >= life->look_ns && !look_at_peer(grpc, now_ns)) {
        return;
    }
    watch(grpc);
}
