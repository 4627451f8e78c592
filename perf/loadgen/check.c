// sw-check: compares what sw-loadgen sent and had acknowledged with what sw-sink took, span by span.
#include "perf/loadgen/common.h"
#include "perf/loadgen/record.h"

#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "sw-check [options] SENT-FILE RECEIVED-FILE\n"
    "  exit 0 when everything acknowledged arrived once and nothing else did, 1 otherwise\n"
    "\n"
    "  --mode pass|tail      pass: every acknowledged span (default)\n"
    "                        tail: whole traces that a tail sampler with the policies\n"
    "                        status_code ERROR, latency below what slow roots last, and\n"
    "                        probabilistic keeps; no span of any other trace\n"
    "  --percentage P        sampling_percentage of the probabilistic policy (10)\n"
    "  --salt TEXT           hash_salt (default-hash-seed)\n"
    "  --allow-duplicates    spans that arrive twice are counted, not an error\n"
    "  --allow-missing       likewise spans that do not arrive (a queue in memory lost them)\n"
    "  --allow-refused       likewise spans that arrive though the sender was refused\n";

struct options {
    bool tail;
    bool allow_duplicates;
    bool allow_missing;
    bool allow_refused;
    double percentage;
    const char *salt;
};

struct counts {
    uint64_t acked;
    uint64_t not_acked;
    uint64_t missing;
    uint64_t duplicates;
    uint64_t unexpected;        // a span that no record knows
    uint64_t refused_delivered; // refused to the sender's face, and there all the same
    uint64_t unknown_delivered;
    uint64_t traces;
    uint64_t traces_kept;
    uint64_t traces_error;
    uint64_t traces_slow;
    uint64_t traces_hash;
    uint64_t traces_in_part;
    uint64_t traces_lost; // should be there and is not at all
    uint64_t traces_wrongly_kept;
    uint64_t traces_undecidable; // spans without an answer would change the verdict
    uint64_t error_or_slow_in_part;
};

static int order(const void *a, const void *b)
{
    return memcmp(a, b, 24); // trace ID, then span ID: the same bytes lead both records
}

// Sorted copy; 2 million records take a second.
static void *sorted(const void *records, uint64_t count, size_t size)
{
    void *copy = sw_lg_alloc(count, size);
    memcpy(copy, records, count * size);
    qsort(copy, count, size, order);
    return copy;
}

// The Collector's threshold: trunc(round64((2^64 - 1) * ratio)), where round64 keeps 64 bits of
// mantissa (Go's big.Float). Ratio is m * 2^-k, so the product is exact in 128 bits.
static uint64_t threshold_of(double percentage)
{
    double ratio = percentage / 100;
    if (!(ratio > 0)) {
        return 0;
    }
    if (ratio >= 1) {
        return UINT64_MAX;
    }
    int exponent;
    double fraction = frexp(ratio, &exponent);
    uint64_t mantissa = (uint64_t)ldexp(fraction, 53);
    int k = 53 - exponent;
    unsigned __int128 product = (unsigned __int128)mantissa * UINT64_MAX;
    int bits = 64 + (64 - __builtin_clzll((uint64_t)(product >> 64)));
    int shift = bits - 64;
    unsigned __int128 quotient = product >> shift;
    unsigned __int128 rest = product & (((unsigned __int128)1 << shift) - 1);
    unsigned __int128 half = (unsigned __int128)1 << (shift - 1);
    if (rest > half || (rest == half && (quotient & 1))) {
        quotient++;
    }
    return k - shift >= 64 ? 0 : (uint64_t)(quotient >> (k - shift));
}

static uint64_t hash_of(const char *salt, const uint8_t trace_id[16])
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (const char *at = salt; *at; at++) {
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3ull;
    }
    for (unsigned i = 0; i < 16; i++) {
        hash = (hash ^ trace_id[i]) * 0x100000001b3ull;
    }
    return hash;
}

// How often the received spans hold this one; *at goes past it. What stands before it in the order
// was sent by nobody.
static uint64_t take_received(
    const struct sw_lg_received *received,
    uint64_t count,
    uint64_t *at,
    const struct sw_lg_sent *sent,
    struct counts *counts
)
{
    uint64_t times = 0;
    while (*at < count) {
        int compared = memcmp(&received[*at], sent, 24);
        if (compared > 0) {
            break;
        }
        if (compared < 0) {
            counts->unexpected++;
        } else {
            times++;
        }
        (*at)++;
    }
    return times;
}

struct trace {
    uint64_t acked;
    uint64_t acked_there;
    uint64_t there;
    bool error;
    bool slow;
    bool error_unknown; // a span that would decide has no answer
};

static void
add_span(struct trace *trace, const struct sw_lg_sent *sent, uint64_t times, struct counts *counts)
{
    bool decides = sent->flags & (SW_LG_FLAG_ERROR | SW_LG_FLAG_SLOW);
    trace->there += times > 0;
    counts->duplicates += times > 1 ? times - 1 : 0;
    if (sent->state == SW_LG_ACKED) {
        counts->acked++;
        trace->acked++;
        trace->acked_there += times > 0;
        trace->error |= (sent->flags & SW_LG_FLAG_ERROR) != 0;
        trace->slow |= (sent->flags & SW_LG_FLAG_SLOW) != 0;
        return;
    }
    counts->not_acked++;
    if (sent->state == SW_LG_UNKNOWN) {
        counts->unknown_delivered += times > 0;
        trace->error_unknown |= decides;
    } else {
        counts->refused_delivered += times > 0;
    }
}

static void judge_tail(const struct trace *trace, bool by_hash, struct counts *counts)
{
    bool by_span = trace->error || trace->slow;
    bool wanted = trace->acked && (by_span || by_hash);
    counts->traces_error += trace->error;
    counts->traces_slow += trace->slow;
    counts->traces_hash += by_hash && trace->acked;
    counts->traces_kept += trace->there > 0;
    if (!wanted) {
        if (trace->error_unknown || !trace->acked) {
            counts->traces_undecidable += trace->there > 0;
        } else {
            counts->traces_wrongly_kept += trace->there > 0;
        }
        return;
    }
    counts->missing += trace->acked - trace->acked_there;
    if (trace->acked_there == 0) {
        counts->traces_lost++;
    } else if (trace->acked_there < trace->acked) {
        counts->traces_in_part++;
    }
    counts->error_or_slow_in_part += by_span && trace->acked_there < trace->acked;
}

static void compare(
    const struct options *options,
    const struct sw_lg_sent *sent,
    uint64_t sent_count,
    const struct sw_lg_received *received,
    uint64_t received_count,
    struct counts *counts
)
{
    uint64_t threshold = threshold_of(options->percentage);
    uint64_t at = 0;
    for (uint64_t i = 0; i < sent_count;) {
        struct trace trace = {0};
        uint64_t first = i;
        while (i < sent_count && !memcmp(sent[i].trace_id, sent[first].trace_id, 16)) {
            uint64_t times = take_received(received, received_count, &at, &sent[i], counts);
            add_span(&trace, &sent[i], times, counts);
            i++;
        }
        counts->traces++;
        if (options->tail) {
            judge_tail(&trace, hash_of(options->salt, sent[first].trace_id) <= threshold, counts);
        } else {
            counts->traces_kept += trace.there > 0;
            counts->missing += trace.acked - trace.acked_there;
            counts->traces_in_part += trace.acked_there && trace.acked_there < trace.acked;
            counts->traces_lost += trace.acked && !trace.acked_there;
        }
    }
    counts->unexpected += received_count - at;
}

static bool verdict(const struct options *options, const struct counts *counts)
{
    return counts->unexpected == 0 && counts->traces_wrongly_kept == 0
           && (options->allow_missing || counts->missing == 0)
           && (options->allow_duplicates || counts->duplicates == 0)
           && (options->allow_refused || counts->refused_delivered == 0);
}

static void print(const struct counts *counts, uint64_t sent, uint64_t received, bool good)
{
    const struct {
        const char *name;
        uint64_t value;
    } lines[] = {
        {"sent", sent},
        {"acked", counts->acked},
        {"not_acked", counts->not_acked},
        {"received", received},
        {"missing", counts->missing},
        {"duplicates", counts->duplicates},
        {"unexpected", counts->unexpected},
        {"refused_but_delivered", counts->refused_delivered},
        {"unknown_but_delivered", counts->unknown_delivered},
        {"traces", counts->traces},
        {"traces_kept", counts->traces_kept},
        {"traces_error", counts->traces_error},
        {"traces_slow", counts->traces_slow},
        {"traces_hash", counts->traces_hash},
        {"traces_in_part", counts->traces_in_part},
        {"traces_lost", counts->traces_lost},
        {"traces_wrongly_kept", counts->traces_wrongly_kept},
        {"traces_undecidable", counts->traces_undecidable},
        {"error_or_slow_not_whole", counts->error_or_slow_in_part},
    };
    printf("{\n");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        printf("  \"%s\": %" PRIu64 ",\n", lines[i].name, lines[i].value);
    }
    printf("  \"good\": %s\n}\n", good ? "true" : "false");
}

enum option_code {
    OPT_MODE = 1000,
    OPT_PERCENTAGE,
    OPT_SALT,
    OPT_DUPLICATES,
    OPT_MISSING,
    OPT_REFUSED,
    OPT_HELP
};

static const struct option long_options[] = {
    {"mode", 1, 0, OPT_MODE},
    {"percentage", 1, 0, OPT_PERCENTAGE},
    {"salt", 1, 0, OPT_SALT},
    {"allow-duplicates", 0, 0, OPT_DUPLICATES},
    {"allow-missing", 0, 0, OPT_MISSING},
    {"allow-refused", 0, 0, OPT_REFUSED},
    {"help", 0, 0, OPT_HELP},
    {0, 0, 0, 0},
};

static void parse(struct options *options, int argc, char **argv)
{
    int code;
    *options = (struct options){.percentage = 10, .salt = "default-hash-seed"};
    while ((code = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (code) {
        case OPT_MODE:
            options->tail = !strcmp(optarg, "tail");
            if (!options->tail && strcmp(optarg, "pass") != 0) {
                sw_lg_die("--mode is pass or tail");
            }
            break;
        case OPT_PERCENTAGE:
            options->percentage = strtod(optarg, NULL);
            break;
        case OPT_SALT:
            options->salt = optarg;
            break;
        case OPT_DUPLICATES:
            options->allow_duplicates = true;
            break;
        case OPT_MISSING:
            options->allow_missing = true;
            break;
        case OPT_REFUSED:
            options->allow_refused = true;
            break;
        case OPT_HELP:
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind != argc - 2) {
        fputs(usage, stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct options options;
    struct counts counts = {0};
    const struct sw_lg_record_header *header;
    uint64_t sent_count;
    uint64_t received_count;
    parse(&options, argc, argv);
    const void *sent = sw_lg_record_map(
        argv[optind], SW_LG_SENT_MAGIC, sizeof(struct sw_lg_sent), &header, &sent_count
    );
    const void *received = sw_lg_record_map(
        argv[optind + 1],
        SW_LG_RECEIVED_MAGIC,
        sizeof(struct sw_lg_received),
        &header,
        &received_count
    );
    struct sw_lg_sent *sent_sorted = sorted(sent, sent_count, sizeof(*sent_sorted));
    struct sw_lg_received *received_sorted =
        sorted(received, received_count, sizeof(*received_sorted));
    compare(&options, sent_sorted, sent_count, received_sorted, received_count, &counts);
    bool good = verdict(&options, &counts);
    print(&counts, sent_count, received_count, good);
    free(sent_sorted);
    free(received_sorted);
    return good ? 0 : 1;
}
