/* metrics.c - see metrics.h */
#include "gateway/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http_server.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/metrics_text.h"
#include "gateway/parts.h"
#include "smtp/smtp_access.h"

enum {
    TEXT_MAX = 4 * 1024 * 1024, /* far above what a hundred listeners and relays come to */
    HEADER_MAX = 8 * 1024,
    PROBLEM_MAX = 1000,
    CONNECTIONS_MAX = 16,
    ANSWERS_MAX = 16 * 1024 * 1024,
    TIMEOUT_MS = 10 * 1000,
    KEPT_MS = 1000, /* who asks more often than that gets the same figures */
};

struct metrics {
    struct gateway *gateway;
    struct http_server *server;  /* NULL: nobody is told anything */
    struct smtp_access *clients; /* NULL: everybody who can connect */
    struct strbuf text;
    int64_t text_at; /* monotonic; 0: there is none yet */
};

static void refuse(struct http_request *request, int status, const char *words)
{
    http_answer(request, status, "text/plain; charset=utf-8", words, strlen(words), NULL);
}

static void answer_metrics(struct metrics *metrics, struct http_request *request)
{
    int64_t now = clock_monotonic_ms(gateway_parts(metrics->gateway)->clock);
    if (metrics->text_at == 0 || now - metrics->text_at >= KEPT_MS) {
        strbuf_free(&metrics->text);
        strbuf_init(&metrics->text, TEXT_MAX);
        metrics_collect(metrics->gateway, &metrics->text);
        metrics->text_at = now;
    }
    if (strbuf_ok(&metrics->text))
        http_answer(request, 200, METRICS_TEXT_TYPE, metrics->text.data, metrics->text.len, NULL);
    else
        refuse(request, 500, "the figures are longer than 4 MiB\n");
}

static void answer_health(struct metrics *metrics, struct http_request *request,
                          enum health (*judge)(const struct health_facts *facts, struct strbuf *out))
{
    struct strbuf text;
    struct health_facts facts;
    strbuf_init(&text, 8 * 1024);
    health_find_facts(metrics->gateway, &facts);
    enum health health = judge(&facts, &text);
    http_answer(request, health == HEALTH_BAD ? 503 : 200, "application/json", text.data, text.len, NULL);
    strbuf_free(&text);
    free(facts.hold_problem);
}

static bool may_ask(const struct metrics *metrics, const struct http_request *request)
{
    if (!metrics->clients)
        return true;
    char *address = smtp_access_address_of_peer(http_request_peer(request));
    bool may = smtp_access_allows(metrics->clients, address);
    free(address);
    return may;
}

static void on_request(struct http_request *request, void *ctx)
{
    struct metrics *metrics = ctx;
    const char *path = http_request_path(request);
    if (!may_ask(metrics, request))
        refuse(request, 403, "metrics.clients does not name this client\n");
    else if (http_request_method(request) == HTTP_POST)
        refuse(request, 405, "figures are asked for by GET\n");
    else if (strcmp(path, "/metrics") == 0)
        answer_metrics(metrics, request);
    else if (strcmp(path, "/healthz") == 0)
        answer_health(metrics, request, health_judge_life);
    else if (strcmp(path, "/readyz") == 0)
        answer_health(metrics, request, health_judge_readiness);
    else
        refuse(request, 404, "there are /metrics, /healthz and /readyz\n");
}

static int use_clients(struct metrics *metrics, const struct config *config, char **error_out)
{
    struct smtp_access *clients = NULL;
    if (config->metrics.clients &&
        !(clients = smtp_access_new((const char *const *)config->metrics.clients, error_out)))
        return -1;
    smtp_access_free(&metrics->clients);
    metrics->clients = clients;
    return 1;
}

/* Who is listed by address may call us by any name; a browser on this machine may not be made to ask for others. */
static int open_server(struct metrics *metrics, const struct config *config, char **error_out)
{
    static const char *const any_host[] = { "*", NULL };
    struct http_server_settings settings = { .loop = gateway_parts(metrics->gateway)->loop,
                                             .name = "metrics",
                                             .address = config->metrics.http,
                                             .hosts = config->metrics.clients ? any_host : NULL,
                                             .header_max = HEADER_MAX,
                                             .answers_max = ANSWERS_MAX,
                                             .connections_max = CONNECTIONS_MAX,
                                             .timeout_ms = TIMEOUT_MS,
                                             .handler = on_request,
                                             .ctx = metrics };
    char *error = NULL;
    metrics->server = http_server_new(&settings, &error);
    if (!metrics->server) {
        struct strbuf text;
        strbuf_init(&text, PROBLEM_MAX);
        strbuf_add_fmt(&text, "can't tell figures (metrics.http): %s", error);
        *error_out = strbuf_detach(&text);
        free(error);
        return -1;
    }
    log_info("metrics.open", "address=%s", http_server_address(metrics->server));
    return 1;
}

struct metrics *metrics_new(struct gateway *gateway, const struct config *config, char **error_out)
{
    struct metrics *metrics = xcalloc(1, sizeof *metrics);
    metrics->gateway = gateway;
    strbuf_init(&metrics->text, TEXT_MAX);
    if (!config->metrics.http ||
        (use_clients(metrics, config, error_out) == 1 && open_server(metrics, config, error_out) == 1))
        return metrics;
    metrics_free(&metrics);
    return NULL;
}

void metrics_free(struct metrics **metrics_in)
{
    struct metrics *metrics = *metrics_in;
    if (!metrics)
        return;
    if (metrics->server)
        http_server_free(&metrics->server);
    smtp_access_free(&metrics->clients);
    strbuf_free(&metrics->text);
    free(metrics);
    *metrics_in = NULL;
}

/* They could be read a moment ago, with the configuration. */
void metrics_reconfigure(struct metrics *metrics, const struct config *config)
{
    char *error = NULL;
    if (metrics->server && use_clients(metrics, config, &error) < 0)
        log_error("metrics.clients", "error=%s", error);
    free(error);
}
