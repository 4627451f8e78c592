#include "control/service/resolver.h"

#include "dataplane/base/mem.h"

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

// How long the end waits for the thread.
#define END_WAIT_S 1

/* One question under way. Made and freed by the asker's core; the thread fills in the answer. */
struct question {
    struct sw_message message;
    LIST_ENTRY(question) link;       // asker's core only
    struct sw_resolver_query *query; // asker's core only; NULL: cancelled
    uint16_t port;
    int err;
    unsigned addrs_count;
    struct sw_addr addrs[SW_RESOLVER_ADDRS_MAX];
    char host[];
};

struct resolver {
    struct sw_resolver resolver;
    struct sw_mailbox *mailbox;
    unsigned index;
    pthread_t thread;
    _Atomic bool stop;
    LIST_HEAD(, question) asked[SW_CORES_MAX]; // each is its core's alone
};

static void take(struct question *question, const struct addrinfo *found, int family)
{
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        if (at->ai_family != family || question->addrs_count == SW_RESOLVER_ADDRS_MAX) {
            continue;
        }
        struct sw_addr *addr = &question->addrs[question->addrs_count++];
        memset(addr, 0, sizeof(*addr));
        memcpy(&addr->sa, at->ai_addr, at->ai_addrlen);
        addr->len = at->ai_addrlen;
        if (family == AF_INET) {
            addr->in4.sin_port = htons(question->port);
        } else {
            addr->in6.sin6_port = htons(question->port);
        }
    }
}

static int err_of(int code)
{
    switch (code) {
    case 0:
        return SW_OK;
    case EAI_AGAIN:
        return SW_E_TIMEOUT;
    case EAI_MEMORY:
        return SW_E_NOMEM;
    case EAI_SYSTEM:
        return SW_E_SYSTEM;
    default:
        return SW_E_NOT_FOUND;
    }
}

// On the resolver's thread. IPv4 first: a server on "localhost" listens there, as Go's do.
static void answer(struct sw_message *message, void *receiver)
{
    struct question *question = (struct question *)message;
    struct resolver *resolver = receiver;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    question->err = err_of(getaddrinfo(question->host, NULL, &hints, &found));
    if (question->err == SW_OK) {
        take(question, found, AF_INET);
        take(question, found, AF_INET6);
        freeaddrinfo(found);
        question->err = question->addrs_count > 0 ? SW_OK : SW_E_NOT_FOUND;
    }
    sw_mailbox_return(resolver->mailbox, message);
}

// Back on the asker's core.
static void answered(struct sw_message *message, void *sender)
{
    struct question *question = (struct question *)message;
    struct sw_resolver_query *query = question->query;
    if (query != NULL) {
        query->pending = NULL;
        query->answered(query, question->err, question->addrs, question->addrs_count);
    }
    LIST_REMOVE(question, link);
    sw_free(question);
}

static void ask(struct sw_resolver *head, struct sw_core *core, struct sw_resolver_query *query)
{
    struct resolver *resolver = (struct resolver *)head;
    size_t len = strlen(query->host) + 1;
    struct question *question = sw_zalloc(sizeof(*question) + len);
    if (question == NULL) {
        query->answered(query, SW_E_NOMEM, NULL, 0);
        return;
    }
    question->message = (struct sw_message){.deliver = answer, .returned = answered};
    question->query = query;
    question->port = query->port;
    memcpy(question->host, query->host, len);
    query->pending = question;
    LIST_INSERT_HEAD(&resolver->asked[core->index], question, link);
    sw_mailbox_send(core->mailbox, resolver->index, &question->message);
}

static void cancel(struct sw_resolver *head, struct sw_core *core, struct sw_resolver_query *query)
{
    struct question *question = query->pending;
    if (question != NULL) {
        question->query = NULL;
        query->pending = NULL;
    }
}

static const struct sw_resolver_ops resolver_ops = {
    .ask = ask,
    .cancel = cancel,
};

static void *thread_main(void *argument)
{
    struct resolver *resolver = argument;
    struct pollfd fd = {.fd = sw_mailbox_fd(resolver->mailbox), .events = POLLIN};
    while (!atomic_load_explicit(&resolver->stop, memory_order_acquire)) {
        if (sw_mailbox_poll(resolver->mailbox, 16) > 0
            || !sw_mailbox_sleep_begin(resolver->mailbox)) {
            continue;
        }
        poll(&fd, 1, 1000);
        eventfd_t value;
        (void)eventfd_read(fd.fd, &value);
        sw_mailbox_sleep_end(resolver->mailbox);
    }
    return NULL;
}

int sw_resolver_thread_new(struct sw_post *post, unsigned index, struct sw_resolver **ret_resolver)
{
    struct resolver *resolver = sw_zalloc(sizeof(*resolver));
    if (resolver == NULL) {
        return SW_E_NOMEM;
    }
    resolver->resolver.ops = &resolver_ops;
    resolver->index = index;
    resolver->mailbox = sw_post_mailbox(post, index);
    sw_mailbox_bind(resolver->mailbox, resolver);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&resolver->thread, NULL, thread_main, resolver);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        sw_free(resolver);
        return SW_E_SYSTEM;
    }
    pthread_setname_np(resolver->thread, "resolver");
    *ret_resolver = &resolver->resolver;
    return SW_OK;
}

bool sw_resolver_thread_free(struct sw_resolver *head)
{
    struct resolver *resolver = (struct resolver *)head;
    if (resolver == NULL) {
        return true;
    }
    atomic_store_explicit(&resolver->stop, true, memory_order_release);
    sw_mailbox_wake(resolver->mailbox);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += END_WAIT_S;
    if (pthread_timedjoin_np(resolver->thread, NULL, &until) != 0) {
        return false;
    }
    // Answers that nobody takes any more: their cores have stopped.
    for (unsigned core = 0; core < SW_CORES_MAX; core++) {
        struct question *question;
        while ((question = LIST_FIRST(&resolver->asked[core])) != NULL) {
            LIST_REMOVE(question, link);
            sw_free(question);
        }
    }
    sw_free(resolver);
    return true;
}
