/* config.c - from text to a checked struct config
 *
 * libconfuse parses; we check each value while it is parsed, because only then is its line known. Its lexer counts a
 * comment's line twice (3.3), so comments are blanked before it sees them; and it stops at the first unknown key, so
 * such a line is blanked too and the text parsed again, to report all mistakes in one go.
 */
#include "gateway/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <confuse.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config_internal.h"

enum { CONFIG_FILE_MAX = 1024 * 1024, CONFIG_PASSES_MAX = 50 };

/* libconfuse gives its error function no context pointer: this one is set for the time of a parse only. */
static _Thread_local struct config_report *report_now;

void config_problem(struct config_report *report, int line, const char *fmt, ...)
{
    struct strbuf text;
    va_list args;
    strbuf_init(&text, 1000);
    va_start(args, fmt);
    strbuf_add_vfmt(&text, fmt, args);
    va_end(args);
    report->count++;
    if (line > 0)
        strbuf_add_fmt(report->problems, "%s:%d: %s\n", report->file, line, text.data);
    else
        strbuf_add_fmt(report->problems, "%s: %s\n", report->file, text.data);
    strbuf_free(&text);
}

static void on_confuse_error(cfg_t *cfg, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static void on_confuse_error(cfg_t *cfg, const char *fmt, va_list args)
{
    struct config_report *report = report_now;
    struct strbuf text;
    strbuf_init(&text, 1000);
    strbuf_add_vfmt(&text, fmt, args);
    static const char unknown[] = "no such option";
    report->is_unknown_key = strncmp(text.data, unknown, sizeof unknown - 1) == 0;
    report->error_line = cfg->line;
    if (report->error_line > report->last_line_reported) { /* what earlier passes found is not said twice */
        report->last_line_reported = report->error_line;
        if (report->is_unknown_key)
            config_problem(report, cfg->line, "unknown key%s; see postern.conf(5) for the keys of this section",
                           text.data + sizeof unknown - 1);
        else
            config_problem(report, cfg->line, "%s", text.data);
    }
    strbuf_free(&text);
}

/* Blanks "# ...", "// ..." and C comments outside quotes; newlines stay where they are. */
static void blank_comments(char *text)
{
    char quote = 0;
    for (char *p = text; *p; p++) {
        if (quote) {
            if (*p == '\\' && p[1])
                p++;
            else if (*p == quote)
                quote = 0;
        } else if (*p == '"' || *p == '\'') {
            quote = *p;
        } else if (*p == '#' || (*p == '/' && p[1] == '/')) {
            while (*p && *p != '\n')
                *p++ = ' ';
            p--; /* the loop steps onto the newline again */
        } else if (*p == '/' && p[1] == '*') {
            while (*p && !(*p == '*' && p[1] == '/')) {
                if (*p != '\n')
                    *p = ' ';
                p++;
            }
            for (int i = 0; i < 2 && *p; i++)
                *p++ = ' ';
            p--;
        }
    }
}

/* Blanks one line; -1 when it opens or closes a section, which would only make nonsense of what follows. */
static int blank_line(char *text, int line)
{
    char *p = text;
    for (int n = 1; n < line && p; n++) {
        p = strchr(p, '\n');
        p = p ? p + 1 : NULL;
    }
    if (!p || !*p)
        return -1;
    size_t len = strcspn(p, "\n");
    for (size_t i = 0; i < len; i++)
        if (p[i] == '}' || (p[i] == '{' && !memchr(p + i, '}', len - i)))
            return -1;
    memset(p, ' ', len);
    return 1;
}

static char *read_file(const char *file, struct config_report *report)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > CONFIG_FILE_MAX) {
        config_problem(report, 0, "can't read the configuration: %s",
                       fd < 0 ? strerror(errno) : "not a regular file of at most 1 MiB");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    char *text = xcalloc(1, (size_t)st.st_size + 1);
    size_t len = 0;
    while (len < (size_t)st.st_size) {
        ssize_t n = read(fd, text + len, (size_t)st.st_size - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    close(fd);
    if (memchr(text, 0, len)) {
        config_problem(report, 0, "contains a NUL byte; expected text");
        free(text);
        return NULL;
    }
    return text;
}

/* Parses as often as unknown keys make it start again. NULL when libconfuse could not make sense of it. */
static cfg_t *parse_text(char *text, struct config_report *report)
{
    cfg_t *cfg = NULL;
    report_now = report;
    for (int pass = 0; pass < CONFIG_PASSES_MAX; pass++) {
        cfg = config_schema_new();
        cfg_set_error_function(cfg, on_confuse_error);
        report->is_unknown_key = false;
        report->list_seen = NULL;
        report->checking_from_line = report->last_line_reported;
        if (cfg_parse_buf(cfg, text) == CFG_SUCCESS)
            break;
        cfg_free(cfg);
        cfg = NULL;
        if (!report->is_unknown_key || blank_line(text, report->error_line) < 0)
            break;
    }
    report_now = NULL;
    return cfg;
}

/* Called by the validators of the schema with the line that libconfuse is at. */
void config_value_problem(cfg_t *cfg, const char *fmt, ...)
{
    struct config_report *report = report_now;
    if (cfg->line <= report->checking_from_line)
        return; /* an earlier pass said it */
    struct strbuf text;
    va_list args;
    strbuf_init(&text, 1000);
    va_start(args, fmt);
    strbuf_add_vfmt(&text, fmt, args);
    va_end(args);
    if (cfg->line > report->last_line_reported)
        report->last_line_reported = cfg->line;
    config_problem(report, cfg->line, "%s", text.data);
    strbuf_free(&text);
}

bool config_list_grew(const cfg_opt_t *opt, unsigned size)
{
    struct config_report *report = report_now;
    bool is_end = size == 0 || (report->list_seen == opt && report->list_size == size);
    report->list_seen = is_end ? NULL : opt;
    report->list_size = size;
    return !is_end;
}

/* libconfuse takes the end of the file for the end of a section. text: comments are blanked. */
static void check_braces(const char *text, struct config_report *report)
{
    int line = 1, depth = 0, opened_at = 0;
    char quote = 0;
    for (const char *p = text; *p; p++) {
        line += *p == '\n';
        if (quote) {
            if (*p == '\\' && p[1] && p[1] != '\n')
                p++;
            else if (*p == quote)
                quote = 0;
        } else if (*p == '"' || *p == '\'') {
            quote = *p;
        } else if (*p == '{') {
            if (depth++ == 0)
                opened_at = line;
        } else if (*p == '}' && depth > 0) { /* one too many is libconfuse's to report */
            depth--;
        }
    }
    if (depth > 0 && !quote)
        config_problem(report, opened_at, "the section is not closed; expected } before the end of the file");
}

struct config *config_load(const char *file, struct strbuf *problems)
{
    struct config_report report = { .file = file, .problems = problems };
    char *text = read_file(file, &report);
    if (!text)
        return NULL;
    blank_comments(text);
    check_braces(text, &report);
    cfg_t *cfg = parse_text(text, &report);
    free(text);
    struct config *config = NULL;
    if (cfg) {
        config = config_from_parsed(cfg, file, &report);
        cfg_free(cfg);
    } else if (report.count == 0) { /* libconfuse can fail without a word, on an open quote at the end for example */
        config_problem(&report, 0, "can't be parsed; expected KEY = VALUE lines and NAME { ... } sections");
    }
    if (report.count > 0)
        config_free(&config);
    return config;
}

/* What follows the word and the separator, with or without spaces; NULL when text starts with something else. */
static const char *skip_word(const char *text, const char *word, char separator)
{
    size_t len = strlen(word);
    if (strncmp(text, word, len) != 0)
        return NULL;
    text += len + strspn(text + len, " \t\r\n");
    return *text == separator ? text + 1 + strspn(text + 1, " \t\r\n") : NULL;
}

static char *copy_value(const char *text)
{
    const char end[] = { text[0], 0 };
    bool is_quoted = *text == '"' || *text == '\'';
    return is_quoted ? xstrndup(text + 1, strcspn(text + 1, end)) : xstrndup(text, strcspn(text, " \t\r\n}"));
}

/* The value of admin's socket; NULL when there is none, with *is_whole_out saying whether the braces and quotes match. */
static char *scan_for_socket(const char *text, bool *is_whole_out)
{
    int depth = 0;
    char quote = 0;
    bool in_admin = false, at_word = true;
    for (const char *p = text; *p; p++) {
        const char *value = at_word && !quote && in_admin && depth == 1 ? skip_word(p, "socket", '=') : NULL;
        if (value)
            return copy_value(value);
        if (at_word && !quote && depth == 0 && !isspace((unsigned char)*p))
            in_admin = skip_word(p, "admin", '{') != NULL || (in_admin && *p == '{');
        if (quote)
            quote = *p == quote ? 0 : quote;
        else if (*p == '"' || *p == '\'')
            quote = *p;
        else if (*p == '{' || *p == '}')
            depth += *p == '{' ? 1 : -1;
        at_word = strchr(" \t\r\n{}\"'", *p) != NULL;
    }
    *is_whole_out = depth == 0 && !quote;
    return NULL;
}

char *config_find_socket(const char *file)
{
    struct strbuf unsaid;
    strbuf_init(&unsaid, 1000);
    struct config_report report = { .file = file, .problems = &unsaid };
    char *text = read_file(file, &report);
    strbuf_free(&unsaid);
    if (!text)
        return NULL;
    blank_comments(text);
    bool is_whole = false;
    char *path = scan_for_socket(text, &is_whole);
    free(text);
    return path || !is_whole ? path : xstrdup(CONFIG_DEFAULT_SOCKET);
}

void config_free_list(char **list)
{
    for (char **entry = list; entry && *entry; entry++)
        free(*entry);
    free(list);
}

static void free_listener(struct config_listener *listener)
{
    free(listener->name);
    free(listener->address);
    free(listener->certificate);
    free(listener->key);
    config_free_list(listener->clients);
    config_free_list(listener->proxy_protocol);
    config_free_list(listener->xclient);
    config_free_list(listener->xforward);
    config_free_list(listener->exempt);
    free(listener->trust_authserv_id);
    config_free_tls_peers(listener);
}

void config_free(struct config **config_in)
{
    struct config *config = *config_in;
    if (!config)
        return;
    for (size_t i = 0; i < config->listener_count; i++)
        free_listener(&config->listeners[i]);
    char *owned[] = { config->file,           config->state_dir,
                      config->domain,         config->hostname,
                      config->user,           config->silo.address,
                      config->silo.alias,     config->silo.pin,
                      config->silo.ca_file,   config->silo.oidc_token_file,
                      config->log.socket,     config->postfix.socketmap,
                      config->postfix.policy, config->postfix.recipients_db };
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    config_free_list(config->postfix.clients);
    config_free_mail(config);
    config_free_invitation(config);
    config_free_policy(config);
    config_free_verify(config);
    config_free_admin(config);
    config_free_metrics(config);
    config_free_relays(config);
    free(config->listeners);
    free(config);
    *config_in = NULL;
}

/* Digits and one optional unit letter; the result must fit. */
static int parse_scaled(const char *text, const char *units, const int64_t *factors, int64_t *value_out)
{
    if (!isdigit((unsigned char)text[0]))
        return -1;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || number < 0)
        return -1;
    int64_t factor = factors[0];
    if (*end) {
        const char *unit = strchr(units, *end);
        if (!unit || end[1])
            return -1;
        factor = factors[unit - units + 1];
    } else if (factor == 0) {
        return -1; /* a unit is required */
    }
    return __builtin_mul_overflow(number, factor, value_out) ? -1 : 1;
}

int config_parse_duration(const char *text, int64_t *ms_out)
{
    static const int64_t factors[] = { 0, 1000, 60 * 1000, 3600 * 1000, 24 * 3600 * 1000 };
    return parse_scaled(text, "smhd", factors, ms_out);
}

int config_parse_size(const char *text, int64_t *bytes_out)
{
    static const int64_t factors[] = { 1, INT64_C(1) << 10, INT64_C(1) << 20, INT64_C(1) << 30 };
    return parse_scaled(text, "KMG", factors, bytes_out);
}
