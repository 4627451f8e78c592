/* Decisions on their way to the gateways that own the traces now. Best effort: what finds no room, or no
 * gateway, is counted and forgotten; the span that comes late is then decided by whoever gets it. */
#include "dataplane/balance/peers_internal.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/l7_http/grpc.h"
#include "dataplane/otlp/protobuf.h"

#include <string.h>

// Decisions that wait for one gateway on one core; then they are sent, or lost while others are under way.
#define TOLD_MAX 1024u
// Longest that one waits before it is sent.
#define TELL_WAIT_NS (100 * SW_NS_PER_MS)
// Of a Decisions message, handed over at once.
#define TAKEN_AT_ONCE 256u
#define STRANGER_NS   (60 * SW_NS_PER_S)

// message Decisions { repeated Decision decisions = 1; }
// message Decision { bytes trace_id = 1; uint32 verdict = 2; }
#define TAG_DECISION SW_PB_TAG(1, SW_PB_LEN)
#define TAG_TRACE_ID SW_PB_TAG(1, SW_PB_LEN)
#define TAG_VERDICT  SW_PB_TAG(2, SW_PB_VARINT)
#define INNER_BYTES  (2u + SW_TRACE_ID_BYTES + 2u)
#define OUTER_BYTES  (2u + INNER_BYTES)

enum verdict {
    VERDICT_SAMPLED = 1,
    VERDICT_NOT_SAMPLED = 2,
};

enum outcome {
    TAKEN_REMEMBERED,
    TAKEN_FOLLOWED,
    TAKEN_KNOWN,
    TAKEN_LOST,
};

static const struct sw_metric_family sent_family = {
    .name = "spanweir_peer_decisions_sent",
    .help = "Decisions that the gateways which own the traces now have taken",
    .unit = "{decisions}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family unsent_family = {
    .name = "spanweir_peer_decisions_unsent",
    .help = "Decisions that did not reach the gateways which own the traces now",
    .unit = "{decisions}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};
static const struct sw_metric_family taken_family = {
    .name = "spanweir_peer_decisions_taken",
    .help = "Decisions of other gateways, by what became of them: remembered, followed by spans "
            "that wait, "
            "known already, lost for want of room",
    .unit = "{decisions}",
    .type = SW_COUNTER,
    .level = SW_LEVEL_BASIC,
};

struct tell_call {
    struct sw_push_call call;
    struct peer_link *link;
    uint32_t count;
};

/* ---- sending ---- */

static void arm(struct gateway *gateway)
{
    struct sw_core *core = gateway->stage.core;
    if (!gateway->tell.armed && !gateway->closing) {
        sw_timer_set(&core->timers, &gateway->tell, core->now_ns + TELL_WAIT_NS);
    }
}

static void told(struct sw_push_call *call, struct sw_outcome *outcome)
{
    struct tell_call *tell = SW_CONTAINER_OF(call, struct tell_call, call);
    struct peer_link *link = tell->link;
    struct gateway *gateway = link->gateway;
    bool ok = outcome->err == SW_OK;
    sw_count(ok ? gateway->cells.sent : gateway->cells.unsent, tell->count);
    if (outcome->grpc_code == SW_GRPC_UNIMPLEMENTED) {
        link->avoided_until_ns = gateway->stage.core->now_ns + STRANGER_NS;
        link->avoided_for = LOCAL_STRANGER;
    }
    sw_outcome_fini(outcome);
    sw_batch_free(call->batch);
    sw_free(tell);
    link->telling = NULL;
    link->calls_count--;
    if (link->told != NULL) {
        arm(gateway);
    }
    sw_gateway_sweep(gateway);
}

static void forget_told(struct peer_link *link)
{
    if (link->told != NULL) {
        sw_count(link->gateway->cells.unsent, link->told_count);
        sw_buf_unref(link->told);
        link->told = NULL;
        link->told_count = 0;
    }
}

static struct sw_batch *make_batch(struct peer_link *link)
{
    struct sw_buf *buf = link->told;
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    if (batch != NULL
        && sw_batch_add_raw(batch, buf, buf->data, buf->size, link->told_count) != SW_OK) {
        sw_batch_free(batch);
        return NULL;
    }
    return batch;
}

static void send_told(struct peer_link *link)
{
    struct gateway *gateway = link->gateway;
    struct sw_core *core = gateway->stage.core;
    if (link->told == NULL || link->telling != NULL) {
        return;
    }
    struct tell_call *tell = sw_zalloc(sizeof(*tell));
    struct sw_batch *batch = tell != NULL ? make_batch(link) : NULL;
    if (batch == NULL) {
        sw_free(tell);
        forget_told(link);
        return;
    }
    tell->link = link;
    tell->count = link->told_count;
    tell->call = (struct sw_push_call){
        .batch = batch,
        .done = told,
        .deadline_ns = core->now_ns + (uint64_t)gateway->peers->conf->timeout_ns,
        .path = SW_PEER_DECISIONS,
    };
    sw_buf_unref(link->told); // the batch has it
    link->told = NULL;
    link->told_count = 0;
    link->telling = tell;
    link->calls_count++;
    sw_push_start(link->channel, &tell->call);
}

static void on_tell(struct sw_timer *timer, uint64_t now_ns)
{
    sw_gateway_tell_now(SW_CONTAINER_OF(timer, struct gateway, tell));
}

void sw_gateway_tell_now(struct gateway *gateway)
{
    for (unsigned i = 0; i < gateway->links_count; i++) {
        send_told(gateway->links[i]);
    }
}

bool sw_gateway_tells(const struct gateway *gateway)
{
    for (unsigned i = 0; i < gateway->links_count; i++) {
        if (gateway->links[i]->told != NULL || gateway->links[i]->telling != NULL) {
            return true;
        }
    }
    return false;
}

void sw_gateway_tell_drop(struct peer_link *link)
{
    forget_told(link);
    if (link->telling != NULL) {
        sw_push_cancel(link->channel, &link->telling->call, SW_E_SHUTDOWN);
    }
}

static uint8_t *put_decision(uint8_t *out, const struct sw_decision *decision)
{
    out = sw_pb_put_head(out, TAG_DECISION, INNER_BYTES);
    out = sw_pb_put_bytes(
        out, TAG_TRACE_ID, (struct sw_bytes){decision->trace_id, SW_TRACE_ID_BYTES}
    );
    out = sw_pb_put_varint(out, TAG_VERDICT);
    return sw_pb_put_varint(out, decision->sampled ? VERDICT_SAMPLED : VERDICT_NOT_SAMPLED);
}

static void
decided(struct sw_decisions *decisions, struct sw_core *core, const struct sw_decision *decision)
{
    struct sw_peers *peers = SW_CONTAINER_OF(decisions, struct sw_peers, decisions);
    struct gateway *gateway = peers->cores[core->index];
    struct peer_link *link = sw_gateway_owner(gateway, decision->trace_id);
    if (link == NULL || gateway->closing) {
        return;
    }
    bool avoided = link->channel == NULL || core->now_ns < link->avoided_until_ns;
    if (!avoided && link->told == NULL) {
        link->told = sw_buf_new(core->account, TOLD_MAX * OUTER_BYTES);
    }
    if (avoided || link->told == NULL || link->told_count == TOLD_MAX) {
        sw_count(gateway->cells.unsent, 1);
        return;
    }
    uint8_t *at = link->told->data + link->told->size;
    link->told->size += (uint32_t)(put_decision(at, decision) - at);
    link->told_count++;
    if (link->told_count == TOLD_MAX) {
        send_told(link);
    }
    arm(gateway);
}

/* ---- taking ---- */

// @return false: not one that this version understands
static bool read_decision(struct sw_bytes message, struct sw_decision *ret_decision)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    uint64_t verdict = 0;
    bool has_id = false;
    sw_pb_reader_init(&reader, message);
    while (sw_pb_next(&reader, &field)) {
        if (field.tag == TAG_TRACE_ID && field.bytes.size == SW_TRACE_ID_BYTES) {
            memcpy(ret_decision->trace_id, field.bytes.data, SW_TRACE_ID_BYTES);
            has_id = true;
        } else if (field.tag == TAG_VERDICT) {
            verdict = field.number;
        }
    }
    ret_decision->sampled = verdict == VERDICT_SAMPLED;
    return sw_pb_status(&reader) == SW_OK && has_id
           && (verdict == VERDICT_SAMPLED || verdict == VERDICT_NOT_SAMPLED);
}

static void hand_over(
    struct sw_decisions *decisions,
    struct sw_core *core,
    const struct sw_decision *list,
    unsigned count
)
{
    if (decisions->take != NULL && count > 0) {
        decisions->take(decisions, core, list, count);
    }
}

static int take(struct sw_peer_door *door, struct sw_core *core, struct sw_bytes message)
{
    struct sw_peers *peers = SW_CONTAINER_OF(door, struct sw_peers, door);
    struct sw_decisions *decisions = &peers->decisions;
    struct sw_decision list[TAKEN_AT_ONCE];
    unsigned count = 0;
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    sw_pb_reader_init(&reader, message);
    while (sw_pb_next(&reader, &field)) {
        count += field.tag == TAG_DECISION && read_decision(field.bytes, &list[count]);
        if (count == TAKEN_AT_ONCE) {
            hand_over(decisions, core, list, count);
            count = 0;
        }
    }
    hand_over(decisions, core, list, count);
    return sw_pb_status(&reader);
}

static void
taken(struct sw_decisions *decisions, struct sw_core *core, const struct sw_decisions_taken *what)
{
    struct sw_peers *peers = SW_CONTAINER_OF(decisions, struct sw_peers, decisions);
    struct gateway_cells *cells = &peers->cores[core->index]->cells;
    sw_count(cells->taken[TAKEN_REMEMBERED], what->remembered);
    sw_count(cells->taken[TAKEN_FOLLOWED], what->followed);
    sw_count(cells->taken[TAKEN_KNOWN], what->known);
    sw_count(cells->taken[TAKEN_LOST], what->lost);
}

/* ---- making ---- */

void sw_peers_tell_init(struct sw_peers *peers)
{
    peers->decisions.decided = decided;
    peers->decisions.taken = taken;
    atomic_init(&peers->decisions.leaving, false);
    peers->door.decisions = take;
}

int sw_gateway_tell_init(struct gateway *gateway)
{
    static const char *const words[] = {
        [TAKEN_REMEMBERED] = "remembered",
        [TAKEN_FOLLOWED] = "followed",
        [TAKEN_KNOWN] = "known",
        [TAKEN_LOST] = "lost",
    };
    struct sw_metrics *metrics = gateway->peers->balance.metrics;
    struct sw_label labels[] = {{"pipeline", gateway->peers->door.pipeline}, {"outcome", NULL}};
    struct gateway_cells *cells = &gateway->cells;
    unsigned core = gateway->stage.core->index;
    sw_timer_init(&gateway->tell, on_tell);
    int err = sw_cell_make(metrics, core, &sent_family, labels, 1, &cells->sent);
    if (err == SW_OK) {
        err = sw_cell_make(metrics, core, &unsent_family, labels, 1, &cells->unsent);
    }
    for (unsigned i = 0; err == SW_OK && i < SW_ARRAY_SIZE(words); i++) {
        labels[1].value = words[i];
        err = sw_cell_make(metrics, core, &taken_family, labels, 2, &cells->taken[i]);
    }
    return err;
}
