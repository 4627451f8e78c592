/* The simulator: an agent and a gateway, senders before them and a backend behind them, in one thread and in
 * virtual time. Everything that is left to chance comes from one seed, so a run can be repeated exactly.
 *
 *   senders (sender.c) ── agent (node.c) ── gateway (node.c) ── backend (backend.c)
 *
 * Nodes are real: the YAML is loaded, the pipelines are built, the receivers serve, and the workers turn
 * their crank; only sockets, clocks and threads are not there. What was sent, what was acknowledged
 * and what arrived is kept in the traces (traces.c). What must always hold is looked at after each round
 * (world.c), what must hold in the end when it has come (run.c). */
#ifndef SW_TESTS_SIM_SIM_H
#define SW_TESTS_SIM_SIM_H

#include "control/service/build.h"
#include "control/service/drain.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mailbox.h"
#include "dataplane/base/mem.h"
#include "dataplane/l4_stream/stream.h"
#include "dataplane/l7_http/codec.h"
#include "dataplane/l7_http/grpc.h"
#include "dataplane/l7_http/http2.h"
#include "dataplane/receive/otlp_receiver.h"
#include "dataplane/worker/worker.h"
#include "tests/lib/wire.h"

#include <sys/queue.h>

#define SIM_START_NS   (1000 * SW_NS_PER_S)
#define SIM_WALL_NS    (UINT64_C(1760000000) * SW_NS_PER_S)
#define SIM_CORES      2u
#define SIM_ACTORS_MAX 16u
#define SIM_TEXT_MAX   160u

struct sim;

/** Ends the run: tells what is wrong, when, and how to see it again. */
__attribute__((noreturn, format(printf, 4, 5))) void
sim_fail(const struct sim *sim, const char *file, int line, const char *format, ...);

#define SIM_CHECK(sim, cond, ...)                                                                  \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            sim_fail((sim), __FILE__, __LINE__, #cond ": " __VA_ARGS__);                           \
        }                                                                                          \
    } while (0)

/* ---- what a run is like ---- */

enum sim_answer {
    SIM_OK,
    SIM_UNAVAILABLE,
    SIM_EXHAUSTED, /**< RESOURCE_EXHAUSTED with RetryInfo */
    SIM_PERMANENT, /**< INVALID_ARGUMENT */
    SIM_HANG,      /**< never answers */
    SIM_SLOW,      /**< takes it, answers late */
    SIM_RESET,     /**< takes it or not, and the connection goes */
    SIM_ANSWERS_COUNT,
};

struct sim_plan {
    uint64_t seed;
    char again[64]; /**< what to set to see the run again */
    struct sw_memory_trouble trouble;
    unsigned traces_count;
    unsigned spans_max;    /**< of a trace */
    unsigned refs_max;     /**< spans of a request */
    unsigned poison_count; /**< requests that must be refused for good */
    unsigned senders_count;
    uint64_t send_ns;   /**< requests begin in this time */
    uint64_t faults_ns; /**< from then on the backend takes everything */
    unsigned restarts_count;
    uint32_t moods[SIM_ANSWERS_COUNT]; /**< how often the backend answers so, against each other */
    unsigned sampling_percent;         /**< of traces that nothing else keeps */
    unsigned wait_s;                   /**< decision_wait */
    bool due_whole;   /**< decisions fall so late that all of an error trace is there, as a rule */
    bool drain_early; /**< the orderly end begins while spans wait for their decision */
    bool agent;       /**< senders send to an agent; else to the gateway */
    char agent_yaml[2048];
    char gateway_yaml[2048];
    const char *appliance;
};

/* ---- traces ---- */

#define SIM_SPANS_MAX 16u
#define SIM_SERVICES  5u

struct sim_span {
    uint32_t hash; /**< of its bytes */
    bool acked;
    bool refused;     /**< its request was refused for good */
    bool abandoned;   /**< the backend refused it for good: it need not arrive */
    uint32_t arrived; /**< times */
};

struct sim_trace {
    uint8_t id[16];
    unsigned spans_count;
    bool error;
    bool slow;
    bool poisoned; /**< all of it is in requests that must be refused */
    struct sim_span spans[SIM_SPANS_MAX];
};

struct sim_traces {
    struct sim_trace *items;
    unsigned count;
    uint64_t arrived_spans;
    uint64_t abandoned_spans;
};

struct sim_request;
STAILQ_HEAD(sim_requests, sim_request);

/** One request a sender has to bring home. */
struct sim_request {
    STAILQ_ENTRY(sim_request) next;
    struct sw_buf *body;
    uint64_t *refs; /**< trace << 32 | span */
    unsigned refs_count;
    bool poison;
    uint64_t at_ns; /**< not before */
    unsigned attempts;
    bool settled;
    bool under_way;
    /** Of the attempt under way. */
    struct sim_link *link;
    int32_t id;
    int grpc_status; /**< -1: none came */
    bool partial;    /**< a body came, its bytes do not matter */
    uint64_t give_up_ns;
    struct sw_http_buf_body message;
};

/** Makes traces and the requests that carry them, in shuffled parts. */
void sim_traces_make(struct sim *sim, struct sim_requests *requests);
void sim_traces_free(struct sim *sim);

/** The spans of a request that came to the backend: all of it is looked at.
 * @param take  they count as arrived; else only as refused for good */
void sim_traces_arrive(struct sim *sim, const uint8_t *data, size_t size, bool take);

/** What must hold in the end. */
void sim_traces_check(struct sim *sim);

/* ---- actors ---- */

/** Whoever takes a turn: senders and the backend by a core of their own, nodes by their workers. */
struct sim_actor {
    void *owner;
    unsigned index; /**< of a node: its core */
    unsigned (*turn)(void *owner, unsigned index);
    struct sw_core *core;
};

struct sim_link; // a sender's connection
LIST_HEAD(sim_links, sim_link);
struct sim_conn; // the backend's
LIST_HEAD(sim_conns, sim_conn);

struct sim_sender {
    struct sim *sim;
    struct sw_core core;
    struct sw_addr to;
    struct sim_links links;
    unsigned links_count;
    struct sim_requests requests;
    unsigned left_count; /**< requests that are not settled */
    struct sw_timer timer;
    bool closing;
};

struct sim_backend {
    struct sim *sim;
    struct sw_core core;
    struct sw_account account;
    struct sw_addr addr;
    struct sw_codec *codec;
    struct sim_conns conns;
    bool up;
    uint64_t change_ns; /**< goes down, or up again */
    unsigned restarts_left;
    uint64_t answers[SIM_ANSWERS_COUNT];
};

struct sim_node {
    struct sim *sim;
    const char *name;
    struct sw_conf *conf;
    struct sw_appliance *appliance;
    struct sw_post *post;
    struct sw_mailbox *mailbox; /**< control's */
    struct sw_metrics *metrics;
    struct sw_account account;
    struct sw_memory_baseline baseline;
    struct sw_http_budget budget;
    struct sw_worker *workers[SIM_CORES];
    struct sw_core *cores[SIM_CORES];
    struct sw_generation *generation;
    struct sw_otlp_receiver *receivers[SIM_CORES];
    uint64_t dealt_count[SIM_CORES];
    struct {
        int handle;
        bool grpc;
        struct sw_addr peer;
    } dealt[SIM_CORES][32]; /**< accepted, not yet adopted */
    unsigned dealt_waiting[SIM_CORES];
    struct sw_drain *drain;
    int64_t rest_bytes; /**< charged when it had started and nothing had come yet */
    uint64_t events_count;
    char last_event[SIM_TEXT_MAX];
    /** Around each turn of a worker; may be NULL (the fault tests count allocations there). */
    void (*before_turn)(struct sim_node *node);
    void (*after_turn)(struct sim_node *node);
};

struct sim {
    const struct sim_plan *plan;
    uint64_t now_ns;
    struct sw_rand rand;
    struct sw_memory_wire *wire;
    struct sim_traces traces;
    struct sim_sender senders[4];
    struct sim_node agent;
    struct sim_node gateway;
    struct sim_backend backend;
    struct sim_actor actors[SIM_ACTORS_MAX];
    unsigned actors_count;
    bool late; /**< spans may have come after the decision about their trace */
    uint64_t steps_count;
    uint64_t repeats_count; /**< attempts of senders that had to be made again */
    uint64_t hash;          /**< of all that happened, to compare two runs */
    char what[SIM_TEXT_MAX];
};

/* ---- sender.c ---- */

void sim_sender_init(struct sim *sim, struct sim_sender *sender, const struct sw_addr *to);
void sim_sender_fini(struct sim_sender *sender);
/** Closes its connections as they come to rest. */
void sim_sender_close(struct sim_sender *sender);

/* ---- backend.c ---- */

void sim_backend_init(struct sim *sim, struct sim_backend *backend, const struct sw_addr *addr);
void sim_backend_fini(struct sim_backend *backend);
/** When it changes next by itself; SW_TIME_NEVER. */
uint64_t sim_backend_next_ns(const struct sim_backend *backend);

/* ---- node.c ---- */

void sim_node_init(
    struct sim *sim,
    struct sim_node *node,
    const char *name,
    const char *yaml,
    const struct sw_addr *grpc,
    const struct sw_addr *http
);
/** Gives up whatever is left. */
void sim_node_fini(struct sim_node *node);
/** The books of all pipelines balance now. */
void sim_node_check_books(struct sim_node *node);
/** Nothing is held, batched or queued. */
bool sim_node_at_rest(struct sim_node *node);
/** Sums of the only pipeline's only branch. */
struct sw_balance_sum sim_node_books(struct sim_node *node);
void sim_node_drain(struct sim_node *node, uint64_t limit_ns);
bool sim_node_drained(struct sim_node *node);

/* ---- world.c ---- */

/** A core in virtual time for whoever is not a node. */
void sim_core_init(
    struct sim *sim,
    struct sw_core *core,
    struct sw_account *account,
    uint64_t seed
);
void sim_core_fini(struct sw_core *core);
unsigned sim_core_turn(struct sim *sim, struct sw_core *core);
void sim_add_actor(struct sim *sim, const struct sim_actor *actor);
struct sw_addr sim_addr(const char *host, uint16_t port);
/** Folds something that happened into the run's hash. */
void sim_note(struct sim *sim, uint64_t what);

/** One round: most actors take a turn in random order, then time goes on. The books are looked at. */
void sim_step(struct sim *sim);

/** Rounds until `done` says so; `what` is told when that does not come. */
void sim_run_until(struct sim *sim, bool (*done)(struct sim *sim), const char *what);

/* ---- run.c ---- */

/** Agent, gateway, backend and senders, started. */
void sim_open(struct sim *sim, const struct sim_plan *plan);
/** Everything is sent and at rest; what must hold holds; the orderly end, and again. */
void sim_finish(struct sim *sim);
void sim_close(struct sim *sim);

/** @return the hash of the run */
uint64_t sim_run(const struct sim_plan *plan, bool verbose);

/* ---- plan.c ---- */

void sim_plan_make(struct sim_plan *plan, uint64_t seed);

#endif
