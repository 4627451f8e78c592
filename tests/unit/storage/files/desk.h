/* An actor that is stepped by hand, a sender, and a folder of their own. */
#ifndef SW_TESTS_FILES_DESK_H
#define SW_TESTS_FILES_DESK_H

#include "storage/files/files.h"
#include "tests/lib/bench.h"

#define DESK_TEXT_MAX (1u << 20)

struct desk {
    struct sw_account account;
    struct sw_post *post;
    struct sw_files *files;
    struct sw_file *file;
    struct sw_file_conf conf;
    uint64_t wall_ns;
    char folder[64];
    char path[256];
    char text[DESK_TEXT_MAX];
    size_t text_size;
    char error[512];
};

extern struct desk desk;

/** A fresh folder; conf is JSON without anything else, to `name` in it. */
void desk_open(const char *name);
/** The file is made and opened. @return of sw_files_open */
int desk_make(void);
/** Closes everything and removes the folder. */
void desk_close(void);

/** A request with one resource of one attribute (none with value NULL) and one span by name. */
struct sw_batch *desk_batch(const char *key, const char *value, const char *name);
/** Sends, steps and waits for the answer. The batch is freed. */
struct sw_file_job desk_write(struct sw_batch *batch);

/** Reads a file of the folder into desk.text. @return false: there is none */
bool desk_read(const char *name);
/** Files in the folder (not below), in order of names. */
unsigned desk_list(char names[][128], unsigned most);

#endif
