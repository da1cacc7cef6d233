/* display_name.c - see display_name.h */
#include "gateway/display_name.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_utf8.h"

static const char alias_mark[] = "{alias}", domain_mark[] = "{domain}";

/* In place of an "@", so that "ceo@bank.example" is none; also the small and the wide one. */
static bool is_at(uint32_t code)
{
    return code == '@' || code == 0xFE6B || code == 0xFF20;
}

/* What is not seen, but makes two names out of one: soft hyphen, zero width space, word joiner and its kind, byte order
 * mark. */
static bool is_invisible(uint32_t code)
{
    return code == 0x00AD || code == 0x200B || (code >= 0x2060 && code <= 0x2064) || code == 0xFEFF;
}

void display_name_add(struct strbuf *out, const char *alias, size_t max)
{
    char *line = convert_utf8_one_line(alias, strlen(alias), SIZE_MAX);
    size_t len = strlen(line), used = 0;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(line + i, len - i, &code), start = i;
        const char *text = is_at(code) ? "(at)" : line + start;
        size_t text_len = is_at(code) ? 4 : is_invisible(code) ? 0 : n;
        i += n;
        if (used + text_len > max)
            break;
        strbuf_add(out, text, text_len);
        used += text_len;
    }
    free(line);
}

/* Length of the format without its marks, and how often each of these occurs. */
static size_t measure(const char *format, size_t *aliases_out, size_t *domains_out)
{
    size_t rest = 0;
    *aliases_out = *domains_out = 0;
    while (*format) {
        if (strncmp(format, alias_mark, sizeof alias_mark - 1) == 0) {
            (*aliases_out)++;
            format += sizeof alias_mark - 1;
        } else if (strncmp(format, domain_mark, sizeof domain_mark - 1) == 0) {
            (*domains_out)++;
            format += sizeof domain_mark - 1;
        } else {
            rest++;
            format++;
        }
    }
    return rest;
}

void display_name_add_formatted(struct strbuf *out, const char *format, const char *alias, const char *domain)
{
    size_t aliases, domains, rest = measure(format, &aliases, &domains);
    rest += domains * strlen(domain);
    size_t room = rest < DISPLAY_NAME_MAX && aliases > 0 ? (DISPLAY_NAME_MAX - rest) / aliases : 0;
    if (room < DISPLAY_NAME_ALIAS_MIN)
        room = DISPLAY_NAME_ALIAS_MIN;
    while (*format) {
        if (strncmp(format, alias_mark, sizeof alias_mark - 1) == 0) {
            display_name_add(out, alias, room);
            format += sizeof alias_mark - 1;
        } else if (strncmp(format, domain_mark, sizeof domain_mark - 1) == 0) {
            strbuf_add_str(out, domain);
            format += sizeof domain_mark - 1;
        } else {
            strbuf_add_char(out, *format++);
        }
    }
}

bool display_name_is_format(const char *format)
{
    size_t aliases, domains, len = strlen(format);
    measure(format, &aliases, &domains);
    if (aliases == 0 || len > DISPLAY_NAME_FORMAT_MAX || !convert_utf8_is_valid(format, len))
        return false;
    size_t braces = 0;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(format + i, len - i, &code);
        if (is_at(code) || is_invisible(code) || convert_utf8_is_control(code))
            return false;
        braces += code == '{' || code == '}';
        i += n;
    }
    return braces == 2 * (aliases + domains);
}
