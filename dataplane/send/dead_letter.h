/* Dead letters (appliance file, exporters otlp_grpc and otlp_http): what a backend has refused for good is written to
 * OTLP/JSON lines, so that somebody can look at it, and send it again when it is mended. What ran out of retries is no
 * dead letter: nothing is wrong with it.
 *
 *   dead_letter = { path = "/var/lib/spanweir/dead"; size_mib = 256; };
 *
 * In the directory a file for each exporter and signal, EXPORTER-SIGNAL.jsonl, with three backups; together they
 * stay below size_mib. The actor for files writes them (storage/files); no core waits. */
#ifndef SW_SEND_DEAD_LETTER_H
#define SW_SEND_DEAD_LETTER_H

#include "dataplane/pipeline/stage.h"

/** What the instances on all cores share. */
struct sw_dead_letter;
/** One core's. */
struct sw_dead_letter_desk;

/** Reads the options of an exporter that has no others. Control thread.
 *
 * @param ret_dead  NULL: dead letters are not wanted, or nothing is written (validate)
 * @return 0, SW_E_NOMEM, SW_E_INVALID or SW_E_UNSUPPORTED with env->error saying what is wrong
 */
SW_CHECKED int sw_dead_letter_new(const struct sw_stage_env *env, struct sw_dead_letter **ret_dead);
/** All desks are freed. NULL is legal. */
void sw_dead_letter_free(struct sw_dead_letter *dead);

/** @param dead  NULL: a desk that does nothing, NULL itself */
SW_CHECKED int sw_dead_letter_desk_new(
    const struct sw_stage_env *env,
    struct sw_dead_letter *dead,
    struct sw_core *core,
    struct sw_dead_letter_desk **ret_desk
);
/** The actor has ended. NULL is legal. */
void sw_dead_letter_desk_free(struct sw_dead_letter_desk *desk);

/** A batch that was refused for good; borrowed. Its core. desk NULL: nothing happens */
void sw_dead_letter_write(struct sw_dead_letter_desk *desk, const struct sw_batch *batch);

#endif
