/* doctor_show.c - findings as text or JSON; pure, see doctor.h */
#include <string.h>

#include "base/strbuf.h"
#include "gateway/admin_output.h"
#include "gateway/doctor.h"

enum { NAME_WIDTH = 14 };

/* How each level is called and shown; colours are those of ECMA-48. */
static const struct {
    const char *name, *label, *colour;
} levels[] = {
    [DOCTOR_OK] = { "ok", "ok     ", "\x1b[32m" },
    [DOCTOR_UNSEEN] = { "unseen", "unseen ", "\x1b[2m" },
    [DOCTOR_WARNING] = { "warning", "warning", "\x1b[33m" },
    [DOCTOR_FAILURE] = { "failure", "FAILURE", "\x1b[31m" },
};

const char *doctor_level_name(enum doctor_level level)
{
    return levels[level].name;
}

static int64_t count_of(const struct doctor_finding *findings, size_t count, enum doctor_level level)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += findings[i].level == level;
    return sum;
}

enum doctor_level doctor_result(const struct doctor_finding *findings, size_t count)
{
    return count_of(findings, count, DOCTOR_FAILURE) > 0   ? DOCTOR_FAILURE
           : count_of(findings, count, DOCTOR_WARNING) > 0 ? DOCTOR_WARNING
                                                           : DOCTOR_OK;
}

/* Words of relays, silos and the DNS are among them. */
static void add_clean(struct strbuf *out, const char *text)
{
    (void)admin_output_add_clean(out, text, strlen(text), false);
}

static void show_line(const struct doctor_finding *finding, bool colours, struct strbuf *out)
{
    const bool is_coloured = colours && finding->level != DOCTOR_OK;
    size_t len = strlen(finding->check);
    strbuf_add_fmt(out, "  %s%s%s  %s", is_coloured ? levels[finding->level].colour : "", levels[finding->level].label,
                   is_coloured ? "\x1b[0m" : "", finding->check);
    for (size_t i = len; i < NAME_WIDTH; i++)
        strbuf_add_char(out, ' ');
    add_clean(out, finding->what);
    strbuf_add_char(out, '\n');
    if (finding->advice) {
        strbuf_add_str(out, "           -> ");
        add_clean(out, finding->advice);
        strbuf_add_char(out, '\n');
    }
}

static void add_number(struct strbuf *out, int64_t number, const char *one, const char *many)
{
    strbuf_add_fmt(out, "%lld %s", (long long)number, number == 1 ? one : many);
}

static void show_text(const struct doctor_finding *findings, size_t count, bool colours, struct strbuf *out)
{
    const char *topic = "";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(topic, findings[i].topic) != 0)
            strbuf_add_fmt(out, "%s%s\n", i > 0 ? "\n" : "", findings[i].topic);
        topic = findings[i].topic;
        show_line(&findings[i], colours, out);
    }
    strbuf_add_char(out, '\n');
    add_number(out, count_of(findings, count, DOCTOR_FAILURE), "failure, ", "failures, ");
    add_number(out, count_of(findings, count, DOCTOR_WARNING), "warning, ", "warnings, ");
    add_number(out, count_of(findings, count, DOCTOR_OK), "ok", "ok");
    int64_t unseen = count_of(findings, count, DOCTOR_UNSEEN);
    if (unseen > 0)
        strbuf_add_fmt(out, ", %lld not looked at", (long long)unseen);
    strbuf_add_char(out, '\n');
}

static void show_json(const struct doctor_finding *findings, size_t count, struct strbuf *out)
{
    struct admin_output *output = admin_output_new();
    enum doctor_level result = doctor_result(findings, count);
    admin_output_string(output, "result", doctor_level_name(result));
    admin_output_int(output, "failures", count_of(findings, count, DOCTOR_FAILURE));
    admin_output_int(output, "warnings", count_of(findings, count, DOCTOR_WARNING));
    admin_output_int(output, "unseen", count_of(findings, count, DOCTOR_UNSEEN));
    admin_output_list(output, "checks");
    for (size_t i = 0; i < count; i++) {
        admin_output_row(output);
        admin_output_string(output, "topic", findings[i].topic);
        admin_output_string(output, "check", findings[i].check);
        admin_output_string(output, "level", doctor_level_name(findings[i].level));
        admin_output_string(output, "what", findings[i].what);
        admin_output_string(output, "advice", findings[i].advice);
        admin_output_end(output);
    }
    admin_output_end(output);
    admin_output_render(output, true, out);
    admin_output_free(&output);
}

void doctor_show(const struct doctor_finding *findings, size_t count, bool json, bool colours, struct strbuf *out)
{
    if (json)
        show_json(findings, count, out);
    else
        show_text(findings, count, colours, out);
}
