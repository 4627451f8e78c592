/* Backups: name-2006-01-02T15-04-05.000.ext beside the file, as lumberjack v2 names and counts them. */
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "storage/files/files_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STAMP_BYTES 23
#define DAY_NS      (UINT64_C(86400) * SW_NS_PER_S)

/** A path taken apart: the folder with its slash, the name before the extension, the extension. */
struct parts {
    size_t folder_len;
    size_t stem_len;
    const char *stem;
    const char *extension;
};

static struct parts take_apart(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *stem = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(stem, '.');
    const char *extension = dot != NULL ? dot : stem + strlen(stem);
    return (struct parts){
        .folder_len = (size_t)(stem - path),
        .stem_len = (size_t)(extension - stem),
        .stem = stem,
        .extension = extension,
    };
}

static void stamp(const struct sw_file *file, char out[STAMP_BYTES + 1])
{
    uint64_t wall_ns = file->files->wall_ns;
    time_t seconds = (time_t)(wall_ns / SW_NS_PER_S);
    struct tm tm;
    char text[40];
    if (file->conf.local_time) {
        localtime_r(&seconds, &tm);
    } else {
        gmtime_r(&seconds, &tm);
    }
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H-%M-%S", &tm);
    snprintf(text + len, sizeof(text) - len, ".%03u", (unsigned)(wall_ns / SW_NS_PER_MS % 1000));
    snprintf(out, STAMP_BYTES + 1, "%.*s", STAMP_BYTES, text);
}

int sw_file_backup(struct sw_file *file, const char *path)
{
    struct parts parts = take_apart(path);
    char when[STAMP_BYTES + 1];
    size_t size = strlen(path) + sizeof(when) + 2;
    char *backup = sw_alloc(size);
    if (backup == NULL) {
        errno = ENOMEM;
        return SW_E_SYSTEM;
    }
    stamp(file, when);
    snprintf(
        backup,
        size,
        "%.*s-%s%s",
        (int)(parts.folder_len + parts.stem_len),
        path,
        when,
        parts.extension
    );
    int failed = rename(path, backup);
    sw_free(backup);
    return failed == 0 || errno == ENOENT ? SW_OK : SW_E_SYSTEM;
}

/* ---- old ones ---- */

// @return false: not the name of a backup of ours
static bool read_stamp(
    const struct sw_file *file,
    const struct parts *parts,
    const char *name,
    uint64_t *ret_wall_ns
)
{
    size_t extension_len = strlen(parts->extension);
    if (strlen(name) != parts->stem_len + 1 + STAMP_BYTES + extension_len
        || memcmp(name, parts->stem, parts->stem_len) != 0 || name[parts->stem_len] != '-'
        || strcmp(name + parts->stem_len + 1 + STAMP_BYTES, parts->extension) != 0) {
        return false;
    }
    struct tm tm = {.tm_isdst = -1};
    unsigned ms = 0;
    const char *rest = strptime(name + parts->stem_len + 1, "%Y-%m-%dT%H-%M-%S", &tm);
    if (rest == NULL || sscanf(rest, ".%3u", &ms) != 1) {
        return false;
    }
    time_t seconds = file->conf.local_time ? mktime(&tm) : timegm(&tm);
    *ret_wall_ns = (uint64_t)seconds * SW_NS_PER_S + ms * SW_NS_PER_MS;
    return true;
}

static int by_name_newest_first(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*b)->d_name, (*a)->d_name);
}

static void remove_old(
    const struct sw_file *file,
    const char *folder,
    const struct parts *parts,
    struct dirent **entries,
    int count
)
{
    uint32_t kept = 0;
    uint64_t now_ns = file->files->wall_ns;
    uint64_t age_ns = file->conf.max_days * DAY_NS;
    for (int i = 0; i < count; i++) {
        uint64_t at_ns = 0;
        char path[4096];
        if (!read_stamp(file, parts, entries[i]->d_name, &at_ns)) {
            continue;
        }
        bool too_many = file->conf.max_backups > 0 && kept >= file->conf.max_backups;
        bool too_old = age_ns > 0 && now_ns > age_ns && at_ns < now_ns - age_ns;
        if (!too_many && !too_old) {
            kept++;
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        (void)unlink(path); // the next turn tries again
    }
}

// The stamps are in order as texts, so the newest are the last names.
void sw_file_prune(struct sw_file *file, const char *path)
{
    struct parts parts = take_apart(path);
    struct dirent **entries = NULL;
    if (file->conf.max_backups == 0 && file->conf.max_days == 0) {
        return;
    }
    char *folder = parts.folder_len > 0 ? sw_strndup(path, parts.folder_len) : sw_strdup(".");
    if (folder == NULL) {
        return;
    }
    int count = scandir(folder, &entries, NULL, by_name_newest_first);
    if (count >= 0) {
        remove_old(file, folder, &parts, entries, count);
    }
    for (int i = 0; i < count; i++) {
        free(entries[i]); // scandir's
    }
    free(entries);
    sw_free(folder);
}

void sw_file_make_folder(const char *path, unsigned mode)
{
    char *folder = sw_strdup(path);
    if (folder == NULL) {
        return;
    }
    for (char *at = strchr(folder + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(folder, mode); // what is missing in the end shows when the file is opened
        *at = '/';
    }
    sw_free(folder);
}
