#include "control/conf/cli.h"
#include "control/service/service.h"
#include "dataplane/base/version.h"

int main(int argc, char **argv)
{
    struct sw_cli cli = {
        .version = SW_VERSION,
        .components = sw_registry,
        .components_count = sw_registry_count,
        .run = sw_service_run,
        .check = sw_service_check_conf,
        .route = sw_service_route,
        .queue = sw_service_queue,
    };
    return sw_cli_main(argc, argv, &cli);
}
