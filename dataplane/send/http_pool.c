#include "dataplane/send/http_pool.h"

#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/send/answer.h"
#include "dataplane/send/http_pool_internal.h"

#include <stdio.h>

// A name is looked up again for a new connection when the answer is older than this.
#define RESOLVE_AGAIN_NS (30 * SW_NS_PER_S)

/* ---- requests ---- */

static void leave_queue(struct post *post)
{
    struct pool *pool = post->pool;
    if (post->packing) {
        TAILQ_REMOVE(&pool->packing, post, queue);
        post->packing = false;
    } else if (post->link == NULL) {
        TAILQ_REMOVE(&pool->waiting, post, queue);
        pool->waiting_count--;
    }
}

void sw_post_done(struct post *post, struct sw_outcome *outcome)
{
    struct sw_push_call *call = post->call;
    sw_timer_cancel(&post->pool->push.core->timers, &post->deadline);
    sw_json_writer_free(post->json);
    call->body_bytes = post->body.body.bytes;
    sw_send_body_fini(&post->body);
    sw_free(post);
    call->done(call, outcome);
}

void sw_post_failed(struct post *post, int err, const char *why)
{
    struct sw_outcome outcome;
    const char *url = post->pool->conf.url;
    sw_answer_none(
        err, sw_text_format("failed to make an HTTP request: Post \"%s\": %s", url, why), &outcome
    );
    sw_post_done(post, &outcome);
}

// Lets go of whatever it waits for or works on.
static void withdraw(struct post *post)
{
    struct http_link *link = post->link;
    if (link == NULL) {
        leave_queue(post);
        return;
    }
    post->link = NULL;
    link->post = NULL;
    sw_link_close(link);
}

static void on_deadline(struct sw_timer *timer, uint64_t now_ns)
{
    struct post *post = SW_CONTAINER_OF(timer, struct post, deadline);
    withdraw(post);
    sw_post_failed(
        post,
        SW_E_TIMEOUT,
        "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    );
}

static struct post *post_new(struct pool *pool, struct sw_push_call *call)
{
    struct post *post = sw_zalloc(sizeof(*post));
    if (post == NULL) {
        return NULL;
    }
    post->pool = pool;
    post->call = call;
    call->below = post;
    sw_timer_init(&post->deadline, on_deadline);
    if (call->deadline_ns != SW_TIME_NEVER) {
        sw_timer_set(&pool->push.core->timers, &post->deadline, call->deadline_ns);
    }
    return post;
}

/* ---- where they go ---- */

static void ask(struct pool *pool)
{
    if (!pool->asking && !pool->closed) {
        pool->asking = true;
        sw_resolver_ask(pool->resolver, pool->push.core, &pool->query);
    }
}

static bool addresses_old(const struct pool *pool)
{
    uint64_t now_ns = pool->push.core->now_ns;
    return pool->addrs_count == 0 || now_ns - pool->resolved_ns >= RESOLVE_AGAIN_NS;
}

static bool may_connect(const struct pool *pool)
{
    return pool->conf.connections_max == 0 || pool->links_count < pool->conf.connections_max;
}

// @return false: it has to wait
static bool try_place(struct pool *pool, struct post *post)
{
    struct http_link *link = LIST_FIRST(&pool->idle);
    if (link != NULL) {
        sw_link_send(link, post);
        return true;
    }
    if (!may_connect(pool)) {
        return false;
    }
    if (addresses_old(pool)) {
        ask(pool);
    }
    if (pool->addrs_count == 0 && pool->asking) {
        return false;
    }
    if (pool->addrs_count == 0) {
        sw_post_failed(post, SW_E_NOT_FOUND, "dial tcp: no such host");
        return true;
    }
    int err = sw_link_new(pool, post);
    if (err != SW_OK) {
        sw_post_failed(post, err, sw_err_text(err));
    }
    return true;
}

static void wait(struct pool *pool, struct post *post)
{
    TAILQ_INSERT_TAIL(&pool->waiting, post, queue);
    pool->waiting_count++;
}

static void place(struct pool *pool, struct post *post)
{
    if (!TAILQ_EMPTY(&pool->waiting) || !try_place(pool, post)) {
        wait(pool, post);
    }
}

static bool on_again(struct sw_task *task, uint64_t now_ns)
{
    struct pool *pool = SW_CONTAINER_OF(task, struct pool, again);
    struct post *post;
    while ((post = TAILQ_FIRST(&pool->waiting)) != NULL) {
        TAILQ_REMOVE(&pool->waiting, post, queue);
        pool->waiting_count--;
        if (!try_place(pool, post)) {
            TAILQ_INSERT_HEAD(&pool->waiting, post, queue);
            pool->waiting_count++;
            break;
        }
    }
    return false;
}

void sw_pool_again(struct pool *pool)
{
    if (!TAILQ_EMPTY(&pool->waiting) && !pool->closed) {
        sw_core_task(pool->push.core, &pool->again);
    }
}

static void fail_waiting(struct pool *pool, int err)
{
    char why[320];
    snprintf(
        why,
        sizeof(why),
        "dial tcp: lookup %s: %s",
        pool->conf.host,
        err == SW_E_NOT_FOUND ? "no such host" : sw_err_text(err)
    );
    for (uint32_t left = pool->waiting_count; left > 0; left--) {
        struct post *post = TAILQ_FIRST(&pool->waiting);
        if (post == NULL) {
            break;
        }
        leave_queue(post);
        sw_post_failed(post, err, why);
    }
}

static void answered(
    struct sw_resolver_query *query,
    int err,
    const struct sw_addr *addrs,
    unsigned addrs_count
)
{
    struct pool *pool = SW_CONTAINER_OF(query, struct pool, query);
    pool->asking = false;
    if (pool->closed) {
        return;
    }
    if (addrs_count == 0) {
        // Old addresses serve on; without any the requests that wait fail for now.
        if (pool->addrs_count == 0) {
            fail_waiting(pool, err != SW_OK ? err : SW_E_NOT_FOUND);
        }
        return;
    }
    pool->resolved_ns = pool->push.core->now_ns;
    pool->addrs_count = SW_MIN(addrs_count, SW_RESOLVER_ADDRS_MAX);
    memcpy(pool->addrs, addrs, pool->addrs_count * sizeof(addrs[0]));
    sw_pool_again(pool);
}

// A slice. @return SW_E_AGAIN: there is more to write
static int pack_json(struct pool *pool, struct post *post)
{
    const struct sw_http_pool_conf *conf = &pool->conf;
    if (post->json == NULL) {
        post->json = sw_json_writer_new_batch(post->call->batch, pool->account);
    }
    int err = post->json != NULL ? sw_json_writer_step(post->json, SW_JSON_SLICE) : SW_E_NOMEM;
    if (err != SW_OK) {
        return err;
    }
    struct sw_buf *text = sw_json_writer_take(post->json);
    sw_json_writer_free(post->json);
    post->json = NULL;
    if (conf->coding == SW_CODING_NONE) {
        sw_send_body_init_text(&post->body, text);
        return SW_OK;
    }
    err = sw_send_body_init_packed_text(
        &post->body, text, pool->codec, conf->coding, conf->level, pool->account
    );
    sw_buf_unref(text);
    return err;
}

static int pack(struct pool *pool, struct post *post)
{
    if (pool->conf.json) {
        return pack_json(pool, post);
    }
    const struct sw_batch *batch = post->call->batch;
    if (pool->conf.coding != SW_CODING_NONE) {
        return sw_send_body_init_packed(
            &post->body, batch, pool->codec, pool->conf.coding, pool->conf.level, pool->account
        );
    }
    sw_send_body_init(&post->body, batch);
    return SW_OK;
}

static bool on_pack(struct sw_task *task, uint64_t now_ns)
{
    struct pool *pool = SW_CONTAINER_OF(task, struct pool, pack);
    struct post *post = TAILQ_FIRST(&pool->packing);
    int err = post != NULL ? pack(pool, post) : SW_E_AGAIN;
    if (err != SW_E_AGAIN) {
        leave_queue(post);
        if (err == SW_OK) {
            place(pool, post);
        } else {
            struct sw_outcome outcome = {.err = err, .permanent = err != SW_E_NOMEM};
            sw_post_done(post, &outcome);
        }
    }
    return !TAILQ_EMPTY(&pool->packing);
}

/* ---- the push ---- */

static int pool_open(struct sw_push *push)
{
    ask((struct pool *)push);
    return SW_OK;
}

static void pool_start(struct sw_push *push, struct sw_push_call *call)
{
    struct pool *pool = (struct pool *)push;
    struct post *post = pool->closed ? NULL : post_new(pool, call);
    if (post == NULL) {
        sw_push_done_err(call, pool->closed ? SW_E_SHUTDOWN : SW_E_NOMEM);
        return;
    }
    if (pool->conf.json || pool->conf.coding != SW_CODING_NONE) {
        post->packing = true;
        TAILQ_INSERT_TAIL(&pool->packing, post, queue);
        sw_core_task(push->core, &pool->pack);
        return;
    }
    (void)pack(pool, post); // without a coding it cannot fail
    place(pool, post);
}

static void pool_cancel(struct sw_push *push, struct sw_push_call *call, int err)
{
    struct post *post = call->below;
    struct sw_outcome outcome = {.err = err};
    withdraw(post);
    sw_post_done(post, &outcome);
}

static void pool_stop(struct sw_push *push, bool keep_retrying) {}

static void pool_close(struct sw_push *push)
{
    struct pool *pool = (struct pool *)push;
    if (pool->closed) {
        return;
    }
    pool->closed = true;
    sw_core_task_cancel(push->core, &pool->again);
    sw_core_task_cancel(push->core, &pool->pack);
    if (pool->asking) {
        sw_resolver_cancel(pool->resolver, push->core, &pool->query);
    }
    while (!LIST_EMPTY(&pool->links)) {
        struct http_link *link = LIST_FIRST(&pool->links);
        SW_ASSERT(link->post == NULL);
        sw_link_close(link);
    }
}

static void pool_free(struct sw_push *push)
{
    struct pool *pool = (struct pool *)push;
    pool_close(push);
    SW_ASSERT(TAILQ_EMPTY(&pool->waiting) && TAILQ_EMPTY(&pool->packing));
    sw_codec_free(pool->codec);
    sw_buf_unref(pool->head);
    sw_free(pool);
}

static const struct sw_push_ops pool_ops = {
    .open = pool_open,
    .start = pool_start,
    .cancel = pool_cancel,
    .stop = pool_stop,
    .close = pool_close,
    .free = pool_free,
};

/* ---- making ---- */

struct head_writer {
    const struct sw_http_pool_conf *conf;
    char *out; // NULL: only measures
    size_t len;
};

static void put(struct head_writer *writer, const char *text)
{
    size_t len = strlen(text);
    if (writer->out != NULL) {
        memcpy(writer->out + writer->len, text, len);
    }
    writer->len += len;
}

static void put_header(struct head_writer *writer, const char *name, const char *value)
{
    put(writer, name);
    put(writer, ": ");
    put(writer, value);
    put(writer, "\r\n");
}

static bool same_name(const char *a, const char *b)
{
    return sw_http_text_is_nocase((struct sw_http_text){a, strlen(a)}, b);
}

// What is configured wins, even over Content-Type and Host (recorded, v0.159).
static void put_ours(struct head_writer *writer, const char *name, const char *value)
{
    const struct sw_list *headers = &writer->conf->headers;
    for (size_t i = 0; i < headers->count; i++) {
        const struct sw_pair *pair = &SW_LIST_AT(*headers, struct sw_pair, i);
        if (same_name(pair->name, name)) {
            value = pair->value;
        }
    }
    put_header(writer, name, value);
}

static void write_head(struct head_writer *writer)
{
    static const char *const ours[] = {
        "Host",
        "User-Agent",
        "Content-Type",
        "Content-Encoding",
        "Content-Length",
        "Connection",
    };
    const struct sw_http_pool_conf *conf = writer->conf;
    put(writer, "POST ");
    put(writer, conf->path);
    put(writer, " HTTP/1.1\r\n");
    put_ours(writer, "Host", conf->authority);
    put_ours(writer, "User-Agent", conf->user_agent);
    put_ours(writer, "Content-Type", conf->json ? "application/json" : "application/x-protobuf");
    if (conf->proxy_authorization != NULL) {
        put_header(writer, "Proxy-Authorization", conf->proxy_authorization);
    }
    if (conf->coding != SW_CODING_NONE) {
        put_header(writer, "Content-Encoding", sw_coding_name(conf->coding));
    }
    if (!conf->keep_alive) {
        put_header(writer, "Connection", "close");
    }
    for (size_t i = 0; i < conf->headers.count; i++) {
        const struct sw_pair *pair = &SW_LIST_AT(conf->headers, struct sw_pair, i);
        bool written = false;
        for (size_t k = 0; k < SW_ARRAY_SIZE(ours); k++) {
            written = written || same_name(pair->name, ours[k]);
        }
        if (!written) {
            put_header(writer, pair->name, pair->value);
        }
    }
    put(writer, "Content-Length: ");
}

static int make_head(struct pool *pool)
{
    struct head_writer writer = {.conf = &pool->conf};
    write_head(&writer);
    pool->head = sw_buf_new(NULL, (uint32_t)writer.len);
    if (pool->head == NULL) {
        return SW_E_NOMEM;
    }
    writer = (struct head_writer){.conf = &pool->conf, .out = (char *)pool->head->data};
    write_head(&writer);
    pool->head->size = (uint32_t)writer.len;
    return SW_OK;
}

int sw_http_pool_new(
    struct sw_core *core,
    const struct sw_http_pool_conf *conf,
    struct sw_resolver *resolver,
    struct sw_account *account,
    struct sw_push **ret_push
)
{
    struct pool *pool = sw_zalloc(sizeof(*pool));
    if (pool == NULL) {
        return SW_E_NOMEM;
    }
    pool->push = (struct sw_push){.ops = &pool_ops, .core = core};
    pool->conf = *conf;
    pool->resolver = resolver;
    pool->account = account;
    pool->query = (struct sw_resolver_query){
        .host = conf->host,
        .port = conf->port,
        .answered = answered,
    };
    LIST_INIT(&pool->links);
    LIST_INIT(&pool->idle);
    TAILQ_INIT(&pool->packing);
    TAILQ_INIT(&pool->waiting);
    pool->pack.run = on_pack;
    pool->again.run = on_again;
    int err = make_head(pool);
    if (err == SW_OK && conf->coding != SW_CODING_NONE) {
        err = sw_codec_new(&pool->codec);
    }
    if (err != SW_OK) {
        sw_buf_unref(pool->head);
        sw_free(pool);
        return err;
    }
    *ret_push = &pool->push;
    return SW_OK;
}

void sw_http_pool_state(const struct sw_push *push, struct sw_http_pool_state *ret_state)
{
    const struct pool *pool = (const struct pool *)push;
    *ret_state = (struct sw_http_pool_state){
        .connections = pool->links_count,
        .idle = pool->idle_count,
        .calls_waiting = pool->waiting_count,
    };
}
