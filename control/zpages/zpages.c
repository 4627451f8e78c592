#include "control/zpages/zpages.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS_MAX 16

struct sw_zpages {
    struct sw_zpages_view view;
    struct sw_admin_server *server;
};

static const char *const signal_words[] = {"traces", "metrics", "logs", "profiles"};

/* ---- HTML ---- */

static void put_text(struct sw_string *page, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        switch (*at) {
        case '&':
            sw_string_put(page, "&amp;");
            break;
        case '<':
            sw_string_put(page, "&lt;");
            break;
        case '>':
            sw_string_put(page, "&gt;");
            break;
        case '"':
            sw_string_put(page, "&#34;");
            break;
        case '\'':
            sw_string_put(page, "&#39;");
            break;
        default:
            sw_string_putc(page, *at);
        }
    }
}

static void put_head(struct sw_string *page, const char *title)
{
    sw_string_put(
        page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>"
    );
    put_text(page, title);
    sw_string_put(
        page,
        "</title>\n<style>body{font-family:sans-serif}table{border-collapse:collapse}"
        "td,th{border:1px solid #ccc;padding:.2em "
        ".6em;text-align:left}</style>\n</head>\n<body>\n<h1>"
    );
    put_text(page, title);
    sw_string_put(page, "</h1>\n");
}

static void put_foot(struct sw_string *page)
{
    sw_string_put(page, "</body>\n</html>\n");
}

static void put_columns(struct sw_string *page, const char *const *names, size_t count)
{
    sw_string_put(page, "<table>\n<tr>");
    for (size_t i = 0; i < count; i++) {
        sw_string_put(page, "<th>");
        put_text(page, names[i]);
        sw_string_put(page, "</th>");
    }
    sw_string_put(page, "</tr>\n");
}

static void put_cell(struct sw_string *page, const char *text)
{
    sw_string_put(page, "<td>");
    put_text(page, text);
    sw_string_put(page, "</td>");
}

static void put_row(struct sw_string *page, const char *name, const char *value)
{
    sw_string_put(page, "<tr>");
    put_cell(page, name);
    put_cell(page, value);
    sw_string_put(page, "</tr>\n");
}

/* ---- pages ---- */

static void put_service(const struct sw_zpages *zpages, struct sw_string *page)
{
    static const char *const links[] = {"pipelinez", "extensionz", "featurez", "tracez"};
    char text[64];
    time_t seconds = (time_t)(zpages->view.started_wall_ns / SW_NS_PER_S);
    struct tm tm;
    put_head(page, "Service spanweir");
    sw_string_put(page, "<h2>Build Info</h2>\n<table>\n");
    put_row(page, "Command", "spanweir");
    put_row(page, "Description", "OpenTelemetry gateway");
    put_row(page, "Version", zpages->view.version);
    sw_string_put(page, "</table>\n<h2>Runtime Info</h2>\n<table>\n");
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
    put_row(page, "StartTimestamp", text);
    snprintf(text, sizeof(text), "%u", zpages->view.workers_count);
    put_row(page, "Workers", text);
    sw_string_put(page, "</table>\n<ul>\n");
    for (size_t i = 0; i < SW_ARRAY_SIZE(links); i++) {
        sw_string_format(page, "<li><a href=\"/debug/%s\">%s</a></li>\n", links[i], links[i]);
    }
    sw_string_put(page, "</ul>\n");
}

static void
put_components(struct sw_string *page, const struct sw_conf_component *const *items, size_t count)
{
    sw_string_put(page, "<td>");
    for (size_t i = 0; i < count; i++) {
        sw_string_put(page, i > 0 ? "<br>" : "");
        put_text(page, items[i]->id);
    }
    sw_string_put(page, "</td>");
}

static void put_pipelines(const struct sw_zpages *zpages, struct sw_string *page)
{
    static const char *const columns[] = {
        "FullName", "InputType", "Receivers", "Processors", "Exporters"};
    const struct sw_conf *conf = zpages->view.conf;
    put_head(page, "Pipelines");
    put_columns(page, columns, SW_ARRAY_SIZE(columns));
    for (size_t i = 0; i < conf->pipelines_count; i++) {
        const struct sw_conf_pipeline *pipeline = &conf->pipelines[i];
        SW_ASSERT(pipeline->signal < SW_ARRAY_SIZE(signal_words));
        sw_string_put(page, "<tr>");
        put_cell(page, pipeline->id);
        put_cell(page, signal_words[pipeline->signal]);
        put_components(page, pipeline->receivers, pipeline->receivers_count);
        put_components(page, pipeline->processors, pipeline->processors_count);
        put_components(page, pipeline->exporters, pipeline->exporters_count);
        sw_string_put(page, "</tr>\n");
    }
    sw_string_put(page, "</table>\n");
}

static void put_extensions(const struct sw_zpages *zpages, struct sw_string *page)
{
    static const char *const columns[] = {"FullName", "What it does"};
    const struct sw_conf *conf = zpages->view.conf;
    put_head(page, "Extensions");
    put_columns(page, columns, SW_ARRAY_SIZE(columns));
    for (size_t i = 0; i < conf->extensions_count; i++) {
        const struct sw_conf_component *extension = conf->extensions[i];
        const char *help = extension->component->help;
        put_row(page, extension->id, help != NULL ? help : "");
    }
    sw_string_put(page, "</table>\n");
}

static void put_features(const struct sw_zpages *zpages, struct sw_string *page)
{
    static const char *const columns[] = {"ID", "Enabled", "Stage", "Description"};
    struct sw_conf_gate_view gate;
    put_head(page, "Feature Gates");
    put_columns(page, columns, SW_ARRAY_SIZE(columns));
    for (size_t i = 0; sw_conf_gate_at(zpages->view.conf, i, &gate); i++) {
        sw_string_put(page, "<tr>");
        put_cell(page, gate.id);
        put_cell(page, gate.on ? "true" : "false");
        put_cell(page, gate.stage);
        put_cell(page, gate.help);
        sw_string_put(page, "</tr>\n");
    }
    sw_string_put(page, "</table>\n");
}

static void put_traces(const struct sw_zpages *zpages, struct sw_string *page)
{
    (void)zpages;
    put_head(page, "Trace Spans");
    sw_string_put(page, "<p>spanweir makes no spans of its own.</p>\n");
}

void sw_zpages_answer(
    const struct sw_zpages *zpages,
    const struct sw_admin_request *request,
    struct sw_admin_reply *reply
)
{
    static const struct {
        const char *path;
        void (*put)(const struct sw_zpages *zpages, struct sw_string *page);
    } pages[] = {
        {"/debug/servicez", put_service},
        {"/debug/pipelinez", put_pipelines},
        {"/debug/extensionz", put_extensions},
        {"/debug/featurez", put_features},
        {"/debug/tracez", put_traces},
    };
    for (size_t i = 0; i < SW_ARRAY_SIZE(pages); i++) {
        if (strcmp(request->path, pages[i].path) == 0) {
            reply->content_type = "text/html; charset=utf-8";
            pages[i].put(zpages, &reply->body);
            put_foot(&reply->body);
            return;
        }
    }
    sw_admin_not_found(reply);
}

static void
handle(void *context, const struct sw_admin_request *request, struct sw_admin_reply *reply)
{
    sw_zpages_answer(context, request, reply);
}

/* ---- the extension ---- */

int sw_zpages_new(
    const struct sw_zpages_conf *conf,
    const struct sw_zpages_view *view,
    struct sw_zpages **ret_zpages
)
{
    struct sw_zpages *zpages = sw_zalloc(sizeof(*zpages));
    if (zpages == NULL) {
        return SW_E_NOMEM;
    }
    zpages->view = *view;
    int64_t read_ns = conf->server.read_header_timeout_ns;
    struct sw_admin_conf server = {
        .read_timeout_ns = (uint64_t)(read_ns > 0 ? read_ns : conf->server.read_timeout_ns),
        .write_timeout_ns = (uint64_t)conf->server.write_timeout_ns,
        .idle_timeout_ns = (uint64_t)conf->server.idle_timeout_ns,
        .connections_max = CONNECTIONS_MAX,
        .handle = handle,
        .context = zpages,
    };
    int err = sw_admin_server_new(&server, &zpages->server);
    if (err != SW_OK) {
        sw_zpages_free(zpages);
        return err;
    }
    *ret_zpages = zpages;
    return SW_OK;
}

void sw_zpages_free(struct sw_zpages *zpages)
{
    if (zpages != NULL) {
        sw_admin_server_free(zpages->server);
        sw_free(zpages);
    }
}

int sw_zpages_listen(struct sw_zpages *zpages, const struct sw_addr *addr, uint16_t *ret_port)
{
    return sw_admin_server_listen(zpages->server, addr, ret_port);
}

int sw_zpages_fd(const struct sw_zpages *zpages)
{
    return sw_admin_server_fd(zpages->server);
}

uint64_t sw_zpages_poll(struct sw_zpages *zpages, uint64_t now_ns)
{
    return sw_admin_server_poll(zpages->server, now_ns);
}
