/* ctl_state.c - see ctl_state.h */
#include "gateway/ctl_state.h"

#include <unistd.h>

#include "base/strbuf.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/ctl_progress.h"

enum { SHOWN_MAX = 1024 * 1024 };

int ctl_state_fail(const char *what, const char *why)
{
    fprintf(stderr, "posternctl: %s: %s\n", what, why);
    return -1;
}

void ctl_state_database(const struct config *config, struct strbuf *out)
{
    strbuf_init(out, 4096);
    strbuf_add_fmt(out, "%s/postern.db", config->state_dir);
}

static void show_progress(const char *what, uint64_t done, uint64_t total, void *ctx)
{
    struct ctl_state_bar *bar = ctx;
    if (bar->what != what) {
        ctl_state_bar_clear(bar);
        bar->progress = ctl_progress_new(what, CTL_PROGRESS_OCTETS, total);
        bar->what = what;
    }
    ctl_progress_set(bar->progress, done);
}

struct store_backup_watch ctl_state_watch(struct ctl_state_bar *bar)
{
    return (struct store_backup_watch){ .show = show_progress, .ctx = bar };
}

void ctl_state_bar_clear(struct ctl_state_bar *bar)
{
    ctl_progress_free(&bar->progress);
    bar->what = NULL;
}

void ctl_state_add_about(struct admin_output *output, const struct store_backup_about *about)
{
    admin_output_time(output, "created", about->created_at);
    admin_output_string(output, "version", about->version);
    admin_output_int(output, "schema", about->schema);
    admin_output_int(output, "database", about->database_size);
    admin_output_int(output, "content_files", about->content_files);
    admin_output_int(output, "content", about->content_size);
    admin_output_int(output, "missing_files", about->missing_files);
    admin_output_string(output, "audit_head", about->audit_head[0] ? about->audit_head : NULL);
}

static void add_file(struct admin_output *output, const char *what, const char *file)
{
    if (!file || access(file, F_OK) < 0)
        return;
    admin_output_row(output);
    admin_output_string(output, "file", file);
    admin_output_string(output, "what", what);
    admin_output_end(output);
}

void ctl_state_add_absent(struct admin_output *output, const struct config *config)
{
    admin_output_list(output, "not_in_it");
    add_file(output, "the configuration", config->file);
    add_file(output, "the key of held mail", config->hold_key);
    add_file(output, "the token for registering", config->silo.oidc_token_file);
    for (size_t i = 0; i < config->listener_count; i++) {
        add_file(output, "a certificate", config->listeners[i].certificate);
        add_file(output, "its key", config->listeners[i].key);
    }
    for (size_t i = 0; i < config->relay_count; i++)
        add_file(output, "a relay's password", config->relays[i].password_file);
    for (size_t i = 0; i < config->dkim_count; i++)
        add_file(output, "a key that signs mail", config->dkim[i].key);
    admin_output_end(output);
}

void ctl_state_show(const struct admin_output *output, bool json, FILE *to)
{
    struct strbuf text;
    strbuf_init(&text, SHOWN_MAX);
    admin_output_render(output, json, &text);
    fputs(text.data, to);
    strbuf_free(&text);
}
