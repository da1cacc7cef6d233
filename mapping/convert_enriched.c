#include "mapping/convert_enriched.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"

static const struct command {
    const char *name, *html;
} commands[] = {
    { "bold", "<b>" },     { "/bold", "</b>" },     { "italic", "<i>" },           { "/italic", "</i>" },
    { "fixed", "<code>" }, { "/fixed", "</code>" }, { "excerpt", "<blockquote>" }, { "/excerpt", "</blockquote>" },
    { "nl", "<br>" },      { "paragraph", "<p>" },  { "/paragraph", "</p>" },      { "lt", "&lt;" },
};

static bool is_command(const char *name, size_t len, const char *wanted)
{
    return strlen(wanted) == len && strncasecmp(name, wanted, len) == 0;
}

/* Length of the command at text with its brackets; 0: the bracket is text. */
static size_t command_len(const char *text, size_t len)
{
    enum { NAME_MAX_LEN = 60 };
    size_t n = 1;
    while (n < len && n < NAME_MAX_LEN && text[n] != '>' && text[n] != '<' && text[n] != '\n')
        n++;
    return n > 1 && n < len && text[n] == '>' ? n + 1 : 0;
}

static void add_text(struct strbuf *out, char c)
{
    if (c == '<')
        strbuf_add_str(out, "&lt;");
    else if (c == '&')
        strbuf_add_str(out, "&amp;");
    else
        strbuf_add_char(out, c);
}

/* One line end only breaks the line in the file; each further one is a line end. Returns what was used. */
static size_t add_line_ends(struct strbuf *out, const char *text, size_t len)
{
    size_t count = 0;
    size_t n = 0;
    for (; n < len && (text[n] == '\n' || text[n] == '\r'); n++)
        count += text[n] == '\n';
    if (count < 2)
        strbuf_add_char(out, ' ');
    for (; count > 1; count--)
        strbuf_add_str(out, "<br>");
    return n;
}

void convert_enriched_to_html(const char *text, size_t len, struct strbuf *out)
{
    bool in_param = false; /* of a colour, a font: not text */
    for (size_t i = 0; i < len;) {
        size_t n = text[i] == '<' ? command_len(text + i, len - i) : 0;
        if (text[i] == '<' && i + 1 < len && text[i + 1] == '<') {
            add_text(out, '<');
            i += 2;
        } else if (n > 0) {
            const char *name = text + i + 1;
            for (size_t k = 0; k < sizeof commands / sizeof commands[0] && !in_param; k++) {
                if (is_command(name, n - 2, commands[k].name))
                    strbuf_add_str(out, commands[k].html);
            }
            in_param = is_command(name, n - 2, "param") || (in_param && !is_command(name, n - 2, "/param"));
            i += n;
        } else if (text[i] == '\n' || text[i] == '\r') {
            i += add_line_ends(out, text + i, len - i);
        } else {
            if (!in_param)
                add_text(out, text[i]);
            i++;
        }
    }
}
