#include "dataplane/send/debug_exporter_conf.h"

#include "dataplane/send/debug_exporter.h"

static const char *const verbosity_words[] = {"Basic", "Normal", "Detailed", NULL};

// clang-format off
static const struct sw_field exporter_fields[] = {
    SW_ENUM("verbosity", struct sw_debug_exporter_conf, verbosity, verbosity_words, "Basic",
            "basic: a line per request; normal: a line per item; detailed: everything",
            .flags = SW_FIELD_ICASE),
    SW_INT("sampling_initial", struct sw_debug_exporter_conf, sampling_initial, "2",
           "requests a second that are shown"),
    SW_INT("sampling_thereafter", struct sw_debug_exporter_conf, sampling_thereafter, "1",
           "of further ones, every n-th is shown"),
    SW_BOOL("use_internal_logger", struct sw_debug_exporter_conf, use_internal_logger, "true",
            "write to the log; false: to output_paths"),
    SW_STRINGS("output_paths", struct sw_debug_exporter_conf, output_paths, "stdout",
               "stdout, stderr or files; only without the internal logger"),
    SW_STRING("loglevel", struct sw_debug_exporter_conf, loglevel, NULL,
              "of the `logging` exporter: debug, info, warn or error",
              .flags = SW_FIELD_OLD | SW_FIELD_OMIT, .note = "use verbosity"),
    SW_SENDING_QUEUE(struct sw_debug_exporter_conf, sending_queue, .flags = SW_FIELD_BARE),
    SW_FIELD_END,
};
// clang-format on

static void loglevel_check(struct sw_debug_exporter_conf *conf, struct sw_check *check)
{
    // The logging exporter's levels as verbosities (its own migration rule).
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
    static const int verbosities[] = {
        SW_VERBOSITY_DETAILED,
        SW_VERBOSITY_NORMAL,
        SW_VERBOSITY_BASIC,
        SW_VERBOSITY_BASIC,
    };
    int level = sw_word_index(levels, conf->loglevel, true);
    if (conf->loglevel[0] == '\0') {
        return;
    }
    if (level < 0) {
        sw_complain_word(
            check,
            SW_COMPLAINT_ERROR,
            "loglevel",
            conf->loglevel,
            levels,
            "\"%s\" is none of debug, info, warn, error",
            conf->loglevel
        );
    } else if (check->given(check, "verbosity")) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "loglevel",
            "'loglevel' and 'verbosity' are incompatible, use only 'verbosity'"
        );
    } else {
        conf->verbosity = verbosities[level];
    }
}

static void exporter_check(void *section, struct sw_check *check)
{
    struct sw_debug_exporter_conf *conf = section;
    loglevel_check(conf, check);
    if (conf->use_internal_logger && check->given(check, "output_paths")) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "output_paths",
            "output_paths requires use_internal_logger to be false"
        );
    }
    if (!conf->use_internal_logger && conf->output_paths.count == 0) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "output_paths",
            "must not be empty when use_internal_logger is false"
        );
    }
}

static const char *const old_types[] = {"logging", NULL};

const struct sw_component sw_debug_exporter = {
    .kind = SW_EXPORTER,
    .type = "debug",
    .old_types = old_types,
    .fields = exporter_fields,
    .conf_size = sizeof(struct sw_debug_exporter_conf),
    .check = exporter_check,
    .signals = SW_FOR_OTLP | SW_FOR_PROFILES,
    .signals_ready = SW_FOR_OTLP,
    .stability = "alpha",
    .module = "dataplane/send",
    .help = "writes what it gets to the log",
    .queue_offset = offsetof(struct sw_debug_exporter_conf, sending_queue),
    .ops = &sw_debug_exporter_class,
};
