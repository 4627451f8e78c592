#include "control/service/drain.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

// How often a core looks whether a level is through; it works in between.
#define LOOK_AGAIN_NS (SW_NS_PER_MS / 2)

/* What one core is told: drain one level. The message comes back when that is done. */
struct order {
    struct sw_message message;
    struct sw_timer timer; // worker's
    struct sw_core *core;  // worker's, set at delivery
    struct sw_drain *drain;
    unsigned level; // 0: receivers, then the generation's levels
};

struct sw_drain {
    struct sw_drain_conf conf;
    unsigned level;
    unsigned levels_count;
    unsigned out_count; // orders that are not back
    struct order orders[SW_CORES_MAX];
};

static int drain_level(struct order *order)
{
    struct sw_drain *drain = order->drain;
    struct sw_core *core = order->core;
    if (order->level == 0) {
        return drain->conf.drain_receivers(drain->conf.context, core, drain->conf.deadline_ns);
    }
    return sw_generation_drain(
        drain->conf.generation, order->level - 1, core->index, drain->conf.deadline_ns
    );
}

static void look(struct sw_timer *timer, uint64_t now_ns)
{
    struct order *order = SW_CONTAINER_OF(timer, struct order, timer);
    if (drain_level(order) == SW_OK || now_ns >= order->drain->conf.deadline_ns) {
        sw_mailbox_return(order->core->mailbox, &order->message);
        return;
    }
    sw_timer_set(&order->core->timers, timer, now_ns + LOOK_AGAIN_NS);
}

static void order_delivered(struct sw_message *message, void *receiver)
{
    struct order *order = (struct order *)message;
    order->core = receiver;
    sw_timer_init(&order->timer, look);
    look(&order->timer, order->core->now_ns);
}

static void send_orders(struct sw_drain *drain);

static void order_back(struct sw_message *message, void *sender)
{
    struct sw_drain *drain = ((struct order *)message)->drain;
    if (--drain->out_count == 0 && ++drain->level < drain->levels_count) {
        send_orders(drain);
    }
}

static void send_orders(struct sw_drain *drain)
{
    drain->out_count = drain->conf.cores_count;
    for (unsigned core = 0; core < drain->conf.cores_count; core++) {
        struct order *order = &drain->orders[core];
        *order = (struct order){
            .message = {.deliver = order_delivered, .returned = order_back},
            .drain = drain,
            .level = drain->level,
        };
        sw_mailbox_send(drain->conf.mailbox, core, &order->message);
    }
}

int sw_drain_begin(const struct sw_drain_conf *conf, struct sw_drain **ret_drain)
{
    struct sw_drain *drain = sw_zalloc(sizeof(*drain));
    if (drain == NULL) {
        return SW_E_NOMEM;
    }
    drain->conf = *conf;
    drain->levels_count = 1 + sw_generation_levels_count(conf->generation);
    send_orders(drain);
    *ret_drain = drain;
    return SW_OK;
}

bool sw_drain_done(const struct sw_drain *drain)
{
    return drain->level >= drain->levels_count;
}

void sw_drain_free(struct sw_drain *drain)
{
    sw_free(drain);
}
