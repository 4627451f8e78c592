/* A process that takes nothing in and runs until its stores are empty (`spanweir queue drain`). */
#include "control/service/service.h"
#include "control/service/service_internal.h"
#include "dataplane/base/clock.h"

#include <stdio.h>

bool sw_emptying_done(struct service *service, uint64_t *ret_left, uint64_t *ret_refused)
{
    *ret_left = 0;
    *ret_refused = 0;
    for (size_t i = 0; i < service->conf->extensions_count; i++) {
        struct sw_store *store =
            sw_journal_find(service->journal, service->conf->extensions[i]->id);
        struct sw_store_queue *queue = NULL;
        while (store != NULL && (queue = sw_store_next_queue(store, queue)) != NULL) {
            *ret_left += sw_store_queue_left(queue);
            *ret_refused += sw_store_queue_skipped(queue);
        }
    }
    uint64_t deadline_ns = service->emptying->deadline_ns;
    return *ret_left <= *ret_refused || (deadline_ns > 0 && sw_clock_ns() >= deadline_ns);
}

int sw_service_empty(const struct sw_queue_drain *order, uint64_t *ret_left, uint64_t *ret_refused)
{
    struct sw_conf *conf = NULL;
    struct sw_appliance *appliance = NULL;
    struct sw_conf_errors errors = {0};
    char error[512] = "";
    const char *configs[] = {order->config};
    const struct sw_conf_args args = {
        .configs = configs,
        .configs_count = 1,
        .purpose = SW_CONF_START,
    };
    int err = sw_conf_load(&args, sw_registry, sw_registry_count, &conf, &errors);
    for (size_t i = 0; i < errors.count; i++) {
        char text[1024];
        sw_conf_error_format(&errors.items[i], text, sizeof(text));
        if (errors.items[i].refused) {
            fprintf(stderr, "Error: %s\n", text);
        }
    }
    sw_conf_errors_fini(&errors);
    if (err == SW_OK) {
        err = sw_appliance_load_text(
            "drain", "drain = { deadline = \"3s\"; };", &appliance, error, sizeof(error)
        );
    }
    int code = 1;
    if (err == SW_OK) {
        code = sw_service_run_with(conf, appliance, order, ret_left, ret_refused);
    }
    sw_appliance_free(appliance);
    sw_conf_free(conf);
    return code;
}

int sw_service_queue(int argc, char **argv)
{
    return sw_queue_main(argc, argv, sw_service_empty);
}
