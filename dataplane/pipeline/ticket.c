#include "dataplane/pipeline/stage.h"

// A failure that carries a gRPC status tells the sender more than a plain one; otherwise the first counts.
static bool better(const struct sw_outcome *now, const struct sw_outcome *next)
{
    if (next->err == SW_OK) {
        return false;
    }
    return now->err == SW_OK || (now->grpc_code == 0 && next->grpc_code != 0);
}

void sw_ticket_settle(struct sw_ticket *ticket, struct sw_outcome *outcome)
{
    SW_ASSERT(ticket->parts_count > 0);
    if (outcome != NULL) {
        if (better(&ticket->outcome, outcome)) {
            sw_outcome_fini(&ticket->outcome);
            ticket->outcome = *outcome;
        } else {
            sw_outcome_fini(outcome);
        }
    }
    if (--ticket->parts_count == 0) {
        ticket->settled(ticket);
    }
}
