/* Whole loads with the components of the binary. NUL characters cut the input into parts: the first
 * configuration, a second one over it, the variables A and B, the file "f", a value of --set. What is
 * accepted can be printed, and what is printed is YAML again. */
#include "control/conf/conf_internal.h"
#include "control/service/service.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/mem.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum part {
    PART_CONFIG,
    PART_OVER,
    PART_A,
    PART_B,
    PART_FILE,
    PART_SET,
    PARTS_COUNT,
};

static const char *read_env(void *context, const char *name)
{
    char *const *parts = context;
    return strcmp(name, "A") == 0 ? parts[PART_A] : strcmp(name, "B") == 0 ? parts[PART_B] : NULL;
}

static int read_file(void *context, const char *path, char **ret_data, size_t *ret_len)
{
    char *const *parts = context;
    const char *text = strcmp(path, "one") == 0   ? parts[PART_CONFIG]
                       : strcmp(path, "two") == 0 ? parts[PART_OVER]
                       : strcmp(path, "f") == 0   ? parts[PART_FILE]
                                                  : NULL;
    if (text == NULL) {
        return ENOENT;
    }
    *ret_data = sw_strdup(text);
    *ret_len = strlen(text);
    return *ret_data == NULL ? ENOMEM : 0;
}

static void print(const struct sw_conf *conf, enum sw_conf_format format)
{
    struct sw_arena arena = {0};
    struct sw_yaml_problem problem = {0};
    struct sw_node *node = NULL;
    char *text = NULL;
    SW_ASSERT(sw_conf_print(conf, format, false, &text) == SW_OK);
    SW_ASSERT(sw_yaml_parse(&arena, "printed", text, strlen(text), &node, &problem) == SW_OK);
    SW_ASSERT(node->kind == SW_NODE_MAP);
    sw_arena_fini(&arena);
    sw_free(text);
}

static void load(struct sw_conf_args *args)
{
    struct sw_conf_errors errors = {0};
    struct sw_conf *conf = NULL;
    int err = sw_conf_load(args, sw_registry, sw_registry_count, &conf, &errors);
    SW_ASSERT(err == SW_OK || err == SW_E_INVALID);
    SW_ASSERT((err == SW_OK) == (conf != NULL) && (err == SW_OK) == (errors.refused_count == 0));
    for (size_t i = 0; i < errors.count; i++) {
        char text[64];
        SW_ASSERT(sw_conf_error_format(&errors.items[i], text, sizeof(text)) > 0);
    }
    if (conf != NULL) {
        print(conf, SW_CONF_YAML);
        print(conf, SW_CONF_JSON);
    }
    sw_conf_free(conf);
    sw_conf_errors_fini(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *parts[PARTS_COUNT] = {NULL};
    char *copy = sw_strndup((const char *)data, size);
    SW_ASSERT(copy != NULL);
    size_t at = 0;
    for (int i = 0; i < PARTS_COUNT && at < size; i++) {
        parts[i] = copy + at;
        // The copy ends with a NUL of its own.
        at += strlen(copy + at) + 1;
    }
    const char *const configs[] = {"one", "two"};
    const char *const sets[] = {parts[PART_SET]};
    struct sw_conf_args args = {
        .configs = configs,
        .configs_count = parts[PART_OVER] != NULL && parts[PART_OVER][0] != '\0' ? 2 : 1,
        .sets = sets,
        .sets_count = parts[PART_SET] != NULL,
        .purpose = SW_CONF_START,
        .world = {.context = parts, .env = read_env, .read_file = read_file},
    };
    if (parts[PART_CONFIG] != NULL) {
        load(&args);
        args.purpose = SW_CONF_PRINT;
        args.print_invalid = true;
        load(&args);
    }
    sw_free(copy);
    return 0;
}
