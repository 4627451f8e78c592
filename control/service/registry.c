/* All components of this build, one line each, in reading order. */
#include "control/health/health_check_conf.h"
#include "control/service/service.h"
#include "control/zpages/zpages_conf.h"
#include "dataplane/balance/loadbalancing_exporter_conf.h"
#include "dataplane/base/assert.h"
#include "dataplane/pipeline/forward.h"
#include "dataplane/receive/memory_limiter_conf.h"
#include "dataplane/receive/otlp_receiver_conf.h"
#include "dataplane/rewrite/attributes_conf.h"
#include "dataplane/rewrite/resource_conf.h"
#include "dataplane/send/debug_exporter_conf.h"
#include "dataplane/send/file_exporter_conf.h"
#include "dataplane/send/nop_exporter_conf.h"
#include "dataplane/send/otlp_exporter_conf.h"
#include "dataplane/send/otlphttp_exporter_conf.h"
#include "sampling/probabilistic/probabilistic_sampler_conf.h"
#include "sampling/verdict/tail_sampling_conf.h"
#include "storage/batch/batch_conf.h"
#include "storage/journal/file_storage_conf.h"

const struct sw_component *const sw_registry[] = {
    &sw_otlp_receiver,
    &sw_memory_limiter,
    &sw_attributes,
    &sw_resource,
    &sw_probabilistic_sampler,
    &sw_tail_sampling,
    &sw_batch_processor,
    &sw_otlp_exporter,
    &sw_otlphttp_exporter,
    &sw_loadbalancing_exporter,
    &sw_debug_exporter,
    &sw_nop_exporter,
    &sw_file_exporter,
    &sw_forward,
    &sw_file_storage,
    &sw_health_check,
    &sw_zpages,
    &sw_pprof,
};

const size_t sw_registry_count = SW_ARRAY_SIZE(sw_registry);
