/* The exporter load_balancing in front of up to four backends 10.0.0.1 ... 10.0.0.4, over memory and in virtual
 * time. Each span has a trace of its own, a number; the bed knows which backend owns it and counts where
 * it arrived. The list of backends comes from a discovery that the test answers. */
#ifndef TESTS_BALANCE_BED_H
#define TESTS_BALANCE_BED_H

#include "dataplane/balance/loadbalancing_exporter.h"
#include "dataplane/base/mailbox.h"
#include "dataplane/pipeline/component.h"
#include "dataplane/pipeline/discover.h"
#include "tests/unit/dataplane/send/site.h"

#define BED_BACKENDS  4
#define BED_SPANS_MAX 400

enum bed_mood {
    BED_OK,
    BED_UNAVAILABLE,
    BED_INVALID, /**< a permanent error */
    BED_HANG,
};

struct bed_plan {
    unsigned listeners; /**< bit i: 10.0.0.<i + 1> is there */
    unsigned first;     /**< bits of the first answer; 0: nothing is known at the start */
    bool backend_queue;
    bool wait_for_result;
    int64_t queue_size; /**< of each backend; 0: 100 */
    int64_t consumers;  /**< likewise; 0: 10 */
    int64_t timeout_s;  /**< of an attempt; 0: 5 */
    bool backend_retry;
    bool top_retry;
    bool top_queue;
    bool failover;
    uint64_t fail_at; /**< this allocation of the exporter fails; 0: none */
    uint64_t fails;   /**< and so many behind it */
};

struct bed {
    struct site site;
    struct bed_plan plan;
    struct sw_loadbalancing_exporter_conf conf;
    struct sw_resolver_dns_conf dns;
    struct sw_appliance_view view;
    struct sw_value_entry failover;
    struct sw_discovery discovery;
    struct sw_discovery_watch *watch;
    struct sw_post *post;
    struct sw_metrics *metrics;
    struct sw_stage_env env;
    struct sw_branch branch;
    void *shared;
    struct sw_stage *stage;
    bool unready; /**< bed_open found no memory */
    enum bed_mood moods[BED_BACKENDS];
    unsigned arrived[BED_BACKENDS][BED_SPANS_MAX]; /**< and were answered well */
    unsigned requests[BED_BACKENDS];
    uint32_t sent_count;
    uint64_t to_go; /**< allocations until one fails; 0: it has */
    uint64_t dry;   /**< that fail then */
};

void bed_plan_run(struct bed *bed, const struct bed_plan *plan);
void bed_close(struct bed *bed);

/** What stands between these is the exporter's: its allocations may fail. */
void bed_begin(struct bed *bed);
void bed_end(struct bed *bed);

/** There is another list of backends, bits as in plan.first. */
void bed_tell(struct bed *bed, unsigned backends);
void bed_tell_error(struct bed *bed, int err);

/** Time goes on, messages between the actors too. */
void bed_advance(struct bed *bed, uint64_t ns);

/** The next spans, one a trace. @return what admit said */
int bed_send(struct bed *bed, uint32_t count, struct bench_ticket *ticket);

/** Whose a span is where these backends are. */
unsigned bed_owner(unsigned backends, uint32_t span);
/** How often a span arrived, wherever. */
unsigned bed_hits(const struct bed *bed, uint32_t span);
/** Each span from `from` on arrived once, at its owner among these backends. */
void bed_expect_home(const struct bed *bed, uint32_t from, unsigned backends);
/** Each span arrived once. */
void bed_expect_once(const struct bed *bed);
int64_t bed_failed(const struct bed *bed);
double bed_metric(const struct bed *bed, const char *name);
/** Events with this message, taken off the ring with all others. */
unsigned bed_told(struct bed *bed, const char *message);
/** Likewise: the sum of their items. */
int64_t bed_told_items(struct bed *bed, const char *message);
void bed_drop(struct bed *bed, unsigned backend);

#endif
