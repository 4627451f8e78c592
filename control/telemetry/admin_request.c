/* Requests of peers, taken apart (RFC 9112): as much as a page that is only fetched needs. */
#include "control/telemetry/admin_http_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// Methods and header names are tokens (RFC 9110, 5.6.2).
static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr("!#$%&'*+-.^_`|~", text[i]) == NULL) {
            return false;
        }
    }
    return len > 0;
}

static void parse_request_line(char *line, struct sw_admin_head *ret_head)
{
    ret_head->error = 400;
    char *target = strchr(line, ' ');
    char *version = target != NULL ? strchr(target + 1, ' ') : NULL;
    if (version == NULL || !is_token(line, (size_t)(target - line))) {
        return;
    }
    *target++ = '\0';
    *version++ = '\0';
    if (strncmp(version, "HTTP/", 5) != 0) {
        return;
    }
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) {
        ret_head->error = 505;
        return;
    }
    ret_head->keep_alive = version[7] == '1';
    if (strncasecmp(target, "http://", 7) == 0) { // absolute form, as a proxy sends it
        target = strchr(target + 7, '/');
    }
    if (target == NULL || target[0] != '/') {
        return;
    }
    char *query = strchr(target, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    ret_head->request.method = line;
    ret_head->request.path = target;
    ret_head->request.query = query != NULL ? query : "";
    ret_head->error = 0;
}

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; *at != '\0';) {
        at += strspn(at, " \t,");
        size_t item = strcspn(at, ",");
        size_t trimmed = item;
        while (trimmed > 0 && (at[trimmed - 1] == ' ' || at[trimmed - 1] == '\t')) {
            trimmed--;
        }
        if (trimmed == len && strncasecmp(at, word, len) == 0) {
            return true;
        }
        at += item;
    }
    return false;
}

static void parse_length(const char *value, struct sw_admin_head *head)
{
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || digits > 18 || value[digits] != '\0') {
        head->error = 400;
        return;
    }
    head->body_bytes = strtoull(value, NULL, 10);
}

static void parse_header(char *line, struct sw_admin_head *head)
{
    char *colon = strchr(line, ':');
    if (colon == NULL || !is_token(line, (size_t)(colon - line))) {
        head->error = 400;
        return;
    }
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
        value[--len] = '\0';
    }
    if (strcasecmp(line, "accept") == 0 && head->request.accept[0] == '\0') {
        head->request.accept = value;
    } else if (strcasecmp(line, "content-length") == 0) {
        parse_length(value, head);
    } else if (strcasecmp(line, "transfer-encoding") == 0) {
        head->has_coding = true;
    } else if (strcasecmp(line, "connection") == 0) {
        head->keep_alive =
            !has_word(value, "close") && (head->keep_alive || has_word(value, "keep-alive"));
    }
}

void sw_admin_parse_head(char *text, struct sw_admin_head *ret_head)
{
    *ret_head = (struct sw_admin_head){
        .request = {.method = "", .path = "", .query = "", .accept = ""},
    };
    bool first = true;
    for (char *line = text; line != NULL && *line != '\0' && ret_head->error == 0;) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end = '\0';
            if (end > line && end[-1] == '\r') {
                end[-1] = '\0';
            }
        }
        if (first) {
            parse_request_line(line, ret_head);
        } else if (*line != '\0') {
            parse_header(line, ret_head);
        }
        first = false;
        line = end != NULL ? end + 1 : NULL;
    }
}

size_t sw_admin_head_len(const char *data, size_t len)
{
    const char *at = data;
    const char *end = data + len;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if (at < end && *at == '\n') {
            return (size_t)(at + 1 - data);
        }
        if (end - at >= 2 && at[0] == '\r' && at[1] == '\n') {
            return (size_t)(at + 2 - data);
        }
    }
    return 0;
}
