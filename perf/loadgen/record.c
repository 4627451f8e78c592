#include "perf/loadgen/record.h"

#include "perf/loadgen/common.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

FILE *sw_lg_record_create(const char *path, const struct sw_lg_record_header *header)
{
    FILE *file = fopen(path, "wb");
    if (!file || setvbuf(file, NULL, _IOFBF, 1 << 20)
        || fwrite(header, sizeof(*header), 1, file) != 1) {
        sw_lg_die("cannot write %s", path);
    }
    return file;
}

void sw_lg_record_close(FILE *file, const char *path)
{
    bool failed = ferror(file) != 0;
    if (fclose(file) || failed) {
        sw_lg_die("cannot write %s", path);
    }
}

const void *sw_lg_record_map(
    const char *path,
    const char magic[8],
    uint32_t record_size,
    const struct sw_lg_record_header **ret_header,
    uint64_t *ret_count
)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status)) {
        sw_lg_die("cannot read %s", path);
    }
    size_t size = (size_t)status.st_size;
    if (size < sizeof(struct sw_lg_record_header)) {
        sw_lg_die("%s is not a record file", path);
    }
    const struct sw_lg_record_header *header =
        mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    close(fd);
    if (header == MAP_FAILED) {
        sw_lg_die("cannot map %s", path);
    }
    size -= sizeof(*header);
    if (memcmp(header->magic, magic, 8) || header->record_size != record_size
        || size % record_size) {
        sw_lg_die("%s is not a whole %.8s file", path, magic);
    }
    *ret_header = header;
    *ret_count = size / record_size;
    return header + 1;
}
