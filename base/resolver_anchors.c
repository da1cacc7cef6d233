#include "base/resolver_anchors.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { DIGEST_HEX_MIN = 40, KEY_BASE64_MIN = 40 }; /* SHA-1's; an Ed25519 key has 44 characters */

static bool has_only(const char *word, const char *allowed)
{
    return word != NULL && word[0] != '\0' && strspn(word, allowed) == strlen(word);
}

/* What follows the three numbers, which may be written in pieces. */
static bool is_data(char **rest, const char *allowed, size_t least)
{
    size_t len = 0;
    for (const char *word; (word = strtok_r(NULL, " \t", rest)) != NULL; len += strlen(word)) {
        if (!has_only(word, allowed))
            return false;
    }
    return len >= least;
}

static const struct {
    const char *type, *allowed;
    size_t least;
} kinds[] = {
    { "DS", "0123456789abcdefABCDEF", DIGEST_HEX_MIN },
    { "DNSKEY", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/=", KEY_BASE64_MIN },
};

/* NAME [TTL] [IN] TYPE NUMBER NUMBER NUMBER DATA. The line is not empty; it is taken apart. */
static bool is_anchor(char *line)
{
    static const char digits[] = "0123456789";
    char *rest = NULL;
    const char *word = strtok_r(line, " \t", &rest);
    if (strspn(word, "(\"$@") > 0)
        return false;
    word = strtok_r(NULL, " \t", &rest);
    if (has_only(word, digits))
        word = strtok_r(NULL, " \t", &rest);
    if (word != NULL && strcasecmp(word, "IN") == 0)
        word = strtok_r(NULL, " \t", &rest);
    for (size_t i = 0; word != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcasecmp(word, kinds[i].type) != 0)
            continue;
        for (int number = 0; number < 3; number++) {
            if (!has_only(strtok_r(NULL, " \t", &rest), digits))
                return false;
        }
        return is_data(&rest, kinds[i].allowed, kinds[i].least);
    }
    return false;
}

/* The text is taken apart. */
static int check_text(char *text, struct strbuf *problem_out)
{
    unsigned number = 0;
    unsigned anchors = 0;
    char *next = text;
    for (char *line; (line = strsep(&next, "\n")) != NULL;) {
        number++;
        line[strcspn(line, ";\r")] = '\0';
        if (strspn(line, " \t") == strlen(line))
            continue;
        if (!is_anchor(line)) {
            strbuf_add_fmt(problem_out, "line %u is no DS or DNSKEY record on one line", number);
            return -1;
        }
        anchors++;
    }
    if (anchors > 0)
        return 1;
    strbuf_add_str(problem_out, "there is no DS or DNSKEY record in it");
    return -1;
}

int resolver_anchors_check(const char *path, struct strbuf *problem_out)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        strbuf_add_str(problem_out, strerror(errno));
        return -1;
    }
    int result = -1;
    char *text = xmalloc(RESOLVER_ANCHORS_MAX + 2);
    errno = 0;
    size_t len = fread(text, 1, RESOLVER_ANCHORS_MAX + 1, file);
    bool failed = ferror(file) != 0;
    text[len] = '\0';
    if (failed)
        strbuf_add_str(problem_out, strerror(errno));
    else if (len > RESOLVER_ANCHORS_MAX)
        strbuf_add_fmt(problem_out, "it has more than %d bytes", RESOLVER_ANCHORS_MAX);
    else if (strlen(text) != len)
        strbuf_add_str(problem_out, "it is no text");
    else
        result = check_text(text, problem_out);
    free(text);
    fclose(file);
    return result;
}
