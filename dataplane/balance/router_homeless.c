/* Parts without a backend: given back by one that leaves or refuses, tried by the ring of the time, one
 * batch a step, until somebody takes them. */
#include "dataplane/balance/router_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

// How soon homeless parts are tried again while nobody has room.
#define HOMELESS_WAIT_NS (200 * SW_NS_PER_MS)

static void count_lost(struct router *router, struct sw_batch *batch, int err)
{
    struct sw_outcome outcome = {.err = err};
    sw_branch_move(batch->branch, SW_BRANCH_QUEUED, sw_outcome_book(&outcome), batch->items_count);
    sw_batch_free(batch);
}

static void add_homeless(struct router *router, struct sw_batch *batch)
{
    batch->next = NULL;
    *router->homeless_end = batch;
    router->homeless_end = &batch->next;
    router->homeless_count++;
}

static struct sw_batch *take_homeless(struct router *router)
{
    struct sw_batch *batch = router->homeless;
    if (batch != NULL) {
        router->homeless = batch->next;
        batch->next = NULL;
        router->homeless_count--;
    }
    if (router->homeless == NULL) {
        router->homeless_end = &router->homeless;
    }
    return batch;
}

void sw_router_try_homeless(struct router *router)
{
    router->homeless_left = router->homeless_count;
    if (router->homeless_count > 0) {
        sw_core_task(router->push.core, &router->homeless_task);
    }
}

// What goes on waiting has bytes of its own.
static void keep_homeless(struct router *router, struct part *part)
{
    struct sw_batch *own = sw_batch_detach(part->batch, router->balance->account);
    add_homeless(router, own != NULL ? own : part->batch);
    if (own != NULL) {
        sw_batch_free(part->batch);
    }
    sw_free(part);
}

static void house(struct router *router, struct sw_batch *batch)
{
    struct part_list list = TAILQ_HEAD_INITIALIZER(list);
    struct part *part;
    if (sw_router_cut(router, NULL, batch, 0, &list) != SW_OK) {
        add_homeless(router, batch);
        return;
    }
    while ((part = TAILQ_FIRST(&list)) != NULL) {
        TAILQ_REMOVE(&list, part, link);
        uint32_t items_count = part->batch->items_count;
        bool whole = items_count == batch->items_count;
        if (sw_router_hand_over(part, SW_ADMIT_ANY) == SW_OK) {
            sw_router_count_rerouted(router, items_count);
        } else if (whole) {
            sw_batch_free(part->batch);
            sw_free(part);
            add_homeless(router, batch); // as it is
            return;
        } else {
            keep_homeless(router, part);
        }
    }
    sw_batch_free(batch);
}

static bool on_homeless(struct sw_task *task, uint64_t now_ns)
{
    struct router *router = SW_CONTAINER_OF(task, struct router, homeless_task);
    struct sw_core *core = router->push.core;
    if (router->homeless_left > 0) {
        struct sw_batch *batch = take_homeless(router);
        router->homeless_left--;
        if (batch != NULL) {
            house(router, batch);
        }
    }
    router->homeless_left = SW_MIN(router->homeless_left, router->homeless_count);
    if (router->homeless_left > 0) {
        return true;
    }
    if (router->homeless_count > 0 && !router->homeless_timer.armed) {
        sw_timer_set(&core->timers, &router->homeless_timer, core->now_ns + HOMELESS_WAIT_NS);
    }
    return false;
}

static void on_homeless_timer(struct sw_timer *timer, uint64_t now_ns)
{
    struct router *router = SW_CONTAINER_OF(timer, struct router, homeless_timer);
    sw_router_look_at_backends(router);
    sw_router_try_homeless(router);
}

void sw_router_take_back(struct router *router, struct sw_batch *batch)
{
    if (router->closed) {
        count_lost(router, batch, SW_E_SHUTDOWN);
        return;
    }
    add_homeless(router, batch);
    sw_router_try_homeless(router);
}

void sw_router_lose_homeless(struct router *router)
{
    struct sw_batch *batch;
    while ((batch = take_homeless(router)) != NULL) {
        count_lost(router, batch, SW_E_SHUTDOWN);
    }
}

void sw_router_init_homeless(struct router *router)
{
    router->homeless_end = &router->homeless;
    router->homeless_task.run = on_homeless;
    sw_timer_init(&router->homeless_timer, on_homeless_timer);
}
