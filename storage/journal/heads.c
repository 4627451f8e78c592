#include "storage/journal/heads.h"

#include "dataplane/base/crc32c.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define CELL_BYTES 64

struct cell {
    uint32_t crc; // of what follows
    char magic[4];
    uint64_t values[7]; // head: transaction; queue: number, ID, released_below, dispatched
};

static const char magic[4] = {'S', 'W', 'H', '1'};

static void seal(struct cell *cell)
{
    _Static_assert(sizeof(struct cell) == CELL_BYTES, "the form of the file");
    memcpy(cell->magic, magic, sizeof(magic));
    cell->crc = sw_crc32c(0, cell->magic, sizeof(*cell) - sizeof(cell->crc));
}

static bool sound(const struct cell *cell)
{
    return memcmp(cell->magic, magic, sizeof(magic)) == 0
           && cell->crc == sw_crc32c(0, cell->magic, sizeof(*cell) - sizeof(cell->crc));
}

static int open_with(struct sw_heads *heads, const char *path, int flags)
{
    struct cell cells[SW_STORE_QUEUES_MAX + 1];
    *heads = (struct sw_heads){.queues_count = 1};
    heads->fd = open(path, flags | O_CLOEXEC, 0600);
    if (heads->fd < 0) {
        return SW_E_STORAGE;
    }
    ssize_t got = pread(heads->fd, cells, sizeof(cells), 0);
    size_t count = got > 0 ? (size_t)got / sizeof(cells[0]) : 0;
    if (count > 0 && sound(&cells[0])) {
        heads->valid = true;
        heads->txn_id = cells[0].values[0];
    }
    for (size_t i = 1; i < count; i++) {
        if (sound(&cells[i]) && cells[i].values[0] == i) {
            const uint64_t *values = cells[i].values;
            heads->queues[i] = (struct sw_head){true, values[1], values[2], values[3]};
            heads->queues_count = (unsigned)i + 1;
        }
    }
    return SW_OK;
}

int sw_heads_open(struct sw_heads *heads, const char *path)
{
    return open_with(heads, path, O_RDWR | O_CREAT);
}

int sw_heads_read(struct sw_heads *heads, const char *path)
{
    int err = open_with(heads, path, O_RDONLY);
    sw_heads_close(heads);
    return err;
}

uint64_t sw_heads_id_sum(const char *exporter, enum sw_signal signal)
{
    uint8_t kind = (uint8_t)signal;
    return (uint64_t)sw_crc32c(0, exporter, strlen(exporter)) << 8 | kind;
}

void sw_heads_write(struct sw_heads *heads)
{
    struct cell cells[SW_STORE_QUEUES_MAX + 1];
    size_t size = heads->queues_count * sizeof(cells[0]);
    memset(cells, 0, size);
    cells[0].values[0] = heads->txn_id;
    seal(&cells[0]);
    for (unsigned i = 1; i < heads->queues_count; i++) {
        if (heads->queues[i].valid) {
            cells[i].values[0] = i;
            cells[i].values[1] = heads->queues[i].id_sum;
            cells[i].values[2] = heads->queues[i].released_below;
            cells[i].values[3] = heads->queues[i].dispatched;
            seal(&cells[i]);
        }
    }
    heads->valid = true;
    (void)!pwrite(heads->fd, cells, size, 0);
}

void sw_heads_close(struct sw_heads *heads)
{
    if (heads->fd >= 0) {
        close(heads->fd);
    }
    heads->fd = -1;
}
