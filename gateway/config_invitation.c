/* config_invitation.c - the section `invitation`: what whoever is invited by email reads */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config_internal.h"
#include "gateway/invitation_text.h"

/* One octet more than may be, so that a longer file is seen to be longer. -1: errno says why. */
static ssize_t read_text(const char *path, char text[static INVITATION_TEXT_MAX + 2])
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    size_t len = fread(text, 1, INVITATION_TEXT_MAX + 1, file);
    bool failed = ferror(file);
    fclose(file);
    text[len] = '\0';
    return failed ? -1 : (ssize_t)len;
}

/* NULL: it was reported. */
static char *load(const char *path, struct strbuf *problem)
{
    char *text = xmalloc(INVITATION_TEXT_MAX + 2);
    ssize_t len = path[0] == '/' ? read_text(path, text) : -1;
    if (path[0] != '/')
        strbuf_add_str(problem, "expected an absolute path");
    else if (len < 0)
        strbuf_add_fmt(problem, "%s", strerror(errno));
    else if (invitation_text_check(text, (size_t)len, problem) == 1)
        return text;
    free(text);
    return NULL;
}

int config_check_invitation(cfg_t *cfg, cfg_opt_t *opt)
{
    struct strbuf problem;
    const char *path = cfg_opt_getnstr(opt, 0);
    strbuf_init(&problem, 1000);
    char *text = load(path ? path : "", &problem);
    if (!text)
        config_value_problem(cfg, "%s = \"%s\": %s", opt->name, path ? path : "", problem.data);
    free(text);
    strbuf_free(&problem);
    return 0;
}

void config_take_invitation(cfg_t *cfg, struct config *config)
{
    struct strbuf problem;
    const char *path = cfg_getstr(cfg_getsec(cfg, "invitation"), "file");
    strbuf_init(&problem, 1000);
    config->invitation.text = path ? load(path, &problem) : NULL;
    if (!config->invitation.text) /* else it was reported */
        config->invitation.text = xstrdup(invitation_text_default);
    strbuf_free(&problem);
}

void config_free_invitation(struct config *config)
{
    free(config->invitation.text);
}
