/* The Collector's YAML: sources, expansion, merging, decoding by the components' tables, graph
 * rules. Loading starts nothing and opens nothing but the files and variables it is told to read.
 * Control thread (or any one thread); a loaded configuration is constant and may be read by all. */
#ifndef SW_CONF_CONF_H
#define SW_CONF_CONF_H

#include "control/conf/service_conf.h"
#include "dataplane/base/err.h"
#include "dataplane/pipeline/component.h"

/** Where something stands. Lines and columns count from 1; 0: not known. */
struct sw_mark {
    const char *source; /**< file name, "env:NAME", "yaml:…", "--set a.b"; never NULL */
    uint32_t line;
    uint32_t column;
};

struct sw_conf_error {
    enum sw_complaint complaint;
    bool refused;        /**< it refuses for the purpose of the load; otherwise it is a warning */
    struct sw_mark mark; /**< its source is the error's own */
    char *path;          /**< "exporters::otlp_grpc::timeout"; "" when it has none */
    char *text;
};

/** Findings in the order they were made. Zero-initialise; sw_conf_errors_fini frees. Outlives the
 * configuration. */
struct sw_conf_errors {
    struct sw_conf_error *items;
    size_t count;
    size_t capacity;
    size_t refused_count; /**< of those that refuse for the purpose of the load */
    size_t warnings_count;
    bool out_of_memory; /**< some could not be kept */
};

void sw_conf_errors_fini(struct sw_conf_errors *errors);

/** Adds a finding of a caller's own: a warning, or what refuses. Texts are copied; running out of
 * memory is remembered in errors. */
void sw_conf_errors_add(
    struct sw_conf_errors *errors,
    enum sw_complaint complaint,
    bool refused,
    struct sw_mark mark,
    const char *path,
    const char *text
);

/** "file:line:column: path: text" of one finding, without a line end. @return length that was
 * needed, as snprintf */
int sw_conf_error_format(const struct sw_conf_error *error, char *text, size_t size);

enum sw_conf_purpose {
    SW_CONF_PRINT,    /**< SW_COMPLAINT_BUILD and SW_COMPLAINT_AT_START are warnings */
    SW_CONF_VALIDATE, /**< SW_COMPLAINT_AT_START is a warning */
    SW_CONF_START,    /**< both refuse */
};

/** The world a load reads from; NULL members: the process's environment and files. */
struct sw_conf_world {
    void *context;
    /** @return the variable's value, NULL when unset */
    const char *(*env)(void *context, const char *name);
    /** Reads a whole file into memory of sw_alloc. @return 0 or a positive errno */
    int (*read_file)(void *context, const char *path, char **ret_data, size_t *ret_len);
};

struct sw_conf_args {
    const char *const *configs; /**< --config values in order */
    size_t configs_count;
    const char *const *sets; /**< --set values (a.b.c=value) in order */
    size_t sets_count;
    const char *const *gates; /**< --feature-gates values (a,+b,-c) in order */
    size_t gates_count;
    enum sw_conf_purpose purpose;
    bool strict;        /**< older spellings are refused */
    bool print_invalid; /**< SW_CONF_PRINT: what decodes but breaks a rule is a warning */
    struct sw_conf_world world;
};

/** One configured component, used by a pipeline or not. */
struct sw_conf_component {
    const char *id;   /**< as the pipelines name it, blanks trimmed: "otlp_grpc/backup" */
    const char *name; /**< what follows the slash, "" without */
    enum sw_component_kind kind;
    const struct sw_component *component;
    void *conf; /**< component->conf_size bytes, decoded */
    struct sw_mark mark;
    bool used; /**< by a pipeline, or in service::extensions */
};

struct sw_conf_pipeline {
    const char *id;   /**< "traces/backend" */
    const char *name; /**< "backend", "" without */
    unsigned signal;  /**< enum sw_signal; 3: profiles */
    struct sw_mark mark;
    /** In the order written; connectors stand among receivers and exporters. Each list holds a
     * component at most once. */
    const struct sw_conf_component **receivers;
    size_t receivers_count;
    const struct sw_conf_component **processors;
    size_t processors_count;
    const struct sw_conf_component **exporters;
    size_t exporters_count;
};

struct sw_conf {
    struct sw_conf_component *components; /**< by kind, then in the order written */
    size_t components_count;
    struct sw_conf_pipeline *pipelines; /**< in the order written */
    size_t pipelines_count;
    const struct sw_conf_component **extensions; /**< service::extensions, each once */
    size_t extensions_count;
    struct sw_service_conf service;
    struct sw_conf_load *load; /**< the loader's own: tree, memory, gates */
};

/** Reads, expands, merges, decodes and checks.
 *
 * @param components  what is built in; borrowed, must outlive the configuration
 * @param ret_conf    the configuration; untouched on failure
 * @param errors      findings are appended, warnings too (also on success)
 * @return 0; SW_E_INVALID when something refuses (errors says what); SW_E_NOMEM
 */
SW_CHECKED int sw_conf_load(
    const struct sw_conf_args *args,
    const struct sw_component *const *components,
    size_t components_count,
    struct sw_conf **ret_conf,
    struct sw_conf_errors *errors
);

/** NULL is legal. */
void sw_conf_free(struct sw_conf *conf);

/** The component of this kind with this ID, or NULL. */
const struct sw_conf_component *
sw_conf_find(const struct sw_conf *conf, enum sw_component_kind kind, const char *id);

/** Where a key of a component stands ("protocols::grpc::endpoint"); the nearest section around it
 * when it is not written. Sources live as long as the configuration. */
struct sw_mark sw_conf_place(
    const struct sw_conf *conf,
    const struct sw_conf_component *component,
    const char *path
);

/** Is a feature gate on (by default or by --feature-gates)? Unknown IDs are off. */
bool sw_conf_gate(const struct sw_conf *conf, const char *id);

struct sw_conf_gate_view {
    const char *id;
    const char *stage; /**< "alpha", "beta", "stable" */
    const char *help;
    bool on; /**< in this configuration */
};

/** The gates in the order of their IDs. @return false behind the last one */
bool sw_conf_gate_at(const struct sw_conf *conf, size_t index, struct sw_conf_gate_view *ret_gate);

enum sw_conf_format {
    SW_CONF_YAML,
    SW_CONF_JSON,
};

/** The effective configuration with all defaults, as print-config shows it.
 *
 * @param redacted  opaque values as [REDACTED]
 * @param ret_text  NUL-terminated, the caller's, of sw_alloc
 * @return 0 or SW_E_NOMEM
 */
SW_CHECKED int sw_conf_print(
    const struct sw_conf *conf,
    enum sw_conf_format format,
    bool redacted,
    char **ret_text
);

#endif
