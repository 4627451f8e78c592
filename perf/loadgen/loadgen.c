// sw-loadgen: sends OTLP over gRPC or HTTP and keeps account of every span, data point and record.
#include "perf/loadgen/client.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t asked;

static void on_signal(int number)
{
    if (number == SIGUSR1) {
        asked = 1;
    } else {
        interrupted++;
    }
}

static const char usage[] =
    "sw-loadgen [options] HOST:PORT\n"
    "  sends OTLP and prints a JSON summary; SIGUSR1 prints a progress line\n"
    "\n"
    "how much     --spans N | --duration T      total spans (k, M), or how long (s, ms, m)\n"
    "             --rate N                      spans a second; without it: full speed\n"
    "connections  --connections N (4)  --streams N (4)  requests in flight on each\n"
    "             --protocol grpc|http (grpc)   http has one request in flight a connection\n"
    "             --codec identity|gzip|zstd (identity)  --codec-level N (1)  --gzip: --codec "
    "gzip\n"
    "             --timeout T (10s)             a request without an answer is given up\n"
    "what         --signal traces|metrics|logs (traces)   a span of the other options is a data\n"
    "                                           point or a record then\n"
    "             --json                        OTLP/JSON, over HTTP\n"
    "             --prepared N                  that many requests, built before the start, are "
    "sent\n"
    "                                           over and over (16 for metrics, logs and JSON, "
    "which\n"
    "                                           have no other manner; IDs repeat: no --record)\n"
    "spans        --span-size BYTES (800)  --request N (500 spans)  --resources N (5)\n"
    "             --order ascending|reversed    field order on the wire\n"
    "traces       --per-trace N (10)  --errors SHARE  --slow SHARE  (1%, 0.01)\n"
    "             --late SHARE  --late-by T     last spans that come after a pause\n"
    "             --scatter REQUESTS            each span of a trace that many requests after\n"
    "                                           the one before; without it a trace is whole\n"
    "             --seed N (1)\n"
    "refusals     --on-refusal retry|drop|stop (drop)\n"
    "             --backoff T (200ms)  --backoff-max T (5s)  --retry-for T (300s)\n"
    "output       --record FILE  --summary FILE (standard output)  --progress T\n"
    "             --drain T (30s)               how long the end waits for answers\n";

enum option_code {
    OPT_SPANS = 1000,
    OPT_DURATION,
    OPT_RATE,
    OPT_CONNECTIONS,
    OPT_STREAMS,
    OPT_PROTOCOL,
    OPT_GZIP,
    OPT_CODEC,
    OPT_CODEC_LEVEL,
    OPT_SIGNAL,
    OPT_JSON,
    OPT_PREPARED,
    OPT_TIMEOUT,
    OPT_SPAN_SIZE,
    OPT_REQUEST,
    OPT_RESOURCES,
    OPT_ORDER,
    OPT_PER_TRACE,
    OPT_ERRORS,
    OPT_SLOW,
    OPT_LATE,
    OPT_LATE_BY,
    OPT_SCATTER,
    OPT_SEED,
    OPT_ON_REFUSAL,
    OPT_BACKOFF,
    OPT_BACKOFF_MAX,
    OPT_RETRY_FOR,
    OPT_RECORD,
    OPT_SUMMARY,
    OPT_PROGRESS,
    OPT_DRAIN,
    OPT_HELP,
};

// clang-format off
static const struct option long_options[] = {
    {"spans", 1, 0, OPT_SPANS}, {"duration", 1, 0, OPT_DURATION}, {"rate", 1, 0, OPT_RATE},
    {"connections", 1, 0, OPT_CONNECTIONS}, {"streams", 1, 0, OPT_STREAMS},
    {"protocol", 1, 0, OPT_PROTOCOL}, {"gzip", 0, 0, OPT_GZIP}, {"codec", 1, 0, OPT_CODEC},
    {"codec-level", 1, 0, OPT_CODEC_LEVEL}, {"timeout", 1, 0, OPT_TIMEOUT},
    {"signal", 1, 0, OPT_SIGNAL}, {"json", 0, 0, OPT_JSON}, {"prepared", 1, 0, OPT_PREPARED},
    {"span-size", 1, 0, OPT_SPAN_SIZE}, {"request", 1, 0, OPT_REQUEST},
    {"resources", 1, 0, OPT_RESOURCES}, {"order", 1, 0, OPT_ORDER},
    {"per-trace", 1, 0, OPT_PER_TRACE}, {"errors", 1, 0, OPT_ERRORS}, {"slow", 1, 0, OPT_SLOW},
    {"late", 1, 0, OPT_LATE}, {"late-by", 1, 0, OPT_LATE_BY}, {"scatter", 1, 0, OPT_SCATTER},
    {"seed", 1, 0, OPT_SEED}, {"on-refusal", 1, 0, OPT_ON_REFUSAL},
    {"backoff", 1, 0, OPT_BACKOFF}, {"backoff-max", 1, 0, OPT_BACKOFF_MAX},
    {"retry-for", 1, 0, OPT_RETRY_FOR}, {"record", 1, 0, OPT_RECORD},
    {"summary", 1, 0, OPT_SUMMARY}, {"progress", 1, 0, OPT_PROGRESS}, {"drain", 1, 0, OPT_DRAIN},
    {"help", 0, 0, OPT_HELP}, {0, 0, 0, 0},
};
// clang-format on

struct settings {
    struct sw_lg_options options;
    struct sw_lg_shape shape;
    uint64_t spans;
    uint64_t scatter;
    uint64_t late_ns;
    const char *summary_path;
};

static int choice(const char *option, const char *text, const char *const *names)
{
    for (int i = 0; names[i]; i++) {
        if (!strcmp(text, names[i])) {
            return i;
        }
    }
    sw_lg_die("--%s: '%s' is none of the choices", option, text);
}

static uint64_t count_in(const char *what, const char *text, uint64_t least, uint64_t most)
{
    uint64_t value = sw_lg_parse_count(what, text);
    if (value < least || value > most) {
        sw_lg_die("%s: %s is outside %" PRIu64 "..%" PRIu64, what, text, least, most);
    }
    return value;
}

static void set_option(struct settings *settings, int code, const char *text)
{
    struct sw_lg_options *options = &settings->options;
    struct sw_lg_shape *shape = &settings->shape;
    static const char *const protocols[] = {"grpc", "http", NULL};
    static const char *const signals[] = {"traces", "metrics", "logs", NULL};
    static const char *const orders[] = {"ascending", "reversed", NULL};
    static const char *const refusals[] = {"retry", "drop", "stop", NULL};
    switch (code) {
    case OPT_SPANS:
        settings->spans = count_in("--spans", text, 1, 1ull << 40);
        break;
    case OPT_DURATION:
        options->duration_ns = sw_lg_parse_ns("--duration", text);
        break;
    case OPT_RATE:
        options->rate = (double)count_in("--rate", text, 1, 1ull << 40);
        break;
    case OPT_CONNECTIONS:
        options->connections = (unsigned)count_in("--connections", text, 1, 10000);
        break;
    case OPT_STREAMS:
        options->streams = (unsigned)count_in("--streams", text, 1, 10000);
        break;
    case OPT_PROTOCOL:
        options->http = choice("protocol", text, protocols) == 1;
        break;
    case OPT_GZIP:
        options->codec = SW_LG_GZIP;
        break;
    case OPT_CODEC:
        if (!sw_lg_codec_of(text, strlen(text), &options->codec)) {
            sw_lg_die("--codec: '%s' is none of the choices", text);
        }
        break;
    case OPT_CODEC_LEVEL:
        options->codec_level = (unsigned)count_in("--codec-level", text, 1, 12);
        break;
    case OPT_SIGNAL:
        options->signal = (enum sw_lg_signal)choice("signal", text, signals);
        break;
    case OPT_JSON:
        options->json = options->http = true;
        break;
    case OPT_PREPARED:
        options->prepared = (unsigned)count_in("--prepared", text, 1, 10000);
        break;
    case OPT_TIMEOUT:
        options->timeout_ns = sw_lg_parse_ns("--timeout", text);
        break;
    case OPT_SPAN_SIZE:
        options->form.span_size = (uint32_t)count_in("--span-size", text, 1, 60000);
        break;
    case OPT_REQUEST:
        options->spans_per_request = (uint32_t)count_in("--request", text, 1, 100000);
        break;
    case OPT_RESOURCES:
        options->form.resources = (uint32_t)count_in("--resources", text, 1, 100000);
        break;
    case OPT_ORDER:
        options->form.reversed = choice("order", text, orders) == 1;
        break;
    case OPT_PER_TRACE:
        shape->spans_per_trace = (uint32_t)count_in("--per-trace", text, 1, 65535);
        break;
    case OPT_ERRORS:
        shape->error_limit = sw_lg_limit(sw_lg_parse_share("--errors", text));
        break;
    case OPT_SLOW:
        shape->slow_limit = sw_lg_limit(sw_lg_parse_share("--slow", text));
        break;
    case OPT_LATE:
        shape->late_limit = sw_lg_limit(sw_lg_parse_share("--late", text));
        break;
    case OPT_LATE_BY:
        settings->late_ns = sw_lg_parse_ns("--late-by", text);
        break;
    case OPT_SCATTER:
        settings->scatter = count_in("--scatter", text, 1, 1000000);
        break;
    case OPT_SEED:
        shape->seed = sw_lg_parse_count("--seed", text);
        break;
    case OPT_ON_REFUSAL:
        options->on_refusal = (enum sw_lg_on_refusal)choice("on-refusal", text, refusals);
        break;
    case OPT_BACKOFF:
        options->backoff_ns = sw_lg_parse_ns("--backoff", text);
        break;
    case OPT_BACKOFF_MAX:
        options->backoff_max_ns = sw_lg_parse_ns("--backoff-max", text);
        break;
    case OPT_RETRY_FOR:
        options->retry_total_ns = sw_lg_parse_ns("--retry-for", text);
        break;
    case OPT_RECORD:
        options->record_path = text;
        break;
    case OPT_SUMMARY:
        settings->summary_path = text;
        break;
    case OPT_PROGRESS:
        options->progress_ns = sw_lg_parse_ns("--progress", text);
        break;
    case OPT_DRAIN:
        options->drain_ns = sw_lg_parse_ns("--drain", text);
        break;
    case OPT_HELP:
        fputs(usage, stdout);
        exit(0);
    default:
        fputs(usage, stderr);
        exit(2);
    }
}

// Only spans in protobuf can be made anew for every request.
static void settle_prepared(struct sw_lg_options *options)
{
    if (options->json && !options->http) {
        sw_lg_die("--json goes over HTTP only");
    }
    if (!options->prepared && (options->json || options->signal != SW_LG_TRACES)) {
        options->prepared = 16;
    }
    if (options->prepared && options->record_path) {
        sw_lg_die("prepared requests repeat their IDs: they cannot be recorded");
    }
}

static void parse(struct settings *settings, int argc, char **argv)
{
    *settings = (struct settings){
        .options =
            {.connections = 4,
             .streams = 4,
             .spans_per_request = 500,
             .codec_level = 1,
             .timeout_ns = 10 * SW_LG_NS_PER_S,
             .drain_ns = 30 * SW_LG_NS_PER_S,
             .on_refusal = SW_LG_DROP,
             .backoff_ns = 200000000,
             .backoff_max_ns = 5 * SW_LG_NS_PER_S,
             .retry_total_ns = 300 * SW_LG_NS_PER_S,
             .form = {.span_size = 800, .resources = 5}},
        .shape = {.seed = 1, .spans_per_trace = 10},
        .late_ns = 10 * SW_LG_NS_PER_S,
    };
    int code;
    while ((code = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        set_option(settings, code, optarg);
    }
    if (optind != argc - 1) {
        fputs(usage, stderr);
        exit(2);
    }
    sw_lg_parse_address(argv[optind], settings->options.host, &settings->options.port);
    if (!settings->spans && !settings->options.duration_ns) {
        sw_lg_die("one of --spans and --duration is needed");
    }
    settle_prepared(&settings->options);
}

static void set_up(struct sw_lg_client *client, const struct settings *settings)
{
    const struct sw_lg_options *options = &settings->options;
    uint64_t per_trace = settings->shape.spans_per_trace;
    client->options = *options;
    client->schedule.shape = settings->shape;
    client->schedule.late_ns = settings->late_ns;
    client->schedule.traces =
        settings->spans ? (settings->spans + per_trace - 1) / per_trace : 1ull << 47;
    if (settings->scatter) {
        uint64_t traces_per_request = options->spans_per_request / per_trace;
        client->schedule.distance =
            settings->scatter * (traces_per_request ? traces_per_request : 1);
    }
    client->epoch_ns = sw_lg_wall();
    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (options->record_path) {
        struct sw_lg_record_header header = {
            .magic = SW_LG_SENT_MAGIC,
            .seed = settings->shape.seed,
            .record_size = sizeof(struct sw_lg_sent),
            .spans_per_trace = (uint32_t)per_trace,
            .slow_ns = SW_LG_SLOW_NS,
        };
        client->record = sw_lg_record_create(options->record_path, &header);
    }
    sw_lg_client_init(client);
}

// A connection that can take a request now; they take turns, so that load spreads evenly.
static struct sw_lg_connection *free_connection(struct sw_lg_client *client, unsigned *turn)
{
    for (unsigned i = 0; i < client->options.connections; i++) {
        struct sw_lg_connection *connection =
            &client->connections[(*turn + i) % client->options.connections];
        if (connection->ready && !connection->going_away
            && connection->requests_count < connection->streams_max) {
            *turn = (*turn + i + 1) % client->options.connections;
            return connection;
        }
    }
    return NULL;
}

struct pace {
    uint64_t due_ns; // of the next request, when a rate is set
    unsigned turn;
};

// Starts what may start now. Without a rate one request per round and connection at most, so that
// answers are looked at between them.
static void start_requests(struct sw_lg_client *client, struct pace *pace)
{
    for (unsigned started = 0; started < client->options.connections; started++) {
        uint64_t now_ns = sw_lg_now();
        bool retry = false;
        for (struct sw_lg_request *r = client->waiting; r && !retry; r = r->next) {
            retry = r->retry_ns <= now_ns;
        }
        bool rated = client->options.rate > 0;
        // Late spans have their own times, and no rate.
        rated = rated && !sw_lg_schedule_only_late(&client->schedule);
        if (!retry && rated && pace->due_ns > now_ns) {
            return;
        }
        struct sw_lg_connection *connection = free_connection(client, &pace->turn);
        struct sw_lg_request *request = connection ? sw_lg_client_take(client, now_ns) : NULL;
        if (!request) {
            return;
        }
        if (request->attempts == 0) {
            request->scheduled_ns = rated ? pace->due_ns : now_ns;
            if (rated) {
                pace->due_ns += (uint64_t)(1e9 * request->count / client->options.rate);
            }
        }
        sw_lg_client_start(client, connection, request);
        sw_lg_connection_flush(connection);
    }
}

static void housekeeping(struct sw_lg_client *client, uint64_t now_ns)
{
    for (unsigned i = 0; i < client->options.connections; i++) {
        struct sw_lg_connection *connection = &client->connections[i];
        if (connection->fd < 0) {
            if (connection->reconnect_ns <= now_ns) {
                sw_lg_connection_open(connection, now_ns);
            }
        } else {
            sw_lg_connection_expire(connection, now_ns);
        }
    }
}

static uint64_t
next_wake(const struct sw_lg_client *client, const struct pace *pace, uint64_t now_ns)
{
    uint64_t wake = now_ns + 20000000;
    uint64_t late = sw_lg_schedule_next_due(&client->schedule);
    // What is due already waits for a free place, hence for an event, not for a time.
    if (client->options.rate > 0 && pace->due_ns > now_ns && pace->due_ns < wake) {
        wake = pace->due_ns;
    }
    if (late > now_ns && late < wake) {
        wake = late;
    }
    for (const struct sw_lg_request *r = client->waiting; r; r = r->next) {
        if (r->retry_ns > now_ns && r->retry_ns < wake) {
            wake = r->retry_ns;
        }
    }
    return wake;
}

static void wait_events(struct sw_lg_client *client, uint64_t wake_ns)
{
    struct epoll_event events[64];
    uint64_t now_ns = sw_lg_now();
    uint64_t wait = wake_ns > now_ns ? wake_ns - now_ns : 0;
    struct timespec timeout = {
        .tv_sec = (time_t)(wait / SW_LG_NS_PER_S), .tv_nsec = (long)(wait % SW_LG_NS_PER_S)};
    int count = epoll_pwait2(client->epoll_fd, events, 64, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        sw_lg_connection_event(events[i].data.ptr, events[i].events);
    }
}

static bool can_start(const struct sw_lg_client *client)
{
    if (client->options.rate > 0 || client->busy >= client->busy_max
        || sw_lg_schedule_finished(&client->schedule)) {
        return false;
    }
    for (unsigned i = 0; i < client->options.connections; i++) {
        const struct sw_lg_connection *connection = &client->connections[i];
        if (connection->ready && !connection->going_away
            && connection->requests_count < connection->streams_max) {
            return !sw_lg_schedule_only_late(&client->schedule);
        }
    }
    return false;
}

// Counts are from the start on, latencies since the line before.
static void progress(struct sw_lg_client *client, double seconds)
{
    struct sw_lg_histogram *recent = &client->recent;
    fprintf(
        stderr,
        "{\"seconds\": %.1f, \"spans_sent\": %" PRIu64 ", \"acked\": %" PRIu64
        ", \"refused\": %" PRIu64 ", \"in_flight\": %u, \"requests_acked\": %" PRIu64
        ", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
        seconds,
        client->spans_taken,
        client->spans_by_state[SW_LG_ACKED],
        client->spans_by_state[SW_LG_REFUSED],
        client->busy,
        client->requests_acked,
        (double)sw_lg_histogram_quantile(recent, 0.5) / 1e6,
        (double)sw_lg_histogram_quantile(recent, 0.99) / 1e6,
        (double)recent->max_ns / 1e6
    );
    *recent = (struct sw_lg_histogram){0};
}

// Returns how long it took, from the first request's start to the last answer.
static double run(struct sw_lg_client *client)
{
    struct pace pace = {0};
    uint64_t begin_ns = 0;
    uint64_t stopped_ns = 0;
    uint64_t tidy_ns = 0;
    uint64_t told_ns = sw_lg_now();
    uint64_t give_up_ns = told_ns + client->options.drain_ns;
    for (;;) {
        uint64_t now_ns = sw_lg_now();
        if (now_ns >= tidy_ns) {
            housekeeping(client, now_ns);
            tidy_ns = now_ns + 20000000;
        }
        if (!begin_ns) {
            // The clock starts when every connection stands (or the drain time is over).
            unsigned ready = 0;
            for (unsigned i = 0; i < client->options.connections; i++) {
                ready += client->connections[i].ready;
            }
            if (ready == client->options.connections || (ready && now_ns > give_up_ns)) {
                begin_ns = pace.due_ns = now_ns;
            } else if (interrupted || now_ns > give_up_ns) {
                sw_lg_die("no connection to %s:%u", client->options.host, client->options.port);
            }
        }
        if (begin_ns && !stopped_ns
            && (interrupted || client->stopping
                || (client->options.duration_ns && now_ns - begin_ns >= client->options.duration_ns)
            )) {
            sw_lg_schedule_stop(&client->schedule);
            stopped_ns = now_ns;
        }
        if (!stopped_ns && sw_lg_schedule_finished(&client->schedule)) {
            stopped_ns = now_ns;
        }
        if (stopped_ns
            && ((client->busy == 0 && sw_lg_schedule_finished(&client->schedule)) || interrupted > 1
                || now_ns - stopped_ns > client->options.drain_ns + client->schedule.late_ns)) {
            break;
        }
        if (begin_ns) {
            start_requests(client, &pace);
        }
        if (asked
            || (client->options.progress_ns && now_ns - told_ns >= client->options.progress_ns)) {
            asked = 0;
            progress(client, begin_ns ? (double)(now_ns - begin_ns) / 1e9 : 0);
            told_ns = now_ns;
        }
        wait_events(client, begin_ns && can_start(client) ? 0 : next_wake(client, &pace, now_ns));
    }
    return (double)(sw_lg_now() - begin_ns) / 1e9;
}

// Requests that still wait for an answer or a retry when the run ends.
static void abandon(struct sw_lg_client *client)
{
    client->options.retry_total_ns = 0;
    client->options.on_refusal = SW_LG_DROP;
    sw_lg_client_fini(client);
    while (client->waiting) {
        struct sw_lg_request *request = client->waiting;
        client->waiting = request->next;
        sw_lg_client_give_up(client, request);
    }
}

static void print_summary(const struct sw_lg_client *client, const char *path, double seconds)
{
    FILE *out = path ? fopen(path, "w") : stdout;
    if (!out) {
        sw_lg_die("cannot write %s", path);
    }
    double cpu = sw_lg_cpu_seconds();
    uint64_t acked = client->spans_by_state[SW_LG_ACKED];
    const struct sw_lg_histogram *latency = &client->latency;
    fprintf(
        out,
        "{\n  \"seconds\": %.3f,\n  \"spans\": %" PRIu64 ",\n  \"acked\": %" PRIu64
        ",\n  \"refused\": %" PRIu64 ",\n  \"unknown\": %" PRIu64 ",\n  \"not_sent\": %" PRIu64
        ",\n",
        seconds,
        client->spans_taken,
        acked,
        client->spans_by_state[SW_LG_REFUSED],
        client->spans_by_state[SW_LG_UNKNOWN],
        client->spans_by_state[SW_LG_NOT_SENT]
    );
    fprintf(
        out,
        "  \"acked_per_second\": %.0f,\n  \"requests_sent\": %" PRIu64
        ",\n  \"requests_acked\": %" PRIu64 ",\n  \"retries\": %" PRIu64
        ",\n  \"body_bytes\": %" PRIu64 ",\n  \"partial_rejected\": %" PRIu64 ",\n",
        seconds > 0 ? (double)acked / seconds : 0,
        client->requests_sent,
        client->requests_acked,
        client->retries,
        client->body_bytes,
        client->partial_rejected
    );
    fprintf(
        out,
        "  \"connects\": %" PRIu64 ",\n  \"connection_losses\": %" PRIu64
        ",\n  \"timeouts\": %" PRIu64 ",\n  \"refusals\": {",
        client->connects,
        client->connection_losses,
        client->timeouts
    );
    const char *comma = "";
    for (unsigned i = 0; i < 32; i++) {
        if (client->answers_by_grpc[i]) {
            fprintf(out, "%s\"grpc %u\": %" PRIu64, comma, i, client->answers_by_grpc[i]);
            comma = ", ";
        }
    }
    for (unsigned i = 0; i < 600; i++) {
        if (client->answers_by_http[i]) {
            fprintf(out, "%s\"http %u\": %" PRIu64, comma, i, client->answers_by_http[i]);
            comma = ", ";
        }
    }
    fprintf(
        out,
        "},\n  \"refusals_retryable\": %" PRIu64 ",\n  \"refusals_final\": %" PRIu64
        ",\n  \"refusals_with_delay\": %" PRIu64 ",\n  \"first_refusal\": \"",
        client->refusals_retryable,
        client->refusals_final,
        client->refusals_with_delay
    );
    for (const char *at = client->first_refusal; *at; at++) {
        fputc(*at < ' ' || *at == '"' || *at == '\\' ? '.' : *at, out);
    }
    fprintf(
        out,
        "\",\n  \"latency_ms\": {\"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f},\n",
        (double)sw_lg_histogram_quantile(latency, 0.5) / 1e6,
        (double)sw_lg_histogram_quantile(latency, 0.99) / 1e6,
        (double)latency->max_ns / 1e6
    );
    fprintf(
        out,
        "  \"cpu_seconds\": %.3f,\n  \"cpu_seconds_per_million\": %.4f,\n"
        "  \"peak_rss_kib\": %ld\n}\n",
        cpu,
        client->spans_taken ? cpu * 1e6 / (double)client->spans_taken : 0,
        sw_lg_peak_rss_kib()
    );
    if (out != stdout) {
        fclose(out);
    }
}

int main(int argc, char **argv)
{
    static struct sw_lg_client client;
    struct settings settings;
    parse(&settings, argc, argv);
    set_up(&client, &settings);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    double seconds = run(&client);
    abandon(&client);
    if (client.record) {
        sw_lg_record_close(client.record, settings.options.record_path);
    }
    print_summary(&client, settings.summary_path, seconds);
    return 0;
}
