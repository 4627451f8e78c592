#include "dataplane/send/proxy.h"

#include "dataplane/base/mem.h"
#include "dataplane/l4_stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void sw_proxy_fini(struct sw_proxy *proxy)
{
    sw_free(proxy->host);
    sw_free(proxy->authorization);
    *proxy = (struct sw_proxy){0};
}

/* ---- the proxy's URL ---- */

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

// user:password, %XX opened, in base64 behind "Basic ".
static char *basic(const char *user, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t size = 0;
    uint8_t *plain = sw_alloc(len + 2);
    char *text = sw_alloc((len + 3) / 3 * 4 + sizeof("Basic "));
    if (plain == NULL || text == NULL) {
        sw_free(plain);
        sw_free(text);
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        bool escaped =
            user[i] == '%' && i + 2 < len && hex(user[i + 1]) >= 0 && hex(user[i + 2]) >= 0;
        plain[size++] =
            escaped ? (uint8_t)(hex(user[i + 1]) << 4 | hex(user[i + 2])) : (uint8_t)user[i];
        i += escaped ? 2 : 0;
    }
    if (memchr(user, ':', len) == NULL) {
        plain[size++] = ':';
    }
    char *out = text + sprintf(text, "Basic ");
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        unsigned bits = (unsigned)plain[i] << 16;
        bits |= left > 1 ? (unsigned)plain[i + 1] << 8 : 0;
        bits |= left > 2 ? plain[i + 2] : 0;
        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 0x3f];
        *out++ = left > 1 ? digits[bits >> 6 & 0x3f] : '=';
        *out++ = left > 2 ? digits[bits & 0x3f] : '=';
    }
    *out = '\0';
    sw_free(plain);
    return text;
}

int sw_proxy_parse(const char *url, struct sw_proxy *ret_proxy, const char **ret_why)
{
    struct sw_endpoint endpoint;
    struct sw_proxy proxy = {0};
    const char *scheme = strstr(url, "://");
    if (scheme != NULL && strncasecmp(url, "http://", 7) != 0) {
        *ret_why = "only proxies with http:// are supported";
        return SW_E_UNSUPPORTED;
    }
    const char *rest = scheme != NULL ? scheme + 3 : url;
    size_t authority_len = strcspn(rest, "/?#");
    const char *at = memrchr(rest, '@', authority_len);
    if (at != NULL) {
        proxy.authorization = basic(rest, (size_t)(at - rest));
        if (proxy.authorization == NULL) {
            return SW_E_NOMEM;
        }
        rest = at + 1;
    }
    size_t size = strlen(rest) + sizeof("http://");
    char *plain = sw_alloc(size);
    int err = SW_E_NOMEM;
    if (plain != NULL) {
        snprintf(plain, size, "http://%s", rest);
        err = sw_endpoint_parse_url(plain, &endpoint, ret_why);
    }
    if (err == SW_OK) {
        proxy.host = sw_strndup(endpoint.host, endpoint.host_len);
        proxy.port = endpoint.port;
        err = proxy.host != NULL ? SW_OK : SW_E_NOMEM;
    }
    sw_free(plain);
    if (err != SW_OK) {
        sw_proxy_fini(&proxy);
        return err;
    }
    *ret_proxy = proxy;
    return SW_OK;
}

/* ---- NO_PROXY ---- */

static const uint8_t *address_bytes(const struct sw_addr *addr, unsigned *ret_bits)
{
    if (addr->sa.sa_family == AF_INET) {
        *ret_bits = 32;
        return (const uint8_t *)&addr->in4.sin_addr;
    }
    *ret_bits = 128;
    return (const uint8_t *)&addr->in6.sin6_addr;
}

static bool is_loopback(const struct sw_addr *addr)
{
    static const uint8_t v6[16] = {[15] = 1};
    unsigned bits = 0;
    const uint8_t *bytes = address_bytes(addr, &bits);
    return bits == 32 ? bytes[0] == 127 : memcmp(bytes, v6, sizeof(v6)) == 0;
}

static bool in_network(const struct sw_addr *addr, const char *network, unsigned long prefix)
{
    struct sw_addr other;
    unsigned bits = 0;
    unsigned other_bits = 0;
    if (sw_addr_parse(network, 1, &other) != SW_OK) {
        return false;
    }
    const uint8_t *a = address_bytes(addr, &bits);
    const uint8_t *b = address_bytes(&other, &other_bits);
    if (bits != other_bits || prefix > bits) {
        return false;
    }
    size_t whole = prefix / 8;
    unsigned rest = prefix % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);
    return memcmp(a, b, whole) == 0 && (rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

/** The host of a request. */
struct target {
    char host[256];
    uint16_t port;
    bool literal;
    struct sw_addr addr;
};

// "host:port" or "[v6]:port": cuts the port off. @return false: there is one and it is another
static bool cut_port(char *entry, uint16_t port)
{
    char *colon = strrchr(entry, ':');
    size_t len = strlen(entry);
    if (entry[0] == '[') {
        char *close = strchr(entry, ']');
        colon = close != NULL && close[1] == ':' ? close + 1 : NULL;
        if (close != NULL) {
            bool same = colon == NULL || strtoul(colon + 1, NULL, 10) == port;
            memmove(entry, entry + 1, (size_t)(close - entry - 1));
            entry[close - entry - 1] = '\0';
            return same;
        }
    }
    if (colon == NULL || colon == entry || strchr(entry, ':') != colon || colon[1] == '\0'
        || strspn(colon + 1, "0123456789") != len - (size_t)(colon + 1 - entry)) {
        return true; // none, or a v6 address
    }
    *colon = '\0';
    return strtoul(colon + 1, NULL, 10) == port;
}

static bool domain_matches(const char *entry, const char *host)
{
    bool exact = entry[0] != '.';
    if (strncmp(entry, "*.", 2) == 0) {
        entry++;
        exact = false;
    }
    const char *bare = entry[0] == '.' ? entry + 1 : entry;
    size_t len = strlen(bare);
    size_t host_len = strlen(host);
    if (exact && strcasecmp(bare, host) == 0) {
        return true;
    }
    return host_len > len && host[host_len - len - 1] == '.'
           && strcasecmp(host + host_len - len, bare) == 0;
}

static bool entry_matches(char *entry, const struct target *target)
{
    if (strcmp(entry, "*") == 0) {
        return true;
    }
    char *slash = strchr(entry, '/');
    if (slash != NULL) {
        *slash = '\0';
        return target->literal && in_network(&target->addr, entry, strtoul(slash + 1, NULL, 10));
    }
    if (!cut_port(entry, target->port)) {
        return false;
    }
    struct sw_addr addr;
    if (sw_addr_parse(entry, 1, &addr) == SW_OK) {
        return target->literal
               && in_network(&target->addr, entry, addr.sa.sa_family == AF_INET ? 32 : 128);
    }
    return domain_matches(entry, target->host);
}

static bool excluded(const char *no_proxy, const struct target *target)
{
    while (*no_proxy != '\0') {
        char entry[256];
        no_proxy += strspn(no_proxy, ", \t");
        size_t len = strcspn(no_proxy, ", \t");
        snprintf(entry, sizeof(entry), "%.*s", (int)len, no_proxy);
        no_proxy += len;
        if (entry[0] != '\0' && entry_matches(entry, target)) {
            return true;
        }
    }
    return false;
}

/* ---- the environment ---- */

static const char *variable(
    sw_environment_fn *environment,
    const char *upper,
    const char *lower,
    const char **ret_name
)
{
    const char *value = environment(upper);
    *ret_name = upper;
    if (value == NULL || value[0] == '\0') {
        value = environment(lower);
        *ret_name = lower;
    }
    return value != NULL ? value : "";
}

int sw_proxy_of_environment(
    sw_environment_fn *environment,
    const struct sw_endpoint *endpoint,
    bool https,
    struct sw_proxy *ret_proxy,
    const char **ret_variable,
    const char **ret_why
)
{
    struct target target = {.port = endpoint->port};
    const char *name = NULL;
    *ret_proxy = (struct sw_proxy){0};
    if (environment == NULL || endpoint->unix_socket) {
        return SW_OK;
    }
    const char *url = https ? variable(environment, "HTTPS_PROXY", "https_proxy", ret_variable)
                            : variable(environment, "HTTP_PROXY", "http_proxy", ret_variable);
    if (url[0] == '\0') {
        return SW_OK;
    }
    snprintf(target.host, sizeof(target.host), "%.*s", (int)endpoint->host_len, endpoint->host);
    target.literal = sw_addr_parse(target.host, 1, &target.addr) == SW_OK;
    if (strcasecmp(target.host, "localhost") == 0 || (target.literal && is_loopback(&target.addr))
        || excluded(variable(environment, "NO_PROXY", "no_proxy", &name), &target)) {
        return SW_OK;
    }
    return sw_proxy_parse(url, ret_proxy, ret_why);
}
