/* Decisions of other gateways about traces that are this one's now: spans that come follow them, and so do
 * those that wait here already. Each goes to the core that owns the trace. */
#include "dataplane/base/mem.h"
#include "sampling/verdict/verdict_internal.h"

// Messages on their way to other cores; beyond that decisions are lost.
#define MAILS_MAX 32u

/* Decisions on their way to another core. */
struct told_mail {
    struct sw_message message;
    LIST_ENTRY(told_mail) link;
    struct sampler *from;
    struct sampler *to;
    unsigned count;
    unsigned capacity;
    struct sw_decision list[];
};

static void finish(struct sampler *sampler, const struct sw_decisions_taken *taken)
{
    sampler->decisions->taken(sampler->decisions, sampler->stage.core, taken);
}

static bool remember(struct sampler *sampler, const struct sw_decision *decision, uint32_t hash)
{
    struct sw_decision_cache *cache = decision->sampled ? &sampler->sampled : &sampler->not_sampled;
    if (sampler->caches && sw_decision_cache_put(cache, decision->trace_id, 0)) {
        return true;
    }
    // As a trace that is decided and whose spans are gone.
    uint64_t now_ns = sampler->stage.core->now_ns;
    struct sw_trace *trace = NULL;
    if (sw_trace_add(sampler->table, decision->trace_id, hash, now_ns, &trace) != SW_OK) {
        return false;
    }
    trace->state = decision->sampled ? SW_TRACE_SAMPLED : SW_TRACE_NOT_SAMPLED;
    trace->decided_ns = now_ns;
    return true;
}

static void take_here(
    struct sampler *sampler,
    const struct sw_decision *decision,
    struct sw_decisions_taken *taken
)
{
    uint16_t policy;
    uint32_t hash = (uint32_t)sw_shard_hash(&sampler->shared->handoff.key, decision->trace_id);
    if (sampler->caches
        && (sw_decision_cache_hit(&sampler->sampled, decision->trace_id, &policy)
            || sw_decision_cache_hit(&sampler->not_sampled, decision->trace_id, &policy))) {
        taken->known++;
        return;
    }
    struct sw_trace *trace = sw_trace_find(sampler->table, decision->trace_id, hash);
    if (trace == NULL) {
        bool remembered = !sampler->draining && remember(sampler, decision, hash);
        taken->remembered += remembered;
        taken->lost += !remembered;
    } else if (trace->state == SW_TRACE_UNDECIDED && trace->told == SW_TRACE_UNDECIDED) {
        trace->told = decision->sampled ? SW_TRACE_SAMPLED : SW_TRACE_NOT_SAMPLED;
        taken->followed++;
    } else {
        taken->known++;
    }
}

static void mail_delivered(struct sw_message *message, void *receiver)
{
    struct sw_core *core = receiver;
    struct told_mail *mail = (struct told_mail *)message;
    struct sw_decisions_taken taken = {.remembered = 0};
    for (unsigned i = 0; i < mail->count; i++) {
        take_here(mail->to, &mail->list[i], &taken);
    }
    finish(mail->to, &taken);
    sw_mailbox_return(core->mailbox, message);
}

static void mail_returned(struct sw_message *message, void *sender)
{
    struct told_mail *mail = (struct told_mail *)message;
    LIST_REMOVE(mail, link);
    mail->from->mails_count--;
    sw_free(mail);
}

static struct told_mail *mail_new(struct sampler *from, struct sampler *to, unsigned capacity)
{
    size_t size = sizeof(struct told_mail) + capacity * sizeof(struct sw_decision);
    struct told_mail *mail = from->mails_count < MAILS_MAX ? sw_zalloc(size) : NULL;
    if (mail != NULL) {
        mail->message = (struct sw_message){.deliver = mail_delivered, .returned = mail_returned};
        mail->from = from;
        mail->to = to;
        mail->capacity = capacity;
        LIST_INSERT_HEAD(&from->mails, mail, link);
        from->mails_count++;
    }
    return mail;
}

// Those of one other core, in one message.
static uint32_t send_those_of(
    struct sampler *sampler,
    unsigned owner,
    const struct sw_decision *list,
    unsigned count
)
{
    const struct sw_shard_key *key = &sampler->shared->handoff.key;
    struct sw_core *core = sampler->stage.core;
    struct told_mail *mail = NULL;
    uint32_t lost = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t hash = sw_shard_hash(key, list[i].trace_id);
        if (sw_shard_owner(key, list[i].trace_id, hash, core->cores_count) != owner) {
            continue;
        }
        if (mail == NULL && lost == 0) {
            mail = mail_new(sampler, sampler->decisions->takers[owner], count - i);
        }
        if (mail == NULL) {
            lost++;
        } else {
            mail->list[mail->count++] = list[i];
        }
    }
    if (mail != NULL) {
        sw_mailbox_send(core->mailbox, owner, &mail->message);
    }
    return lost;
}

static void take(
    struct sw_decisions *decisions,
    struct sw_core *core,
    const struct sw_decision *list,
    unsigned count
)
{
    struct sampler *sampler = decisions->takers[core->index];
    const struct sw_shard_key *key = &sampler->shared->handoff.key;
    struct sw_decisions_taken taken = {.remembered = 0};
    uint64_t others = 0; // bits of cores
    _Static_assert(SW_CORES_MAX <= 64, "a bit for each core");
    for (unsigned i = 0; i < count; i++) {
        uint64_t hash = sw_shard_hash(key, list[i].trace_id);
        unsigned owner = sw_shard_owner(key, list[i].trace_id, hash, core->cores_count);
        if (owner == core->index) {
            take_here(sampler, &list[i], &taken);
        } else {
            others |= UINT64_C(1) << owner;
        }
    }
    for (unsigned owner = 0; owner < core->cores_count; owner++) {
        if ((others >> owner & 1) != 0) {
            taken.lost += send_those_of(sampler, owner, list, count);
        }
    }
    finish(sampler, &taken);
}

void sw_told_init(struct sampler *sampler, struct sw_decisions *decisions)
{
    LIST_INIT(&sampler->mails);
    sampler->decisions = decisions;
    if (decisions != NULL) {
        decisions->takers[sampler->stage.core->index] = sampler;
        decisions->take = take;
    }
}

void sw_told_fini(struct sampler *sampler)
{
    struct told_mail *mail;
    while ((mail = LIST_FIRST(&sampler->mails)) != NULL) {
        LIST_REMOVE(mail, link);
        sw_free(mail);
    }
}

void sw_tell(struct sampler *sampler, const struct sw_trace *trace, bool sampled)
{
    struct sw_decisions *decisions = sampler->decisions;
    struct sw_decision decision = {.sampled = sampled};
    if (decisions != NULL) {
        memcpy(decision.trace_id, trace->id, sizeof(decision.trace_id));
        decisions->decided(decisions, sampler->stage.core, &decision);
    }
}
