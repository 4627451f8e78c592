// sw-sink: a backend for OTLP/gRPC and OTLP/HTTP (both on one port) that counts spans, data points
// and records, and records spans.
#include "perf/loadgen/sink.h"

#include "perf/loadgen/json.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static volatile sig_atomic_t ended;
static volatile sig_atomic_t asked;

static void on_signal(int number)
{
    if (number == SIGUSR1) {
        asked = 1;
    } else {
        ended = 1;
    }
}

static const char usage[] =
    "sw-sink [options] HOST:PORT\n"
    "  takes OTLP over gRPC (h2c) and HTTP/1.1, plain, gzip or zstd; port 0 takes a free one\n"
    "  \"spans\" in its words are also data points and log records\n"
    "  prints {\"listening\": ...} at the start and a JSON summary on SIGTERM or SIGINT;\n"
    "  SIGUSR1 prints the counts so far\n"
    "\n"
    "  --control HOST:PORT   HTTP: GET /counts; GET "
    "/set?delay=1s&hang=1&refuse=14&retry=2s&rate=5k\n"
    "  --record FILE         trace and span IDs in the order they were taken (protobuf only)\n"
    "  --delay T             wait before each answer\n"
    "  --hang                read everything, answer nothing\n"
    "  --refuse CODE         gRPC status of every answer (HTTP: what it maps to)\n"
    "  --refuse-http STATUS  HTTP status of refusals over HTTP/1.1\n"
    "  --refuse-share SHARE  only that part of the requests (1)\n"
    "  --retry T             tell refused senders to come back after T (RetryInfo, Retry-After)\n"
    "  --rate N              take at most N spans a second; answers wait for their turn\n"
    "  --queue N             requests that may wait for it, more are refused as UNAVAILABLE "
    "(1000)\n"
    "  --window BYTES        HTTP/2 stream window (4194304)\n"
    "  --summary FILE        instead of standard output\n";

static bool set(struct sw_lg_sink_options *options, const char *name, const char *text)
{
    if (!strcmp(name, "delay")) {
        options->delay_ns = sw_lg_parse_ns(name, text);
    } else if (!strcmp(name, "hang")) {
        options->hang = strcmp(text, "0") != 0;
    } else if (!strcmp(name, "refuse")) {
        options->refuse = atoi(text);
    } else if (!strcmp(name, "refuse-http")) {
        options->refuse_http = atoi(text);
    } else if (!strcmp(name, "refuse-share")) {
        options->refuse_share = sw_lg_parse_share(name, text);
    } else if (!strcmp(name, "retry")) {
        options->has_retry_delay = strcmp(text, "off") != 0;
        options->retry_delay_ns = options->has_retry_delay ? sw_lg_parse_ns(name, text) : 0;
    } else if (!strcmp(name, "rate")) {
        options->max_rate = (double)sw_lg_parse_count(name, text);
    } else if (!strcmp(name, "queue")) {
        options->queue_max = sw_lg_parse_count(name, text);
    } else if (!strcmp(name, "window")) {
        options->window = (uint32_t)sw_lg_parse_count(name, text);
    } else {
        return false;
    }
    return true;
}

static void append(struct sw_lg_bytes *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(struct sw_lg_bytes *out, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sw_lg_bytes_put(out, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

void sw_lg_sink_counts(const struct sw_lg_sink *sink, struct sw_lg_bytes *out)
{
    double cpu = sw_lg_cpu_seconds();
    double seconds = sink->begin_ns ? (double)(sw_lg_now() - sink->begin_ns) / 1e9 : 0;
    uint64_t seen = sink->spans + sink->spans_refused;
    append(
        out,
        "{\"seconds\": %.3f, \"spans\": %" PRIu64 ", \"requests\": %" PRIu64
        ", \"body_bytes\": %" PRIu64 ", \"spans_refused\": %" PRIu64
        ", \"requests_refused\": %" PRIu64 ", \"bad_requests\": %" PRIu64,
        seconds,
        sink->spans,
        sink->requests,
        sink->body_bytes,
        sink->spans_refused,
        sink->requests_refused,
        sink->bad_requests
    );
    append(
        out,
        ", \"unanswered\": %" PRIu64 ", \"waiting\": %" PRIu64 ", \"waiting_max\": %" PRIu64
        ", \"connections\": %" PRIu64 ", \"accepted_connections\": %" PRIu64
        ", \"cpu_seconds\": %.3f, \"cpu_seconds_per_million\": %.4f, \"peak_rss_kib\": %ld}\n",
        sink->unanswered,
        sink->pending_count,
        sink->waiting_max,
        sink->connections,
        sink->accepted_connections,
        cpu,
        seen ? cpu * 1e6 / (double)seen : 0,
        sw_lg_peak_rss_kib()
    );
}

// GET /counts, GET /set?name=value&...
void sw_lg_sink_control(struct sw_lg_peer *peer, char *target)
{
    struct sw_lg_bytes body = {0};
    const char *status = "200 OK";
    char *query = strchr(target, '?');
    if (query) {
        *query++ = 0;
    }
    if (!strcmp(target, "/set") && query) {
        char *saved;
        for (char *pair = strtok_r(query, "&", &saved); pair; pair = strtok_r(NULL, "&", &saved)) {
            char *value = strchr(pair, '=');
            if (value) {
                *value++ = 0;
            }
            if (!value || !set(&peer->sink->options, pair, value)) {
                status = "400 Bad Request";
            }
        }
    } else if (strcmp(target, "/counts") != 0) {
        status = "404 Not Found";
    }
    sw_lg_sink_counts(peer->sink, &body);
    append(
        &peer->output,
        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        status,
        body.len
    );
    sw_lg_bytes_put(&peer->output, body.data, body.len);
    sw_lg_bytes_free(&body);
}

static struct sw_lg_pending *new_pending(struct sw_lg_sink *sink)
{
    struct sw_lg_pending *pending = sink->spare;
    if (pending) {
        sink->spare = pending->next;
    } else {
        pending = sw_lg_alloc(1, sizeof(*pending));
    }
    pending->next = NULL;
    pending->ids.len = 0;
    return pending;
}

// What a backend does with the spans happens here, whether or not the sender waits for the answer.
static void settle(struct sw_lg_sink *sink, struct sw_lg_pending *pending)
{
    if (pending->code == 0) {
        sink->spans += pending->spans;
        sink->requests++;
        sink->body_bytes += pending->bytes;
        if (sink->record) {
            fwrite(pending->ids.data, 1, pending->ids.len, sink->record);
        }
    } else {
        sink->spans_refused += pending->spans;
        sink->requests_refused++;
    }
    struct sw_lg_peer *peer = pending->connection < 0 ? NULL : sink->peers[pending->connection];
    if (!peer || peer->fd < 0 || peer->generation != pending->generation) {
        sink->unanswered++;
    } else if (peer->kind == SW_LG_PEER_H2) {
        sw_lg_sink_h2_answer(peer, pending->stream, pending->code);
    } else {
        sw_lg_sink_h1_answer(peer, pending->code);
    }
    pending->next = sink->spare;
    sink->spare = pending;
}

// Looks into a body that could not be counted as its bytes came.
static void count_body(struct sw_lg_sink *sink, struct sw_lg_stream *stream)
{
    const struct sw_lg_bytes *plain = &stream->body;
    if (stream->codec != SW_LG_PLAIN) {
        plain = &sink->plain;
        if (!sw_lg_unpack(&sink->unpacker, stream->codec, &stream->body, &sink->plain)) {
            stream->bad = true;
            return;
        }
    }
    sw_lg_walk_begin(&stream->walk, stream->signal, stream->json ? 0 : plain->len, sink->record);
    if (!stream->json) {
        sw_lg_walk_feed(&stream->walk, plain->data, plain->len);
    } else if (!sw_lg_json_count(stream->signal, plain->data, plain->len, &stream->walk.spans)) {
        stream->bad = true;
    }
}

static int answer_code(struct sw_lg_sink *sink)
{
    const struct sw_lg_sink_options *options = &sink->options;
    sink->random = sink->random * 6364136223846793005ull + 1442695040888963407ull;
    if (options->refuse
        && (double)(sink->random >> 11) / 9007199254740992.0 < options->refuse_share) {
        return options->refuse;
    }
    return options->max_rate > 0 && sink->pending_count >= options->queue_max ? 14 : 0;
}

static uint64_t answer_time(struct sw_lg_sink *sink, const struct sw_lg_pending *pending)
{
    uint64_t now_ns = sw_lg_now();
    uint64_t due_ns = now_ns + sink->options.delay_ns;
    if (sink->options.max_rate > 0 && pending->code == 0) {
        if (sink->busy_until_ns < now_ns) {
            sink->busy_until_ns = now_ns;
        }
        sink->busy_until_ns += (uint64_t)(1e9 * (double)pending->spans / sink->options.max_rate);
        due_ns = sink->busy_until_ns + sink->options.delay_ns;
    }
    return due_ns;
}

void sw_lg_sink_request(struct sw_lg_peer *peer, struct sw_lg_stream *stream)
{
    struct sw_lg_sink *sink = peer->sink;
    if (!sink->begin_ns) {
        sink->begin_ns = sw_lg_now();
    }
    if ((stream->json || stream->codec != SW_LG_PLAIN) && !stream->bad) {
        count_body(sink, stream);
    }
    struct sw_lg_pending *pending = new_pending(sink);
    pending->connection = peer->index;
    pending->generation = peer->generation;
    pending->stream = stream->id;
    pending->spans = stream->walk.spans;
    pending->bytes = stream->bytes;
    if (stream->bad || !sw_lg_walk_complete(&stream->walk)) {
        pending->code = 3;
        sink->bad_requests++;
    } else {
        pending->code = answer_code(sink);
    }
    if (sink->record) {
        struct sw_lg_bytes swap = pending->ids;
        pending->ids = stream->walk.ids;
        stream->walk.ids = swap;
        stream->walk.ids.len = 0;
    }
    pending->due_ns = answer_time(sink, pending);
    if (!sink->options.hang && !sink->first && !sink->options.delay_ns
        && pending->due_ns <= sw_lg_now()) {
        settle(sink, pending);
        return;
    }
    if (sink->last) {
        sink->last->next = pending;
    } else {
        sink->first = pending;
    }
    sink->last = pending;
    sink->pending_count++;
    if (sink->pending_count > sink->waiting_max) {
        sink->waiting_max = sink->pending_count;
    }
}

// Answers what is due; returns the milliseconds until the next answer, -1 for none.
static int settle_due(struct sw_lg_sink *sink)
{
    struct sw_lg_pending **at = &sink->first;
    struct sw_lg_pending *before = NULL;
    uint64_t next_ns = UINT64_MAX;
    uint64_t now_ns = sw_lg_now();
    while (*at && !sink->options.hang) {
        struct sw_lg_pending *pending = *at;
        if (pending->due_ns > now_ns) {
            next_ns = pending->due_ns < next_ns ? pending->due_ns : next_ns;
            before = pending;
            at = &pending->next;
            continue;
        }
        *at = pending->next;
        if (sink->last == pending) {
            sink->last = before;
        }
        sink->pending_count--;
        struct sw_lg_peer *peer = pending->connection < 0 ? NULL : sink->peers[pending->connection];
        settle(sink, pending);
        if (peer && peer->fd >= 0) {
            if (peer->kind == SW_LG_PEER_H1) {
                sw_lg_sink_h1_feed(peer);
            }
            sw_lg_peer_flush(peer);
        }
    }
    return next_ns == UINT64_MAX ? -1 : (int)((next_ns - now_ns) / 1000000 + 1);
}

static void print_counts(const struct sw_lg_sink *sink, const char *path)
{
    struct sw_lg_bytes text = {0};
    FILE *out = path ? fopen(path, "w") : stdout;
    if (!out) {
        sw_lg_die("cannot write %s", path ? path : "to standard output");
    }
    sw_lg_sink_counts(sink, &text);
    fwrite(text.data, 1, text.len, out);
    fflush(out);
    if (out != stdout) {
        fclose(out);
    }
    sw_lg_bytes_free(&text);
}

enum option_code { OPT_CONTROL = 1000, OPT_RECORD, OPT_SUMMARY, OPT_HANG, OPT_HELP, OPT_OTHER };

static const struct option long_options[] = {
    {"control", 1, 0, OPT_CONTROL},
    {"record", 1, 0, OPT_RECORD},
    {"summary", 1, 0, OPT_SUMMARY},
    {"hang", 0, 0, OPT_HANG},
    {"help", 0, 0, OPT_HELP},
    {"delay", 1, 0, OPT_OTHER},
    {"refuse", 1, 0, OPT_OTHER},
    {"refuse-http", 1, 0, OPT_OTHER},
    {"refuse-share", 1, 0, OPT_OTHER},
    {"retry", 1, 0, OPT_OTHER},
    {"rate", 1, 0, OPT_OTHER},
    {"queue", 1, 0, OPT_OTHER},
    {"window", 1, 0, OPT_OTHER},
    {0, 0, 0, 0},
};

struct settings {
    const char *address;
    const char *control;
    const char *summary;
};

static void parse(struct sw_lg_sink *sink, struct settings *settings, int argc, char **argv)
{
    int code;
    int at;
    sink->options = (struct sw_lg_sink_options){
        .refuse_share = 1,
        .queue_max = 1000,
        .window = 4u << 20,
    };
    while ((code = getopt_long(argc, argv, "", long_options, &at)) != -1) {
        switch (code) {
        case OPT_CONTROL:
            settings->control = optarg;
            break;
        case OPT_RECORD:
            sink->options.record_path = optarg;
            break;
        case OPT_SUMMARY:
            settings->summary = optarg;
            break;
        case OPT_HANG:
            sink->options.hang = true;
            break;
        case OPT_HELP:
            fputs(usage, stdout);
            exit(0);
        case OPT_OTHER:
            set(&sink->options, long_options[at].name, optarg);
            break;
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind != argc - 1) {
        fputs(usage, stderr);
        exit(2);
    }
    settings->address = argv[optind];
}

static int listen_at(struct sw_lg_sink *sink, const char *text, void *tag, uint16_t *ret_port)
{
    char host[64];
    uint16_t port;
    sw_lg_parse_address(text, host, &port);
    int fd = sw_lg_tcp_listen(host, port, ret_port);
    if (fd < 0) {
        sw_lg_die("cannot listen at %s: %s", text, strerror(errno));
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};
    epoll_ctl(sink->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    return fd;
}

int main(int argc, char **argv)
{
    static struct sw_lg_sink sink;
    static int listener;
    static int control = -1;
    struct settings settings = {0};
    uint16_t port;
    uint16_t control_port = 0;
    parse(&sink, &settings, argc, argv);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    // Signals come in only while epoll waits: none can slip in between the test and the wait.
    sigset_t blocked;
    sigset_t open_signals;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &open_signals);
    sink.peers_max = 16384;
    sink.peers = sw_lg_alloc(sink.peers_max, sizeof(*sink.peers));
    sw_lg_unpacker_init(&sink.unpacker);
    sink.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (sink.options.record_path) {
        struct sw_lg_record_header header = {
            .magic = SW_LG_RECEIVED_MAGIC, .record_size = sizeof(struct sw_lg_received)};
        sink.record = sw_lg_record_create(sink.options.record_path, &header);
    }
    listener = listen_at(&sink, settings.address, &listener, &port);
    if (settings.control) {
        control = listen_at(&sink, settings.control, &control, &control_port);
    }
    printf("{\"listening\": %u, \"control\": %u}\n", port, control_port);
    fflush(stdout);
    int wait_ms = -1;
    while (!ended) {
        struct epoll_event events[64];
        int count = epoll_pwait(sink.epoll_fd, events, 64, wait_ms, &open_signals);
        for (int i = 0; i < count; i++) {
            void *tag = events[i].data.ptr;
            if (tag == &listener || tag == &control) {
                sw_lg_sink_accept(&sink, *(int *)tag, tag == &control);
            } else {
                sw_lg_peer_event(tag, events[i].events);
            }
        }
        wait_ms = sink.first ? settle_due(&sink) : -1;
        if (asked) {
            asked = 0;
            print_counts(&sink, NULL);
        }
    }
    if (sink.record) {
        sw_lg_record_close(sink.record, sink.options.record_path);
    }
    print_counts(&sink, settings.summary);
    return 0;
}
