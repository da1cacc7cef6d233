#include "tests/dialogue/script_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

bool script_unescape(const char *text, struct strbuf *out)
{
    static const char letters[] = "rnt0\\";
    static const char meanings[] = "\r\n\t\0\\";
    for (; *text; text++) {
        if (*text != '\\') {
            strbuf_add_char(out, *text);
            continue;
        }
        text++;
        const char *letter = *text ? strchr(letters, *text) : NULL;
        unsigned value;
        if (letter) {
            strbuf_add_char(out, meanings[letter - letters]);
        } else if (*text == 'x' && sscanf(text + 1, "%2x", &value) == 1) {
            strbuf_add_char(out, (char)value);
            text += 2;
        } else {
            return false;
        }
    }
    return true;
}

bool script_matches(const char *pattern, size_t pattern_len, const char *text, size_t len)
{
    if (pattern_len > 0 && pattern[pattern_len - 1] == '*')
        return len >= pattern_len - 1 && memcmp(pattern, text, pattern_len - 1) == 0;
    return pattern_len == len && memcmp(pattern, text, len) == 0;
}

const char *script_next_line(const struct strbuf *text, const char *end, size_t *at, size_t *len_out)
{
    const char *line = text->data + *at;
    const char *found = strstr(line, end);
    if (!found)
        return NULL;
    *len_out = (size_t)(found - line);
    *at += *len_out + strlen(end);
    return line;
}

int script_is_dialogue(const struct dirent *entry)
{
    static const char ending[] = ".dialogue";
    size_t len = strlen(entry->d_name);
    return len > sizeof ending - 1 && strcmp(entry->d_name + len - (sizeof ending - 1), ending) == 0;
}

void script_split(const char *text, char **words, size_t max)
{
    for (size_t i = 0; i < max; i++) {
        text += strspn(text, " ");
        free(words[i]);
        words[i] = *text ? xstrndup(text, strcspn(text, " ")) : NULL;
        text += strcspn(text, " ");
    }
}

void script_add_pattern(struct strbuf *out, size_t size)
{
    static const char line[] = "The quick brown fox jumps over the lazy dog, again and again and again.\r\n";
    for (size_t start = out->len; out->len - start < size;) {
        size_t rest = size - (out->len - start);
        strbuf_add(out, line, rest < sizeof line - 1 ? rest : sizeof line - 1);
    }
}
