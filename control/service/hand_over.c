/* on_shutdown = "handover": what the stores still hold when the process has ended in order goes to other gateways, which
 * go on with it in the same exporter's queue (docs/peer-protocol.md). It is done as `spanweir queue drain` does it: by a
 * process that takes nothing in, with the gateways as the endpoints. What none of them takes by drain.deadline stays. */
#include "control/service/service_internal.h"
#include "control/telemetry/text.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "storage/journal/file_storage_conf.h"

#include <stdio.h>
#include <string.h>

#define QUEUES_MAX  64
#define PEERS_MAX   64
#define TEXT_MAX    256
#define ATTEMPT_NS  (4 * SW_NS_PER_S) // for one gateway, before the next is asked
#define HAND_OVER   "handover"
#define ON_SHUTDOWN "on_shutdown"

struct queue {
    char extension[TEXT_MAX];
    char directory[4096];
    char exporter[TEXT_MAX];
    char alias[32];
    enum sw_signal signal;
    uint64_t left;
};

struct hand_over {
    struct queue queues[QUEUES_MAX];
    unsigned queues_count;
    char peers[PEERS_MAX][TEXT_MAX];
    unsigned peers_count;
    uint64_t deadline_ns;
};

static bool wanted(const struct service *service, const char *exporter)
{
    const struct sw_appliance_view *view =
        sw_appliance_find(service->appliance, "exporter", exporter);
    for (size_t i = 0; view != NULL && i < view->settings.list.count; i++) {
        const struct sw_value_entry *entry =
            &SW_LIST_AT(view->settings.list, struct sw_value_entry, i);
        if (strcmp(entry->key, ON_SHUTDOWN) == 0 && entry->value.kind == SW_VALUE_STRING
            && strcmp(entry->value.string, HAND_OVER) == 0) {
            return true;
        }
    }
    return false;
}

int sw_hand_over_check(const struct service *service, char *error, size_t error_size)
{
    const struct sw_appliance *appliance = service->appliance;
    for (size_t i = 0; i < appliance->components_count; i++) {
        const struct sw_appliance_view *view = &appliance->components[i];
        if (strcmp(view->kind, "exporter") == 0 && wanted(service, view->id)
            && !appliance->peers.enabled) {
            snprintf(
                error,
                error_size,
                "exporter %s: on_shutdown = \"handover\" needs peers in the appliance file, the "
                "gateways "
                "that take over",
                view->id
            );
            return SW_E_INVALID;
        }
    }
    return SW_OK;
}

static void add_queue(
    struct hand_over *plan,
    const struct sw_conf_component *extension,
    struct sw_store_queue *queue
)
{
    const struct sw_file_storage_conf *conf = extension->conf;
    struct queue *mine = &plan->queues[plan->queues_count];
    uint64_t left = sw_store_queue_left(queue);
    if (left == 0 || plan->queues_count == QUEUES_MAX) {
        return;
    }
    snprintf(mine->extension, sizeof(mine->extension), "%s", extension->id);
    snprintf(mine->directory, sizeof(mine->directory), "%s", conf->directory);
    snprintf(mine->exporter, sizeof(mine->exporter), "%s", sw_store_queue_exporter(queue));
    snprintf(mine->alias, sizeof(mine->alias), "otlp_grpc/handover%u", plan->queues_count);
    mine->signal = sw_store_queue_signal(queue);
    mine->left = left;
    plan->queues_count++;
}

static void add_peer(void *context, const char *address)
{
    struct hand_over *plan = context;
    if (plan->peers_count < PEERS_MAX) {
        snprintf(plan->peers[plan->peers_count++], TEXT_MAX, "%s", address);
    }
}

static void tell(struct service *service, const struct hand_over *plan)
{
    uint64_t left = 0;
    for (unsigned i = 0; i < plan->queues_count; i++) {
        left += plan->queues[i].left;
    }
    struct sw_log_field fields[] = {
        sw_log_integer("requests", (int64_t)left),
        sw_log_integer("gateways", plan->peers_count),
    };
    sw_observe_log(
        service,
        SW_LOG_INFO,
        SW_LOG_HERE,
        plan->peers_count > 0 ? "Requests that are left are handed over to other gateways"
                              : "Requests are left, and no other gateway is known to take them",
        fields,
        2
    );
}

void sw_hand_over_plan(struct service *service, struct hand_over **ret_plan)
{
    *ret_plan = NULL;
    if (service->emptying != NULL || service->journal == NULL || service->generation == NULL) {
        return;
    }
    struct hand_over *plan = sw_zalloc(sizeof(*plan));
    for (size_t i = 0; plan != NULL && i < service->conf->extensions_count; i++) {
        const struct sw_conf_component *extension = service->conf->extensions[i];
        struct sw_store *store = sw_journal_find(service->journal, extension->id);
        struct sw_store_queue *queue = NULL;
        while (store != NULL && (queue = sw_store_next_queue(store, queue)) != NULL) {
            if (wanted(service, sw_store_queue_exporter(queue))) {
                add_queue(plan, extension, queue);
            }
        }
    }
    if (plan == NULL || plan->queues_count == 0) {
        sw_free(plan);
        return;
    }
    sw_generation_peers(service->generation, add_peer, plan);
    plan->deadline_ns = service->drain_began_ns + (uint64_t)service->appliance->drain.deadline_ns;
    tell(service, plan);
    *ret_plan = plan;
}

static void no_progress(void *context, uint64_t left, uint64_t refused) {}

// All queues of one store, each to a gateway; the next attempt has them moved on by one.
static uint64_t attempt(const struct hand_over *plan, const char *extension, unsigned number)
{
    struct sw_string config = {0};
    struct sw_queue_route routes[QUEUES_MAX];
    const char *aliases[QUEUES_MAX][2];
    const char *directory = "";
    unsigned count = 0;
    for (unsigned i = 0; i < plan->queues_count; i++) {
        const struct queue *queue = &plan->queues[i];
        if (strcmp(queue->extension, extension) == 0) {
            const char *peer = plan->peers[(i + number) % plan->peers_count];
            directory = queue->directory;
            aliases[count][0] = queue->alias;
            aliases[count][1] = queue->exporter;
            routes[count++] =
                (struct sw_queue_route){queue->alias, queue->exporter, queue->signal, peer};
        }
    }
    sw_queue_config(&config, extension, directory, routes, count, true);
    uint64_t now_ns = sw_clock_ns();
    const struct sw_queue_drain order = {
        .config = config.data,
        .aliases = (const char *const(*)[2])aliases,
        .aliases_count = count,
        .deadline_ns = SW_MIN(plan->deadline_ns, now_ns + ATTEMPT_NS),
        .progress = no_progress,
    };
    uint64_t left = 0;
    uint64_t refused = 0;
    if (config.failed || sw_service_empty(&order, &left, &refused) != 0) {
        left = 1;
    }
    sw_string_fini(&config);
    return left;
}

static bool first_of_store(const struct hand_over *plan, unsigned at)
{
    for (unsigned i = 0; i < at; i++) {
        if (strcmp(plan->queues[i].extension, plan->queues[at].extension) == 0) {
            return false;
        }
    }
    return true;
}

void sw_hand_over_run(struct hand_over *plan)
{
    for (unsigned i = 0; plan != NULL && plan->peers_count > 0 && i < plan->queues_count; i++) {
        uint64_t left = first_of_store(plan, i) ? 1 : 0;
        for (unsigned number = 0; left > 0 && sw_clock_ns() < plan->deadline_ns; number++) {
            left = attempt(plan, plan->queues[i].extension, number);
        }
        if (left > 0) {
            fprintf(
                stderr,
                "Warning: %s: not all of it was handed over, the rest stays in %s\n",
                plan->queues[i].extension,
                plan->queues[i].directory
            );
        }
    }
    sw_free(plan);
}
