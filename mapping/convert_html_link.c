/* Addresses and pictures: what may be passed on, and as what. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_html.h"
#include "mapping/convert_html_content.h"
#include "mapping/convert_html_picture.h"
#include "mapping/convert_html_style.h"
#include "mapping/convert_html_writer.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"

enum { URL_MAX = 8192, ALT_MAX = 1000, EMOJI_ALT_MAX = 16 };

/* ---- addresses ---- */

static bool begins(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_allowed(const char *url)
{
    static const char *const schemes[] = { "https://", "http://", "mailto:", "tel:" };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (begins(url, schemes[i]) && url[strlen(schemes[i])] != '\0')
            return true;
    }
    return false;
}

/* As browsers read it: without blanks at its ends, and without line ends and tabs. */
static void clean_url(const char *url, struct strbuf *out)
{
    for (const char *c = url; *c; c++) {
        bool is_control = (unsigned char)*c < ' ' || *c == 0x7F;
        if (*c == ' ' && out->len > 0)
            strbuf_add_str(out, "%20");
        else if (*c != ' ' && !is_control)
            strbuf_add_char(out, *c);
    }
    while (out->len >= 3 && memcmp(out->data + out->len - 3, "%20", 3) == 0)
        strbuf_truncate(out, out->len - 3);
}

static bool has_scheme(const char *url)
{
    size_t n = isalpha((unsigned char)*url)
                   ? strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.")
                   : 0;
    return n > 0 && url[n] == ':';
}

/* The part of the base that a relative address replaces begins there. */
static size_t base_len(const char *base, const char *url)
{
    const char *host = strstr(base, "://");
    host = host ? host + 3 : base;
    size_t origin = (size_t)(host - base) + strcspn(host, "/?#");
    if (*url == '/')
        return origin;
    size_t path = origin + strcspn(base + origin, "?#");
    if (*url == '?')
        return path;
    while (path > origin && base[path - 1] != '/')
        path--;
    return path;
}

/* Appends the address in full, when its scheme is one that we pass on; false: it is not. */
static bool link_resolve(const struct html_writer *writer, const char *href, struct strbuf *out)
{
    struct strbuf clean;
    strbuf_init(&clean, URL_MAX);
    clean_url(href, &clean);
    const char *url = clean.data;
    if (!has_scheme(url) && *url != '#' && *url != '\0') {
        if (begins(url, "//"))
            strbuf_add_str(out, begins(writer->base.data, "http:") ? "http:" : "https:");
        else
            strbuf_add(out, writer->base.data, base_len(writer->base.data, url));
        if (out->len > 0 && out->data[out->len - 1] != '/' && *url != '/' && *url != '?')
            strbuf_add_char(out, '/');
    }
    strbuf_add_str(out, url);
    bool allowed = strbuf_ok(&clean) && strbuf_ok(out) && is_allowed(out->data);
    strbuf_free(&clean);
    return allowed;
}

void html_link_set_base(struct html_writer *writer, const struct html_node *node)
{
    struct strbuf href, url;
    strbuf_init(&href, URL_MAX);
    strbuf_init(&url, URL_MAX);
    if (writer->base.len == 0 && html_node_value(writer->tree, node, HTML_ATTRIBUTE_HREF, &href) &&
        link_resolve(writer, href.data, &url) && begins(url.data, "http"))
        strbuf_add(&writer->base, url.data, url.len);
    strbuf_free(&href);
    strbuf_free(&url);
}

/* An attribute as one line of text, at most ALT_MAX octets; NULL when there is none. The caller frees it. */
static char *attribute_line(const struct html_writer *writer, const struct html_node *node,
                            enum html_attribute_name name)
{
    const struct html_attribute *attribute = html_node_attribute(writer->tree, node, name);
    if (!attribute)
        return NULL;
    struct strbuf value;
    strbuf_init(&value, attribute->len * 3 + 1);
    (void)html_node_value(writer->tree, node, name, &value);
    char *line = convert_utf8_one_line(value.data, value.len, ALT_MAX);
    strbuf_free(&value);
    if (convert_text_is_blank(line, strlen(line)))
        *line = '\0';
    return line;
}

/* ---- links ---- */

/* Whether the text says nothing else than the address: then it is written once. */
static bool says_url(const struct html_writer *writer, const struct html_node *node, const char *url)
{
    if ((node->content & ~(HTML_HAS_BLOCK | HTML_HAS_BREAK)) || node->lines > 1 || strpbrk(url, "<> "))
        return false;
    struct strbuf text;
    strbuf_init(&text, URL_MAX * 3);
    html_content_gather(writer->tree, node, strlen(url) + 100, &text);
    char *line = convert_utf8_one_line(text.data, text.len, URL_MAX);
    size_t n = strlen(line);
    bool same = strcmp(line, url) == 0 || (n > 0 && strncmp(line, url, n) == 0 && strcmp(url + n, "/") == 0) ||
                (begins(url, "mailto:") && strcmp(line, url + strlen("mailto:")) == 0);
    free(line);
    strbuf_free(&text);
    return same;
}

/* The name of the host, for a link of which nothing could be shown. */
static void write_host(struct html_writer *writer, const char *url, uint32_t look)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : strchr(url, ':') + 1;
    if (begins(host, "www."))
        host += 4;
    size_t n = strcspn(host, "/?#");
    html_inline_text(writer, host, n, look);
}

/* Text, or a picture with a description. */
static bool has_text(const struct html_tree *tree, const struct html_node *node)
{
    bool found = node->visible > 0;
    for (uint32_t i = (uint32_t)(node - tree->nodes); i < node->end && !found; i++) {
        const struct html_attribute *alt =
            tree->nodes[i].name == HTML_IMG ? html_node_attribute(tree, &tree->nodes[i], HTML_ATTRIBUTE_ALT) : NULL;
        found = alt && alt->len > 0;
    }
    return found;
}

void html_link_write(struct html_writer *writer, const struct html_node *node)
{
    struct strbuf href, url;
    strbuf_init(&href, URL_MAX * 3);
    strbuf_init(&url, URL_MAX);
    bool is_linked = html_node_value(writer->tree, node, HTML_ATTRIBUTE_HREF, &href) && strbuf_ok(&href) &&
                     link_resolve(writer, href.data, &url) && !writer->link &&
                     (node->visible > 0 || (node->content & HTML_HAS_PICTURE));
    bool is_autolink = is_linked && says_url(writer, node, url.data);
    if (node->look & HTML_LOOK_BLOCK)
        html_inline_end_line(writer, false);
    if (is_autolink && begins(url.data, "mailto:")) {
        html_inline_autolink(writer, url.data + strlen("mailto:"), node->look);
    } else if (is_autolink) {
        html_inline_autolink(writer, url.data, node->look);
    } else {
        if (is_linked)
            html_inline_open_link(writer, url.data, writer->tree->nodes[node->parent].look);
        writer->link_has_text = has_text(writer->tree, node);
        html_write_children(writer, node);
        if (is_linked)
            html_inline_close_link(writer);
    }
    if (node->look & HTML_LOOK_BLOCK)
        html_inline_end_line(writer, false);
    strbuf_free(&href);
    strbuf_free(&url);
}

void html_link_write_area(struct html_writer *writer, const struct html_node *node)
{
    char *alt = attribute_line(writer, node, HTML_ATTRIBUTE_ALT);
    struct strbuf href, url;
    strbuf_init(&href, URL_MAX * 3);
    strbuf_init(&url, URL_MAX);
    if (alt && *alt && !writer->link && html_node_value(writer->tree, node, HTML_ATTRIBUTE_HREF, &href) &&
        link_resolve(writer, href.data, &url)) {
        html_inline_blank(writer);
        html_inline_open_link(writer, url.data, 0);
        html_inline_text(writer, alt, strlen(alt), node->look);
        html_inline_close_link(writer);
        html_inline_blank(writer);
    }
    strbuf_free(&href);
    strbuf_free(&url);
    free(alt);
}

/* ---- pictures ---- */

void convert_html_attachment_url(struct strbuf *out, const char *name)
{
    strbuf_add_str(out, "this_");
    for (const char *c = name; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-_.:", *c))
            strbuf_add_char(out, *c);
        else
            strbuf_add_fmt(out, "%%%02X", (unsigned char)*c);
    }
}

static bool contains(const struct html_attribute *attribute, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; attribute && i + n <= attribute->len && i < URL_MAX; i++) {
        if (strncasecmp(attribute->value + i, word, n) == 0)
            return true;
    }
    return false;
}

bool html_link_is_unseen(const struct html_tree *tree, const struct html_node *node)
{
    static const char *const trackers[] = { "spacer.gif", "pixel.gif", "blank.gif", "clear.gif",   "transparent.gif",
                                            "spacer.png", "1x1.gif",   "1x1.png",   "/wf/open?",   "/track/open",
                                            "/open.aspx", "open.gif",  "trk.gif",   "/beacon.gif", "pixel.png",
                                            "dot.gif",    "shim.gif" };
    enum { TINY = 3 };
    long width, height;
    html_style_size(tree, node, &width, &height);
    if ((width >= 0 && width <= TINY) || (height >= 0 && height <= TINY))
        return true;
    const struct html_attribute *src = html_node_attribute(tree, node, HTML_ATTRIBUTE_SRC);
    const struct html_attribute *alt = html_node_attribute(tree, node, HTML_ATTRIBUTE_ALT);
    for (size_t i = 0; i < sizeof trackers / sizeof trackers[0] && (!alt || alt->len == 0); i++) {
        if (contains(src, trackers[i]))
            return true;
    }
    return false;
}

/* Looks of text, which pictures don't have. */
static const uint32_t of_text =
    HTML_LOOK_BOLD | HTML_LOOK_ITALIC | HTML_LOOK_STRIKE | HTML_LOOK_CODE | HTML_LOOK_BLANKS;

static void write_attached(struct html_writer *writer, const struct html_node *node, const char *name, const char *alt)
{
    struct strbuf url;
    strbuf_init(&url, strlen(name) * 3 + 8);
    convert_html_attachment_url(&url, name);
    html_inline_image(writer, alt && *alt ? alt : name + 2, url.data, node->look & ~of_text);
    strbuf_free(&url);
}

static void write_text(struct html_writer *writer, const struct html_node *node, const char *text)
{
    html_inline_text(writer, text, strlen(text), node->look & ~of_text);
}

/* Of a picture in the document itself: true when it is attached, or shows nothing. */
static bool write_data_picture(struct html_writer *writer, const struct html_node *node,
                               const struct html_attribute *src, const char *alt)
{
    struct html_picture picture;
    if (!writer->pictures || !writer->pictures->add || !html_picture_decode(src->value, src->len, &picture))
        return false;
    if (html_picture_is_tiny(&picture)) {
        free(picture.data);
        return true;
    }
    const char *name = writer->pictures->add(picture.type, picture.data, picture.len, writer->pictures->ctx);
    if (name)
        write_attached(writer, node, name, alt);
    return name != NULL;
}

/* Name of the attached part that the address means; NULL when there is none. */
static const char *find_attached(const struct html_writer *writer, const char *src)
{
    if (!writer->pictures || !writer->pictures->find)
        return NULL;
    if (!begins(src, "cid:"))
        return writer->pictures->find(src, writer->pictures->ctx);
    struct strbuf id;
    strbuf_init(&id, URL_MAX);
    for (const char *c = src + strlen("cid:"); *c; c++) {
        unsigned code = 0;
        bool is_encoded = *c == '%' && isxdigit((unsigned char)c[1]) && isxdigit((unsigned char)c[2]);
        if (is_encoded) {
            char digits[3] = { c[1], c[2], '\0' };
            code = (unsigned)strtoul(digits, NULL, 16);
            c += 2;
        }
        strbuf_add_char(&id, is_encoded && code > 0 ? (char)code : *c);
    }
    const char *name = writer->pictures->find(id.data, writer->pictures->ctx);
    strbuf_free(&id);
    return name;
}

static bool is_emoji(const struct html_writer *writer, const struct html_node *node, const char *alt)
{
    const struct html_attribute *class = html_node_attribute(writer->tree, node, HTML_ATTRIBUTE_CLASS);
    const struct html_attribute *marker = html_node_attribute(writer->tree, node, HTML_ATTRIBUTE_SRC);
    bool is_marked = contains(class, "emoji") || contains(marker, "/emoji/") || contains(marker, "goomoji");
    bool is_beyond = (unsigned char)*alt >= 0xF0; /* the first character lies where the pictographs are */
    return (is_marked || is_beyond) && strlen(alt) <= EMOJI_ALT_MAX;
}

/* A picture elsewhere: nothing is loaded, so it is a link, or in a link its description. No description at all is
 * common on pictures that matter; an empty one marks decoration. */
static void write_remote(struct html_writer *writer, const struct html_node *node, const char *src, const char *alt)
{
    if (alt && *alt && is_emoji(writer, node, alt)) {
        write_text(writer, node, alt);
        return;
    }
    if (writer->link) {
        if (alt && *alt)
            write_text(writer, node, alt);
        else if (!writer->link_has_text)
            write_host(writer, writer->link, node->look);
        writer->link_has_text = true;
        return;
    }
    if (alt && !*alt)
        return;
    struct strbuf url;
    strbuf_init(&url, URL_MAX);
    bool is_linked = link_resolve(writer, src, &url) && begins(url.data, "http");
    if (is_linked)
        html_inline_open_link(writer, url.data, node->look & ~of_text);
    write_text(writer, node, alt ? alt : "image");
    if (is_linked)
        html_inline_close_link(writer);
    strbuf_free(&url);
}

void html_link_write_picture(struct html_writer *writer, const struct html_node *node)
{
    const struct html_attribute *src = html_node_attribute(writer->tree, node, HTML_ATTRIBUTE_SRC);
    char *alt = attribute_line(writer, node, HTML_ATTRIBUTE_ALT);
    if (!src || (node->look & HTML_LOOK_INVISIBLE) || html_link_is_unseen(writer->tree, node)) {
        free(alt);
        return;
    }
    bool is_data = src->len > 5 && strncasecmp(src->value, "data:", 5) == 0;
    if (is_data) {
        if (!write_data_picture(writer, node, src, alt) && alt)
            write_text(writer, node, alt);
        free(alt);
        return;
    }
    struct strbuf url;
    strbuf_init(&url, URL_MAX);
    (void)html_node_value(writer->tree, node, HTML_ATTRIBUTE_SRC, &url);
    const char *name = strbuf_ok(&url) && url.len > 0 ? find_attached(writer, url.data) : NULL;
    if (name)
        write_attached(writer, node, name, alt);
    else if (begins(url.data, "cid:") || url.len == 0)
        write_text(writer, node, alt ? alt : "");
    else
        write_remote(writer, node, url.data, alt);
    strbuf_free(&url);
    free(alt);
}
