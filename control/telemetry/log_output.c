#include "control/telemetry/log_output_internal.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// How long the end waits for a reader that still reads.
#define CLOSE_WAIT_NS (500 * SW_NS_PER_MS)

/* ---- opening ---- */

static int
open_output(struct sw_log_output *output, const char *path, char *error, size_t error_size)
{
    output->path = path;
    if (strcmp(path, "stdout") == 0) {
        output->fd = STDOUT_FILENO;
        return SW_OK;
    }
    if (strcmp(path, "stderr") == 0) {
        output->fd = STDERR_FILENO;
        return SW_OK;
    }
    const char *file = path;
    if (strncmp(path, "file://", 7) == 0) {
        file += strncmp(path + 7, "localhost/", 10) == 0 ? 16 : 7;
    }
    output->fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0666);
    if (output->fd < 0) {
        snprintf(error, error_size, "open sink \"%s\": open %s: %s", path, file, strerror(errno));
        return SW_E_SYSTEM;
    }
    output->owned = true;
    return SW_OK;
}

int sw_log_outputs_open(
    struct sw_log_outputs *outputs,
    const struct sw_list *paths,
    const struct sw_list *error_paths,
    char *error,
    size_t error_size
)
{
    size_t count = paths->count + error_paths->count;
    outputs->items = sw_zalloc(count * sizeof(*outputs->items));
    if (outputs->items == NULL) {
        return SW_E_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        outputs->items[i].fd = -1;
    }
    int err = SW_OK;
    for (size_t i = 0; err == SW_OK && i < count; i++) {
        bool for_errors = i >= paths->count;
        const char *path = for_errors ? SW_LIST_AT(*error_paths, const char *, i - paths->count)
                                      : SW_LIST_AT(*paths, const char *, i);
        err = open_output(&outputs->items[i], path, error, error_size);
        if (err == SW_OK && for_errors) {
            outputs->errors_count++;
        } else if (err == SW_OK) {
            outputs->count++;
        }
    }
    if (err != SW_OK) {
        sw_log_outputs_close(outputs);
    }
    return err;
}

/* ---- writing ---- */

// A pipe that polls writable takes PIPE_BUF bytes at once; so no write waits, and the descriptor,
// which others may share, keeps its flags.
static bool is_writable(int fd, int wait_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, wait_ms) > 0;
}

// @return bytes taken; *ret_errno is not 0 when the output is broken
static size_t write_some(int fd, const char *data, size_t len, int *ret_errno)
{
    size_t done = 0;
    *ret_errno = 0;
    while (done < len && is_writable(fd, 0)) {
        ssize_t count = write(fd, data + done, SW_MIN(len - done, (size_t)PIPE_BUF));
        if (count >= 0) {
            done += (size_t)count;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            *ret_errno = errno;
            break;
        }
    }
    return done;
}

// An output is broken: said once, where errors of the log go.
static void tell_failure(struct sw_log_outputs *outputs, const struct sw_log_output *output)
{
    char text[512];
    int len = snprintf(
        text,
        sizeof(text),
        "write error: write %s: %s\n",
        output->path,
        strerror(output->failed_errno)
    );
    len = SW_MIN(len, (int)sizeof(text) - 1);
    for (size_t i = outputs->count; i < outputs->count + outputs->errors_count; i++) {
        int number;
        write_some(outputs->items[i].fd, text, (size_t)len, &number);
    }
}

static void note_failure(struct sw_log_outputs *outputs, struct sw_log_output *output, int number)
{
    bool is_new = number != 0 && number != output->failed_errno;
    output->failed_errno = number;
    if (is_new) {
        tell_failure(outputs, output);
    }
}

static size_t waiting_bytes(const struct sw_log_output *output)
{
    return output->backlog.len - output->done;
}

static void flush_output(struct sw_log_outputs *outputs, struct sw_log_output *output)
{
    if (waiting_bytes(output) == 0) {
        return;
    }
    int number;
    const char *data = output->backlog.data + output->done;
    output->done += write_some(output->fd, data, waiting_bytes(output), &number);
    note_failure(outputs, output, number);
    if (waiting_bytes(output) == 0 || number != 0) {
        sw_string_fini(&output->backlog);
        output->done = 0;
    } else if (output->done > output->backlog.len / 2) {
        size_t left = waiting_bytes(output);
        memmove(output->backlog.data, output->backlog.data + output->done, left);
        output->backlog.len = left;
        output->done = 0;
    }
}

static void write_output(
    struct sw_log_outputs *outputs,
    struct sw_log_output *output,
    const char *line,
    size_t len
)
{
    size_t done = 0;
    if (waiting_bytes(output) == 0) {
        int number;
        done = write_some(output->fd, line, len, &number);
        note_failure(outputs, output, number);
        if (number != 0) {
            outputs->dropped_count++;
            return;
        }
    }
    // The rest of a line that was begun goes in, whatever its length.
    if (done == len) {
        return;
    }
    if (done == 0 && waiting_bytes(output) + len > SW_LOG_BACKLOG_BYTES_MAX) {
        outputs->dropped_count++;
        return;
    }
    sw_string_add(&output->backlog, line + done, len - done);
    if (output->backlog.failed) {
        output->backlog.failed = false;
        outputs->dropped_count++;
    }
}

void sw_log_outputs_write(struct sw_log_outputs *outputs, const char *line, size_t len)
{
    for (size_t i = 0; i < outputs->count; i++) {
        write_output(outputs, &outputs->items[i], line, len);
    }
}

void sw_log_outputs_flush(struct sw_log_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        flush_output(outputs, &outputs->items[i]);
    }
}

void sw_log_outputs_drop(struct sw_log_outputs *outputs)
{
    outputs->dropped_count++;
}

uint64_t sw_log_outputs_take_dropped(struct sw_log_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        const struct sw_log_output *output = &outputs->items[i];
        if (waiting_bytes(output) > 0 || output->failed_errno != 0) {
            return 0;
        }
    }
    uint64_t count = outputs->dropped_count - outputs->told_count;
    outputs->told_count = outputs->dropped_count;
    return count;
}

/* ---- the end ---- */

static void
finish_output(struct sw_log_outputs *outputs, struct sw_log_output *output, uint64_t deadline_ns)
{
    while (waiting_bytes(output) > 0) {
        uint64_t now_ns = sw_clock_ns();
        if (now_ns >= deadline_ns) {
            break;
        }
        if (is_writable(output->fd, (int)((deadline_ns - now_ns) / SW_NS_PER_MS) + 1)) {
            flush_output(outputs, output);
        }
    }
}

void sw_log_outputs_close(struct sw_log_outputs *outputs)
{
    uint64_t deadline_ns = sw_clock_ns() + CLOSE_WAIT_NS;
    for (size_t i = 0; i < outputs->count; i++) {
        finish_output(outputs, &outputs->items[i], deadline_ns);
    }
    for (size_t i = 0; i < outputs->count + outputs->errors_count; i++) {
        struct sw_log_output *output = &outputs->items[i];
        sw_string_fini(&output->backlog);
        if (output->owned) {
            close(output->fd);
        }
    }
    sw_free(outputs->items);
    *outputs = (struct sw_log_outputs){0};
}
