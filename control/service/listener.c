#include "control/service/listener.h"

#include "dataplane/base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACCEPTS_PER_POLL 64
#define BACKLOG          4096

struct sw_listener {
    struct sw_listener_conf conf;
    struct sw_dealer *dealer;
    int fd;
    uint16_t port;
    bool has_path; // a unix socket in the file system, made by us
    char address[128];
};

/* An accepted connection on its way to its worker. */
struct handover {
    struct sw_message message;
    void (*accept)(void *context, struct sw_core *core, struct sw_stream *stream);
    void *context;
    int fd;
    struct sw_addr peer;
};

int sw_endpoint_split(const char *endpoint, char *ret_host, size_t host_size, uint16_t *ret_port)
{
    const char *colon = strrchr(endpoint, ':');
    if (colon == NULL) {
        return SW_E_INVALID;
    }
    const char *host = endpoint;
    size_t len = (size_t)(colon - endpoint);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    } else if (memchr(host, ':', len) != NULL) {
        return SW_E_INVALID; // an IPv6 address needs brackets
    }
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (len >= host_size || colon[1] < '0' || colon[1] > '9' || *end != '\0' || port > 65535) {
        return SW_E_INVALID;
    }
    memcpy(ret_host, host, len);
    ret_host[len] = '\0';
    *ret_port = (uint16_t)port;
    return SW_OK;
}

static bool has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static void set_port(struct sw_addr *addr, uint16_t port)
{
    if (addr->sa.sa_family == AF_INET) {
        addr->in4.sin_port = htons(port);
    } else {
        addr->in6.sin6_port = htons(port);
    }
}

int sw_endpoint_resolve(const char *host, uint16_t port, struct sw_addr *ret_addr)
{
    if (host[0] == '\0') {
        return sw_addr_parse(has_ipv6() ? "::" : "0.0.0.0", port, ret_addr);
    }
    if (sw_addr_parse(host, port, ret_addr) == SW_OK) {
        return SW_OK;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return SW_E_NOT_FOUND;
    }
    const struct addrinfo *best = found;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        if (at->ai_family == AF_INET) {
            best = at;
            break;
        }
    }
    memset(ret_addr, 0, sizeof(*ret_addr));
    memcpy(&ret_addr->sa, best->ai_addr, best->ai_addrlen);
    ret_addr->len = best->ai_addrlen;
    set_port(ret_addr, port);
    freeaddrinfo(found);
    return SW_OK;
}

static int listen_on(struct sw_listener *listener, const char *host, uint16_t port)
{
    struct sw_addr addr;
    int err = sw_endpoint_resolve(host, port, &addr);
    if (err == SW_OK) {
        err = sw_socket_listen(&addr, BACKLOG, &listener->fd, &listener->port);
    }
    if (err == SW_OK) {
        set_port(&addr, listener->port);
        sw_addr_text(&addr, listener->address, sizeof(listener->address));
    }
    return err;
}

// Go's net.Listen("unix", …): no leftover of another process is taken away.
static int listen_on_path(struct sw_listener *listener)
{
    const char *path = listener->conf.endpoint;
    struct sw_addr addr = {.un = {.sun_family = AF_UNIX}};
    size_t len = strlen(path);
    bool abstract = path[0] == '@';
    if (len == 0 || len >= sizeof(addr.un.sun_path)) {
        errno = EINVAL;
        return SW_E_SYSTEM;
    }
    memcpy(addr.un.sun_path, path, len);
    addr.un.sun_path[0] = abstract ? '\0' : path[0];
    addr.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (abstract ? 0 : 1));
    int err = sw_socket_listen(&addr, BACKLOG, &listener->fd, NULL);
    if (err == SW_OK) {
        listener->has_path = !abstract;
        snprintf(listener->address, sizeof(listener->address), "%s", path);
    }
    return err;
}

static int listen_on_port(struct sw_listener *listener)
{
    char host[256];
    uint16_t port;
    if (sw_endpoint_split(listener->conf.endpoint, host, sizeof(host), &port) != SW_OK) {
        return SW_E_INVALID;
    }
    return listen_on(listener, host, port);
}

static void tell(const struct sw_listener *listener, int err, char *error, size_t error_size)
{
    const char *endpoint = listener->conf.endpoint;
    const char *network = listener->conf.unix_socket ? "unix" : "tcp";
    if (err == SW_E_INVALID) {
        snprintf(error, error_size, "listen tcp: address %s: host:port expected", endpoint);
        return;
    }
    const char *why = err == SW_E_NOT_FOUND ? "no such host" : strerror(errno);
    snprintf(error, error_size, "listen %s %s: bind: %s", network, endpoint, why);
}

int sw_listener_open(
    const struct sw_listener_conf *conf,
    struct sw_dealer *dealer,
    struct sw_listener **ret_listener,
    char *error,
    size_t error_size
)
{
    struct sw_listener *listener = sw_zalloc(sizeof(*listener));
    if (listener == NULL) {
        snprintf(error, error_size, "%s", sw_err_text(SW_E_NOMEM));
        return SW_E_NOMEM;
    }
    listener->conf = *conf;
    listener->dealer = dealer;
    listener->fd = -1;
    int err = conf->unix_socket ? listen_on_path(listener) : listen_on_port(listener);
    if (err != SW_OK) {
        tell(listener, err, error, error_size);
        sw_listener_close(listener);
        return err;
    }
    *ret_listener = listener;
    return SW_OK;
}

void sw_listener_close(struct sw_listener *listener)
{
    if (listener != NULL) {
        if (listener->fd >= 0) {
            close(listener->fd);
        }
        if (listener->has_path) {
            unlink(listener->conf.endpoint);
        }
        sw_free(listener);
    }
}

int sw_listener_fd(const struct sw_listener *listener)
{
    return listener->fd;
}

const char *sw_listener_address(const struct sw_listener *listener)
{
    return listener->address;
}

static unsigned least_loaded(const struct sw_listener *listener)
{
    unsigned best = 0;
    uint64_t least = UINT64_MAX;
    for (unsigned core = 0; core < listener->conf.cores_count; core++) {
        uint64_t ended = atomic_load_explicit(
            &listener->conf.cores[core]->accepted_ended_count, memory_order_relaxed
        );
        uint64_t open_count = listener->dealer->dealt_count[core] - ended;
        if (open_count < least) {
            least = open_count;
            best = core;
        }
    }
    return best;
}

// On the worker.
static void take_over(struct sw_message *message, void *receiver)
{
    struct handover *handover = (struct handover *)message;
    struct sw_core *core = receiver;
    struct sw_stream *stream;
    int err = sw_net_adopt(core->net, handover->fd, &handover->peer, NULL, NULL, &stream);
    if (err == SW_OK) {
        handover->accept(handover->context, core, stream);
    } else {
        atomic_fetch_add_explicit(&core->accepted_ended_count, 1, memory_order_relaxed);
    }
    sw_mailbox_return(core->mailbox, message);
}

static void handover_done(struct sw_message *message, void *sender)
{
    sw_free(message);
}

static void deal(struct sw_listener *listener, int fd, const struct sw_addr *peer)
{
    struct handover *handover = sw_zalloc(sizeof(*handover));
    if (handover == NULL) {
        close(fd);
        return;
    }
    unsigned core = least_loaded(listener);
    listener->dealer->dealt_count[core]++;
    handover->message = (struct sw_message){.deliver = take_over, .returned = handover_done};
    handover->accept = listener->conf.accept;
    handover->context = listener->conf.context;
    handover->fd = fd;
    handover->peer = *peer;
    sw_mailbox_send(listener->conf.mailbox, core, &handover->message);
}

bool sw_listener_poll(struct sw_listener *listener)
{
    for (unsigned i = 0; i < ACCEPTS_PER_POLL; i++) {
        int fd;
        struct sw_addr peer;
        int err = sw_socket_accept(listener->fd, &fd, &peer);
        if (err == SW_E_AGAIN) {
            return true;
        }
        if (err != SW_OK) {
            return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
        }
        deal(listener, fd, &peer);
    }
    return true;
}
