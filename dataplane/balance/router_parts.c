/* Requests on their way to several backends: cut, handed over, put together again.
 *
 * A request is a call of the layers above. Each part of it that fails is kept until all parts are settled;
 * then the call ends with what failed, and only that is repeated. Parts that backends own (they have a
 * queue) are settled as soon as they wait there; what such a backend gives back later is homeless
 * and looks for another one by the ring of that time. */
#include "dataplane/balance/router_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <string.h>

// In one request a part changes its backend at most so often.
#define MOVES_MAX 8u

static void note_failure(struct request *request, struct sw_outcome *outcome)
{
    struct sw_outcome *now = &request->outcome;
    // As the Collector joins errors: a permanent one makes all of it permanent.
    bool better = now->err == SW_OK || (!now->permanent && outcome->permanent)
                  || (now->grpc_code == 0 && outcome->grpc_code != 0);
    if (better) {
        sw_outcome_fini(now);
        *now = *outcome;
    } else {
        sw_outcome_fini(outcome);
    }
}

static void keep_failed(struct request *request, struct sw_batch *batch)
{
    if (request->failed == NULL) {
        request->failed = batch;
    } else if (sw_batch_merge(request->failed, batch) != SW_OK) {
        // It cannot be sent again, so it ends here.
        sw_branch_move(
            request->branch, SW_BRANCH_QUEUED, SW_BRANCH_FAILED_MEMORY, batch->items_count
        );
        sw_batch_free(batch);
        struct sw_outcome outcome = {.err = SW_E_NOMEM, .permanent = true};
        note_failure(request, &outcome);
    }
}

static void finish(struct request *request)
{
    struct router *router = request->router;
    struct sw_push_call *call = request->call;
    struct sw_outcome outcome = request->outcome;
    sw_timer_cancel(&router->push.core->timers, &request->deadline);
    TAILQ_REMOVE(request->parked ? &router->parked : &router->under_way, request, link);
    if (outcome.err != SW_OK) {
        if (request->failed != NULL) {
            sw_batch_free(call->batch);
            call->batch = request->failed;
            call->batch->branch = request->branch;
        } else {
            outcome.permanent =
                true; // all that failed is counted already: nothing is left to repeat
        }
    }
    sw_free(request);
    call->done(call, &outcome);
}

static void finish_if_settled(struct request *request)
{
    if (!request->handing && TAILQ_EMPTY(&request->parts)) {
        finish(request);
    }
}

/* ---- parts ---- */

static void forget_part(struct part *part)
{
    if (part->given_up) {
        TAILQ_REMOVE(&part->router->given_up, part, link);
    } else if (part->request != NULL) {
        TAILQ_REMOVE(&part->request->parts, part, link);
    }
    sw_batch_free(part->kept);
    sw_free(part);
}

static bool moves_on(const struct part *part, const struct sw_outcome *outcome)
{
    const struct router *router = part->router;
    bool elsewhere = part->backend->leaving || (part->backend->down && router->any_down);
    return elsewhere && !outcome->permanent && !router->stopping && !part->request->ending
           && part->moves_count < MOVES_MAX;
}

static int cut_and_hand_over(
    struct router *router,
    struct request *request,
    const struct sw_batch *batch,
    uint32_t moves_count
);

static void part_failed(struct part *part, struct sw_outcome *outcome)
{
    struct request *request = part->request;
    struct router *router = part->router;
    struct sw_batch *kept = part->kept;
    part->kept = NULL;
    if (kept != NULL) {
        kept->branch = part->branch;
    }
    if (kept != NULL && moves_on(part, outcome)) {
        uint32_t moves_count = part->moves_count + 1;
        uint32_t items_count = kept->items_count;
        forget_part(part);
        bool handing = request->handing;
        request->handing = true;
        if (cut_and_hand_over(router, request, kept, moves_count) == SW_OK) {
            sw_router_count_rerouted(router, items_count);
            sw_outcome_fini(outcome);
            sw_batch_free(kept);
        } else {
            note_failure(request, outcome);
            keep_failed(request, kept);
        }
        request->handing = handing;
        return;
    }
    forget_part(part);
    note_failure(request, outcome);
    if (kept != NULL) {
        keep_failed(request, kept);
    }
}

static void part_settled(struct sw_ticket *ticket)
{
    struct part *part = SW_CONTAINER_OF(ticket, struct part, ticket);
    struct request *request = part->request;
    struct sw_outcome outcome = ticket->outcome;
    struct backend *backend = part->backend;
    uint64_t now_ns = part->router->push.core->now_ns;
    bool ok = outcome.err == SW_OK;
    sw_count(backend->outcome[ok], 1);
    sw_measure(backend->latency, (double)(now_ns - part->begun_ns) / (double)SW_NS_PER_MS);
    if (ok && part->kept != NULL && request != NULL) {
        sw_branch_move(
            part->branch, SW_BRANCH_QUEUED, SW_BRANCH_DELIVERED, part->kept->items_count
        );
    }
    if (ok || request == NULL) {
        forget_part(part);
        sw_outcome_fini(&outcome);
    } else {
        part_failed(part, &outcome);
    }
    if (request != NULL) {
        finish_if_settled(request);
    }
}

// A part that will have to wait gets bytes of its own, so that it pins nobody's buffers.
static void own_bytes(struct part *part)
{
    const struct balance *balance = part->router->balance;
    const struct sw_sending_queue_conf *queue = &balance->conf->protocol.otlp.sending_queue;
    struct sw_batch *batch = part->batch;
    int64_t consumers = SW_MAX(queue->num_consumers / balance->cores_count, 1);
    if (!queue->enabled || part->backend->errands_count < consumers
        || batch->bytes * 8 >= sw_batch_pinned_bytes(batch) * 7 || batch->bytes > UINT32_MAX) {
        return;
    }
    struct sw_batch *own = sw_batch_detach(batch, balance->account);
    if (own != NULL) { // else it goes on pinning
        sw_batch_free(batch);
        part->batch = own;
    }
}

int sw_router_hand_over(struct part *part, enum sw_admit mode)
{
    struct router *router = part->router;
    struct sw_stage *stage = part->backend->stage;
    bool owns = router->balance->hands_over;
    if (stage == NULL) {
        return SW_E_CLOSED;
    }
    part->kept = owns ? NULL : sw_batch_share(part->batch);
    if (!owns && part->kept == NULL) {
        return SW_E_NOMEM;
    }
    int err = sw_stage_admit(stage, part->batch, mode);
    if (err != SW_OK) {
        return err;
    }
    sw_ticket_init(&part->ticket, part_settled);
    part->branch = part->batch->branch;
    part->begun_ns = router->push.core->now_ns;
    if (!owns) {
        part->batch->branch = NULL; // its books are the request's
    }
    own_bytes(part);
    if (part->request != NULL) {
        TAILQ_INSERT_TAIL(&part->request->parts, part, link);
    }
    sw_stage_consume(stage, part->batch, &part->ticket);
    return SW_OK;
}

// A part that its backend does not take.
static void refuse_part(struct part *part, int err)
{
    struct backend *backend = part->backend;
    struct sw_outcome outcome = {.err = err};
    sw_count(backend->outcome[0], 1);
    sw_measure(backend->latency, 0);
    if (backend->stage == NULL) {
        const char *why = backend->endpoint->why;
        outcome.text = sw_buf_copy(NULL, why, (uint32_t)strlen(why));
    }
    note_failure(part->request, &outcome);
    keep_failed(part->request, part->batch);
    sw_batch_free(part->kept);
    sw_free(part);
}

int sw_router_cut(
    struct router *router,
    struct request *request,
    const struct sw_batch *batch,
    uint32_t moves_count,
    struct part_list *list
)
{
    struct sw_batch *piece;
    unsigned slot;
    uint32_t lost = 0;
    sw_router_look_at_ends(router);
    int err = sw_split_batch(
        router->split, batch, router->backends_count, sw_router_route, router, &lost
    );
    while ((piece = sw_split_take(router->split, &slot)) != NULL) {
        struct part *part = err == SW_OK ? sw_zalloc(sizeof(*part)) : NULL;
        if (part == NULL) {
            err = err != SW_OK ? err : SW_E_NOMEM;
            sw_batch_free(piece);
            continue;
        }
        part->router = router;
        part->request = request;
        part->backend = router->backends[slot];
        part->batch = piece;
        part->moves_count = moves_count;
        TAILQ_INSERT_TAIL(list, part, link);
    }
    if (err == SW_OK && lost > 0) {
        sw_count(router->unroutable, lost);
        err = TAILQ_EMPTY(list) ? SW_E_PERMANENT : SW_OK;
    }
    if (err == SW_OK && lost > 0) {
        sw_branch_move(batch->branch, SW_BRANCH_QUEUED, SW_BRANCH_FAILED_PERMANENT, lost);
    }
    struct part *part;
    while (err != SW_OK && (part = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, part, link);
        sw_batch_free(part->batch);
        sw_free(part);
    }
    return err;
}

/* Nothing is handed over on failure, which is as of cut. */
static int cut_and_hand_over(
    struct router *router,
    struct request *request,
    const struct sw_batch *batch,
    uint32_t moves_count
)
{
    struct part_list list = TAILQ_HEAD_INITIALIZER(list);
    struct part *part;
    int err = sw_router_cut(router, request, batch, moves_count, &list);
    while (err == SW_OK && (part = TAILQ_FIRST(&list)) != NULL) {
        TAILQ_REMOVE(&list, part, link);
        int refused = sw_router_hand_over(part, SW_ADMIT_ALL);
        if (refused != SW_OK) {
            refuse_part(part, refused);
        }
    }
    return err;
}

/* ---- the beginning of a request ---- */

static void fail_request(struct request *request, int err)
{
    static const char text[] = "couldn't find the exporter for the endpoint \"\"";
    request->outcome = (struct sw_outcome){.err = err, .permanent = err == SW_E_PERMANENT};
    if (err == SW_E_NOT_FOUND) {
        request->outcome.err = SW_E_CLOSED;
        request->outcome.text = sw_buf_copy(NULL, text, sizeof(text) - 1);
    }
    struct router *router = request->router;
    struct sw_push_call *call = request->call;
    struct sw_outcome outcome = request->outcome;
    call->batch->branch = request->branch;
    sw_timer_cancel(&router->push.core->timers, &request->deadline);
    TAILQ_REMOVE(request->parked ? &router->parked : &router->under_way, request, link);
    sw_free(request);
    call->done(call, &outcome);
}

static void begin(struct request *request)
{
    struct router *router = request->router;
    struct sw_batch *batch = request->call->batch;
    sw_router_look_at_backends(router);
    request->handing = true;
    int err = cut_and_hand_over(router, request, batch, 0);
    if (err != SW_OK) {
        fail_request(request, err);
        return;
    }
    batch->branch = NULL; // its books go with the parts
    request->handing = false;
    finish_if_settled(request);
}

/* A part that waits in its backend's queue. What the backend owns nobody hears of any more; another one fails
 * when its turn comes, for it is sent again by others. */
static void give_up(struct part *part, int err)
{
    struct router *router = part->router;
    struct request *request = part->request;
    struct sw_outcome outcome = {.err = err};
    struct sw_batch *kept = part->kept;
    TAILQ_REMOVE(&request->parts, part, link);
    part->request = NULL;
    part->kept = NULL;
    note_failure(request, &outcome);
    if (kept != NULL) {
        kept->branch = part->branch;
        part->given_up = true;
        TAILQ_INSERT_TAIL(&router->given_up, part, link);
        keep_failed(request, kept);
    }
}

bool sw_router_gave_up(const struct router *router, const struct sw_batch *batch)
{
    const struct sw_sending_queue_conf *queue = &router->balance->conf->protocol.otlp.sending_queue;
    const struct part *part;
    if (queue->batch.enabled) {
        return false; // a call is of parts that were joined
    }
    TAILQ_FOREACH(part, &router->given_up, link)
    {
        if (part->batch == batch) {
            return true;
        }
    }
    return false;
}

/* Ends what is under way of a request, from inside. */
static void end_request(struct request *request, int err)
{
    struct part *part;
    if (request->parked) {
        fail_request(request, err == SW_E_TIMEOUT ? SW_E_NOT_FOUND : err);
        return;
    }
    request->handing = true;
    request->ending = true;
    while ((part = TAILQ_FIRST(&request->parts)) != NULL) {
        if (part->kept == NULL || !sw_backend_cancel(part->backend, part->batch, err)) {
            give_up(part, err);
        } // else it was settled from inside
    }
    request->handing = false;
    finish(request);
}

static void on_deadline(struct sw_timer *timer, uint64_t now_ns)
{
    end_request(SW_CONTAINER_OF(timer, struct request, deadline), SW_E_TIMEOUT);
}

void sw_router_request_start(struct sw_push *push, struct sw_push_call *call)
{
    struct router *router = (struct router *)push;
    struct request *request = router->closed ? NULL : sw_zalloc(sizeof(*request));
    if (request == NULL) {
        sw_push_done_err(call, router->closed ? SW_E_SHUTDOWN : SW_E_NOMEM);
        return;
    }
    request->router = router;
    request->call = call;
    request->branch = call->batch->branch;
    TAILQ_INIT(&request->parts);
    sw_timer_init(&request->deadline, on_deadline);
    call->below = request;
    request->parked = !router->topology->known;
    TAILQ_INSERT_TAIL(request->parked ? &router->parked : &router->under_way, request, link);
    if (call->deadline_ns != SW_TIME_NEVER) {
        sw_timer_set(&push->core->timers, &request->deadline, call->deadline_ns);
    }
    if (!request->parked) {
        begin(request);
    }
}

void sw_router_request_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    end_request(call->below, err);
}

void sw_router_end_requests(struct router *router, int err)
{
    struct request *request;
    while ((request = TAILQ_FIRST(&router->parked)) != NULL
           || (request = TAILQ_FIRST(&router->under_way)) != NULL) {
        end_request(request, err);
    }
}

void sw_router_begin_parked(struct router *router)
{
    struct request *request;
    while ((request = TAILQ_FIRST(&router->parked)) != NULL) {
        TAILQ_REMOVE(&router->parked, request, link);
        request->parked = false;
        TAILQ_INSERT_TAIL(&router->under_way, request, link);
        begin(request);
    }
}
