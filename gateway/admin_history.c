/* admin_history.c - what went through in the last days */
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/history.h"

enum { HOURS_DEFAULT = 24, STEP_MAX_HOURS = 24 };
static const int64_t hour_ms = INT64_C(3600) * 1000;

static void add_took(struct admin_output *out, const char *key, int64_t took_ms)
{
    if (took_ms >= 0)
        admin_output_int(out, key, took_ms);
    else
        admin_output_string(out, key, NULL);
}

static void add_step(const struct history_step *step, void *ctx)
{
    static const char *const names[] = {
        [STORE_HISTORY_ACCEPTED] = "accepted", [STORE_HISTORY_HELD] = "held",
        [STORE_HISTORY_REPEATED] = "repeated", [STORE_HISTORY_REJECTED] = "rejected",
        [STORE_HISTORY_DEFERRED] = "deferred", [STORE_HISTORY_POSTED] = "posted",
        [STORE_HISTORY_MESSAGES] = "messages", [STORE_HISTORY_DELIVERED] = "delivered",
        [STORE_HISTORY_RETRIED] = "retried",   [STORE_HISTORY_FAILED] = "failed",
    };
    struct admin_output *out = ctx;
    admin_output_row(out);
    admin_output_time(out, "from", step->at);
    admin_output_bool(out, "running", step->was_there);
    for (int i = 0; i < STORE_HISTORY_COUNT; i++)
        admin_output_int(out, names[i], step->counts[i]);
    add_took(out, "posted_median_ms", step->posted_median_ms);
    add_took(out, "posted_p95_ms", step->posted_p95_ms);
    add_took(out, "delivered_median_ms", step->delivered_median_ms);
    add_took(out, "delivered_p95_ms", step->delivered_p95_ms);
    admin_output_int(out, "queue_in", step->queue_in);
    admin_output_int(out, "queue_out", step->queue_out);
    admin_output_end(out);
}

/* People read hours, programs draw ten minutes. 1; -1 after having answered. */
static int take_step(struct admin_request *request, int64_t *step_out)
{
    const char *text = admin_option(request, "--step");
    *step_out = request->json ? STORE_HISTORY_SLOT_MS : hour_ms;
    if (!text)
        return 1;
    if (config_parse_duration(text, step_out) == 1 && *step_out >= STORE_HISTORY_SLOT_MS &&
        *step_out <= STEP_MAX_HOURS * hour_ms && *step_out % STORE_HISTORY_SLOT_MS == 0)
        return 1;
    admin_misused(request, "--step is \"%s\"; expected 10m, or a multiple of it up to 24h", text);
    return -1;
}

void admin_history(struct admin_request *request)
{
    struct admin_output *out = request->output;
    int64_t hours = HOURS_DEFAULT, step_ms;
    if (admin_number_option(request, "--hours", HISTORY_KEPT_HOURS, &hours) < 0 || take_step(request, &step_ms) < 0)
        return;
    admin_output_int(out, "hours", hours);
    admin_output_int(out, "step_s", step_ms / 1000);
    admin_output_list(out, "steps");
    int result = history_list(gateway_history(request->gateway), (unsigned)hours, step_ms, add_step, out);
    admin_output_end(out);
    admin_finish_read(request, result);
}
