#include "control/discover/discover.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <ares.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

// The Collector's first lookup has no limit of its own; a name server that is only slow has this long.
#define FIRST_TIMEOUT_NS (10 * SW_NS_PER_S)
// How soon after a lookup one out of turn is made.
#define WANTED_GAP_NS SW_NS_PER_S
// News of one name at most so often, for those that come and go.
#define NEWS_GAP_NS (10 * SW_NS_PER_S)
// More than two DNS messages hold.
#define ADDRESSES_SEEN_MAX 16384
#define TRIES              3
#define TRY_MIN_MS         100
#define ADDRESS_MAX        (INET6_ADDRSTRLEN + IF_NAMESIZE + 4)

/* What there is to say of a name, together. */
enum {
    FINE = 0,
    FAILING = 1,
    TOO_MANY = 2,
    OWN = 4,
};

/* A name, and its lookup while one is under way. */
struct name {
    LIST_ENTRY(name) link;
    struct discover *discover;
    struct sw_discovery_watch *watch;
    ares_channel channel; // NULL: no lookup is under way
    uint64_t begun_ns;
    uint64_t due_ns; // the next lookup, or the end of this one
    bool asked;      // at least once
    bool done;       // the answer is here
    int err;
    const char *why; // it failed
    struct ares_addrinfo *found;
    unsigned said;    // last
    uint64_t said_ns; // 0: nothing was ever said
};

struct discover {
    struct sw_discovery discovery;
    struct sw_discover_conf conf;
    int set; // epoll, of the sockets of all lookups
    LIST_HEAD(, name) names;
};

static int err_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return SW_OK;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
        return SW_E_NOT_FOUND;
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
        return SW_E_TIMEOUT;
    case ARES_ENOMEM:
        return SW_E_NOMEM;
    default:
        return SW_E_SYSTEM;
    }
}

// From inside c-ares: the channel must not go yet.
static void found(void *context, int status, int timeouts, struct ares_addrinfo *result)
{
    struct name *name = context;
    name->done = true;
    name->err = err_of(status);
    // Nobody but us cancels, when the time is over.
    name->why = ares_strerror(status == ARES_ECANCELLED ? ARES_ETIMEOUT : status);
    name->found = result;
}

static void socket_changed(void *context, ares_socket_t fd, int readable, int writable)
{
    struct name *name = context;
    int set = name->discover->set;
    struct epoll_event event = {
        .events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
        .data.fd = fd,
    };
    if (!readable && !writable) {
        (void)epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL);
    } else if (epoll_ctl(set, EPOLL_CTL_MOD, fd, &event) != 0) {
        (void)epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    }
}

static int open_channel(struct name *name)
{
    uint64_t each_ms = name->watch->timeout_ns / SW_NS_PER_MS / TRIES;
    struct ares_options options = {
        .timeout = (int)SW_MIN(SW_MAX(each_ms, TRY_MIN_MS), 5000),
        .tries = TRIES,
        .sock_state_cb = socket_changed,
        .sock_state_cb_data = name,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    int status = ares_init_options(&name->channel, &options, mask);
    if (status == ARES_SUCCESS && name->discover->conf.servers != NULL) {
        status = ares_set_servers_ports_csv(name->channel, name->discover->conf.servers);
    }
    return err_of(status);
}

static void close_channel(struct name *name)
{
    if (name->channel != NULL) {
        ares_destroy(name->channel);
        name->channel = NULL;
    }
    if (name->found != NULL) {
        ares_freeaddrinfo(name->found);
        name->found = NULL;
    }
}

static void begin_lookup(struct name *name, uint64_t now_ns)
{
    struct sw_discovery_watch *watch = name->watch;
    const struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = ARES_AI_NOSORT,
    };
    atomic_store_explicit(&watch->wanted, false, memory_order_relaxed);
    name->begun_ns = now_ns;
    name->due_ns =
        now_ns + (name->asked ? watch->timeout_ns : SW_MAX(watch->timeout_ns, FIRST_TIMEOUT_NS));
    name->asked = true;
    name->done = false;
    name->err = open_channel(name);
    name->why = sw_err_text(name->err);
    if (name->err == SW_OK) {
        ares_getaddrinfo(name->channel, watch->hostname, NULL, &hints, found, name);
    } else {
        name->done = true;
    }
}

static bool put_address(const struct sockaddr *addr, char text[ADDRESS_MAX])
{
    char plain[INET6_ADDRSTRLEN];
    char zone[IF_NAMESIZE + 1] = "";
    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
        return inet_ntop(AF_INET, &in->sin_addr, text, ADDRESS_MAX) != NULL;
    }
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)addr;
    if (addr->sa_family != AF_INET6
        || inet_ntop(AF_INET6, &in->sin6_addr, plain, sizeof(plain)) == NULL) {
        return false;
    }
    if (in->sin6_scope_id != 0) {
        zone[0] = '%';
        if (if_indextoname(in->sin6_scope_id, zone + 1) == NULL) {
            zone[0] = '\0';
        }
    }
    snprintf(text, ADDRESS_MAX, "[%s%s]", plain, zone);
    return true;
}

/* ---- what is found ---- */

struct addresses {
    const char **list;
    char (*texts)[ADDRESS_MAX];
    unsigned count;
    unsigned left_out;
};

static int compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

// Of too many the first ones by their text are taken, as name servers give them in any order.
static int collect(const struct ares_addrinfo_node *node, struct addresses *addresses)
{
    unsigned seen = 0;
    for (const struct ares_addrinfo_node *n = node; n != NULL; n = n->ai_next) {
        seen++;
    }
    unsigned room = SW_MIN(seen, ADDRESSES_SEEN_MAX);
    addresses->list = sw_alloc(SW_MAX(room, 1u) * sizeof(*addresses->list));
    addresses->texts = sw_alloc(SW_MAX(room, 1u) * sizeof(*addresses->texts));
    if (addresses->list == NULL || addresses->texts == NULL) {
        return SW_E_NOMEM;
    }
    for (; node != NULL && addresses->count < room; node = node->ai_next) {
        if (put_address(node->ai_addr, addresses->texts[addresses->count])) {
            addresses->list[addresses->count] = addresses->texts[addresses->count];
            addresses->count++;
        }
    }
    if (seen > SW_DISCOVERY_ADDRS_MAX && addresses->count > SW_DISCOVERY_ADDRS_MAX) {
        qsort(addresses->list, addresses->count, sizeof(*addresses->list), compare);
        addresses->left_out = seen - SW_DISCOVERY_ADDRS_MAX;
        addresses->count = SW_DISCOVERY_ADDRS_MAX;
    }
    return addresses->count > 0 ? SW_OK : SW_E_NOT_FOUND;
}

static const char *own_address(const struct addresses *addresses)
{
    const char *own = NULL;
    struct ifaddrs *all;
    char text[ADDRESS_MAX];
    if (addresses->count == 0 || getifaddrs(&all) != 0) {
        return NULL;
    }
    for (struct ifaddrs *one = all; own == NULL && one != NULL; one = one->ifa_next) {
        bool known = one->ifa_addr != NULL && put_address(one->ifa_addr, text);
        for (unsigned i = 0; known && own == NULL && i < addresses->count; i++) {
            own = strcmp(addresses->list[i], text) == 0 ? addresses->list[i] : NULL;
        }
    }
    freeifaddrs(all);
    return own;
}

// Several watches of one name (an exporter has one for each signal) are said once.
static bool was_said(const struct name *name, unsigned state)
{
    const struct name *other;
    LIST_FOREACH(other, &name->discover->names, link)
    {
        if (other != name && other->said_ns != 0 && other->said == state
            && strcmp(other->watch->hostname, name->watch->hostname) == 0) {
            return true;
        }
    }
    return false;
}

static void say(struct name *name, int err, const struct addresses *addresses, uint64_t now_ns)
{
    const struct sw_discover_conf *conf = &name->discover->conf;
    if (conf->told == NULL || (name->said_ns != 0 && now_ns < name->said_ns + NEWS_GAP_NS)) {
        return;
    }
    const struct sw_discover_news news = {
        .hostname = name->watch->hostname,
        .why = err == SW_OK         ? NULL
               : name->err != SW_OK ? name->why
                                    : sw_err_text(err),
        .failed = (name->said & FAILING) != 0,
        .left_out = addresses->left_out,
        .own = err == SW_OK ? own_address(addresses) : NULL,
    };
    unsigned state = (news.why != NULL ? FAILING : FINE) | (news.left_out > 0 ? TOO_MANY : FINE)
                     | (news.own != NULL ? OWN : FINE);
    if (state == name->said) {
        return;
    }
    if (!was_said(name, state)) {
        conf->told(conf->context, &news);
    }
    name->said = state;
    name->said_ns = now_ns;
}

static void tell(struct name *name, uint64_t now_ns)
{
    struct sw_discovery_watch *watch = name->watch;
    struct addresses addresses = {.count = 0};
    int err = name->err;
    if (err == SW_OK) {
        err = collect(name->found != NULL ? name->found->nodes : NULL, &addresses);
    }
    say(name, err, &addresses, now_ns);
    watch->answered(
        watch, err, addresses.list, err == SW_OK ? addresses.count : 0, addresses.left_out
    );
    sw_free(addresses.list);
    sw_free(addresses.texts);
}

static void step(struct name *name, uint64_t now_ns)
{
    struct sw_discovery_watch *watch = name->watch;
    if (name->channel != NULL && !name->done && now_ns >= name->due_ns) {
        ares_cancel(name->channel);
    }
    if (name->done) {
        tell(name, now_ns);
        close_channel(name);
        name->done = false;
        name->due_ns = SW_MAX(name->begun_ns + watch->interval_ns, now_ns);
        return;
    }
    if (name->channel != NULL) {
        ares_process_fd(name->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); // its own time limits
        return;
    }
    bool wanted = atomic_load_explicit(&watch->wanted, memory_order_relaxed)
                  && now_ns >= name->begun_ns + WANTED_GAP_NS;
    if (wanted || now_ns >= name->due_ns) {
        begin_lookup(name, now_ns);
    }
}

// A descriptor belongs to one of the channels; the others do not know it.
static void process(struct discover *discover, const struct epoll_event *event)
{
    ares_socket_t fd = event->data.fd;
    bool in = (event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
    bool out = (event->events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0;
    struct name *name;
    LIST_FOREACH(name, &discover->names, link)
    {
        if (name->channel != NULL && !name->done) {
            ares_process_fd(name->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
        }
    }
}

void sw_discover_poll(struct sw_discovery *discovery, uint64_t now_ns)
{
    struct discover *discover = (struct discover *)discovery;
    struct epoll_event events[16];
    int count = epoll_wait(discover->set, events, SW_ARRAY_SIZE(events), 0);
    for (int i = 0; i < count; i++) {
        process(discover, &events[i]);
    }
    struct name *name;
    LIST_FOREACH(name, &discover->names, link)
    {
        step(name, now_ns);
    }
}

static int begin(struct sw_discovery *discovery, struct sw_discovery_watch *watch)
{
    struct discover *discover = (struct discover *)discovery;
    struct name *name = sw_zalloc(sizeof(*name));
    if (name == NULL) {
        return SW_E_NOMEM;
    }
    name->discover = discover;
    name->watch = watch;
    watch->pending = name;
    LIST_INSERT_HEAD(&discover->names, name, link);
    return SW_OK;
}

static void end(struct sw_discovery *discovery, struct sw_discovery_watch *watch)
{
    struct name *name = watch->pending;
    if (name != NULL) {
        LIST_REMOVE(name, link);
        close_channel(name);
        sw_free(name);
        watch->pending = NULL;
    }
}

static const struct sw_discovery_ops discover_ops = {
    .begin = begin,
    .end = end,
};

int sw_discover_new(const struct sw_discover_conf *conf, struct sw_discovery **ret_discovery)
{
    struct discover *discover = sw_zalloc(sizeof(*discover));
    if (discover == NULL) {
        return SW_E_NOMEM;
    }
    int err = err_of(ares_library_init(ARES_LIB_INIT_ALL));
    if (err != SW_OK) {
        sw_free(discover);
        return err;
    }
    discover->discovery = (struct sw_discovery){.ops = &discover_ops, .mailbox = conf->mailbox};
    discover->conf = *conf;
    LIST_INIT(&discover->names);
    discover->set = epoll_create1(EPOLL_CLOEXEC);
    if (discover->set < 0) {
        ares_library_cleanup();
        sw_free(discover);
        return SW_E_SYSTEM;
    }
    *ret_discovery = &discover->discovery;
    return SW_OK;
}

void sw_discover_free(struct sw_discovery *discovery)
{
    struct discover *discover = (struct discover *)discovery;
    if (discover == NULL) {
        return;
    }
    SW_ASSERT(LIST_EMPTY(&discover->names));
    close(discover->set);
    ares_library_cleanup();
    sw_free(discover);
}

int sw_discover_fd(const struct sw_discovery *discovery)
{
    return ((const struct discover *)discovery)->set;
}
