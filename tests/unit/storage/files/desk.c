#include "tests/unit/storage/files/desk.h"

#include <dirent.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct desk desk;

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    return remove(path);
}

void desk_open(const char *name)
{
    memset(&desk, 0, sizeof(desk));
    desk.wall_ns = BENCH_WALL_NS;
    snprintf(desk.folder, sizeof(desk.folder), "%s", "/tmp/spanweir-files-XXXXXX");
    assert_non_null(mkdtemp(desk.folder));
    snprintf(desk.path, sizeof(desk.path), "%s/%s", desk.folder, name);
    desk.conf = (struct sw_file_conf){.id = "file", .path = desk.path, .json = true};
    assert_int_equal(sw_post_new(2, 8, &desk.post), 0);
    sw_mailbox_bind(sw_post_mailbox(desk.post, 0), &desk);
    assert_int_equal(sw_files_new(desk.post, 1, &desk.account, &desk.files), 0);
}

int desk_make(void)
{
    assert_int_equal(sw_files_add(desk.files, &desk.conf, &desk.file), 0);
    return sw_files_open(desk.files, desk.error, sizeof(desk.error));
}

void desk_close(void)
{
    sw_files_close(desk.files);
    sw_files_free(desk.files);
    sw_post_free(desk.post);
    assert_int_equal(sw_account_charged(&desk.account), 0);
    nftw(desk.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static uint8_t *put(uint8_t *at, uint8_t tag, const void *data, size_t size)
{
    at = bench_put_len(at, tag, (uint32_t)size);
    memcpy(at, data, size);
    return at + size;
}

struct sw_batch *desk_batch(const char *key, const char *value, const char *name)
{
    uint8_t inner[512];
    uint8_t resource[600];
    uint8_t all[2048];
    uint8_t *end = inner;
    size_t resource_size = 0;
    if (value != NULL) {
        uint8_t any[256];
        end = put(any, 0x0a, value, strlen(value));
        size_t any_size = (size_t)(end - any);
        end = put(inner, 0x0a, key, strlen(key));
        end = put(end, 0x12, any, any_size);
        resource_size = (size_t)(put(resource, 0x0a, inner, (size_t)(end - inner)) - resource);
    }
    uint8_t span[256];
    uint8_t scope[300];
    size_t span_size = (size_t)(put(span, 0x2a, name, strlen(name)) - span);
    size_t scope_size = (size_t)(put(scope, 0x12, span, span_size) - scope);
    uint8_t spans[1024];
    end = put(spans, 0x0a, resource, resource_size);
    end = put(end, 0x12, scope, scope_size);
    size_t size = (size_t)(put(all, 0x0a, spans, (size_t)(end - spans)) - all);
    struct sw_buf *buf = sw_buf_copy(&desk.account, all, (uint32_t)size);
    struct sw_batch *batch = sw_batch_new(SW_TRACES);
    assert_int_equal(sw_batch_add_raw(batch, buf, buf->data, buf->size, 1), 0);
    sw_buf_unref(buf);
    return batch;
}

static bool back;

static void returned(struct sw_message *message, void *sender)
{
    back = true;
}

struct sw_file_job desk_write(struct sw_batch *batch)
{
    struct sw_file_job job = {
        .message.returned = returned,
        .file = desk.file,
        .batch = batch,
    };
    back = false;
    sw_file_send(sw_post_mailbox(desk.post, 0), &job);
    assert_int_equal(sw_files_poll(desk.files, desk.wall_ns), 1);
    sw_mailbox_poll(sw_post_mailbox(desk.post, 0), 10);
    assert_true(back);
    sw_batch_free(batch);
    return job;
}

bool desk_read(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", desk.folder, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    desk.text_size = fread(desk.text, 1, sizeof(desk.text) - 1, file);
    desk.text[desk.text_size] = '\0';
    fclose(file);
    return true;
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

unsigned desk_list(char names[][128], unsigned most)
{
    struct dirent **entries = NULL;
    int count = scandir(desk.folder, &entries, is_file, alphasort);
    for (int i = 0; i < count; i++) {
        if ((unsigned)i < most) {
            snprintf(names[i], 128, "%.127s", entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return (unsigned)count;
}
