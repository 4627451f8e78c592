#include "dataplane/base/err.h"
#include "dataplane/l4_stream/stream.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text_in6(const struct sockaddr_in6 *in6, char *ret_text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    // An IPv4 peer of a dual-stack listener is shown as what it is, as Go does.
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof(host));
        snprintf(ret_text, size, "%s:%u", host, ntohs(in6->sin6_port));
        return;
    }
    inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
    if (in6->sin6_scope_id != 0) {
        snprintf(ret_text, size, "[%s%%%u]:%u", host, in6->sin6_scope_id, ntohs(in6->sin6_port));
    } else {
        snprintf(ret_text, size, "[%s]:%u", host, ntohs(in6->sin6_port));
    }
}

void sw_addr_text(const struct sw_addr *addr, char *ret_text, size_t size)
{
    if (size == 0) {
        return;
    }
    ret_text[0] = '\0';
    if (addr->len == 0) {
        return;
    }
    char host[INET_ADDRSTRLEN] = "?";
    switch (addr->sa.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &addr->in4.sin_addr, host, sizeof(host));
        snprintf(ret_text, size, "%s:%u", host, ntohs(addr->in4.sin_port));
        break;
    case AF_INET6:
        text_in6(&addr->in6, ret_text, size);
        break;
    case AF_UNIX: {
        // The path need not be terminated; the client side of a pair has none at all.
        size_t path_at = offsetof(struct sockaddr_un, sun_path);
        size_t path_len = addr->len > path_at ? addr->len - path_at : 0;
        snprintf(ret_text, size, "unix:%.*s", (int)path_len, addr->un.sun_path);
        break;
    }
    default:
        snprintf(ret_text, size, "family %d", addr->sa.sa_family);
    }
}

static int parse_unix(const char *path, struct sw_addr *ret_addr)
{
    // unix:///path as well as unix:/path.
    if (strncmp(path, "//", 2) == 0) {
        path += 2;
    }
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(ret_addr->un.sun_path)) {
        return SW_E_INVALID;
    }
    *ret_addr = (struct sw_addr){.un = {.sun_family = AF_UNIX}};
    memcpy(ret_addr->un.sun_path, path, len + 1);
    ret_addr->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return SW_OK;
}

static int parse_scope(const char *scope, uint32_t *ret_id)
{
    char *end;
    unsigned long number = strtoul(scope, &end, 10);
    uint32_t id = *scope != '\0' && *end == '\0' ? (uint32_t)number : if_nametoindex(scope);
    if (id == 0) {
        return SW_E_INVALID;
    }
    *ret_id = id;
    return SW_OK;
}

static int parse_in6(const char *host, uint16_t port, struct sw_addr *ret_addr)
{
    char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
    size_t len = strlen(host);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len >= sizeof(text)) {
        return SW_E_INVALID;
    }
    memcpy(text, host, len);
    text[len] = '\0';
    struct sw_addr addr = {
        .in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)},
        .len = sizeof(addr.in6),
    };
    char *percent = strchr(text, '%');
    if (percent != NULL) {
        *percent = '\0';
        if (parse_scope(percent + 1, &addr.in6.sin6_scope_id) != SW_OK) {
            return SW_E_INVALID;
        }
    }
    if (inet_pton(AF_INET6, text, &addr.in6.sin6_addr) != 1) {
        return SW_E_INVALID;
    }
    *ret_addr = addr;
    return SW_OK;
}

int sw_addr_parse(const char *host, uint16_t port, struct sw_addr *ret_addr)
{
    if (strncmp(host, "unix:", 5) == 0) {
        return parse_unix(host + 5, ret_addr);
    }
    struct sw_addr addr = {
        .in4 = {.sin_family = AF_INET, .sin_port = htons(port)},
        .len = sizeof(addr.in4),
    };
    if (inet_pton(AF_INET, host, &addr.in4.sin_addr) == 1) {
        *ret_addr = addr;
        return SW_OK;
    }
    return parse_in6(host, port, ret_addr);
}
