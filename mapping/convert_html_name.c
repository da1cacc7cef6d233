#include "mapping/convert_html_name.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 32 };

/* Sorted by name, in the order of enum html_name. */
static const struct element {
    const char *name;
    enum html_name element;
    unsigned flags;
} elements[] = {
    { "a", HTML_A, HTML_IS_FORMAT },
    { "abbr", HTML_ABBR, 0 },
    { "address", HTML_ADDRESS, HTML_IS_BLOCK | HTML_ENDS_P },
    { "applet", HTML_APPLET, HTML_IS_SCOPE },
    { "area", HTML_AREA, HTML_IS_VOID },
    { "article", HTML_ARTICLE, HTML_IS_BLOCK | HTML_ENDS_P },
    { "aside", HTML_ASIDE, HTML_IS_BLOCK | HTML_ENDS_P },
    { "audio", HTML_AUDIO, 0 },
    { "b", HTML_B, HTML_IS_FORMAT | HTML_IS_BOLD },
    { "base", HTML_BASE, HTML_IS_VOID },
    { "basefont", HTML_BASEFONT, HTML_IS_VOID },
    { "bdo", HTML_BDO, 0 },
    { "bgsound", HTML_BGSOUND, HTML_IS_VOID },
    { "big", HTML_BIG, HTML_IS_FORMAT },
    { "blockquote", HTML_BLOCKQUOTE, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "body", HTML_BODY, HTML_IS_BLOCK },
    { "br", HTML_BR, HTML_IS_VOID },
    { "button", HTML_BUTTON, 0 },
    { "caption", HTML_CAPTION, HTML_IS_BLOCK | HTML_IS_SCOPE },
    { "center", HTML_CENTER, HTML_IS_BLOCK | HTML_ENDS_P },
    { "cite", HTML_CITE, HTML_IS_ITALIC },
    { "code", HTML_CODE, HTML_IS_FORMAT | HTML_IS_CODE },
    { "col", HTML_COL, HTML_IS_VOID },
    { "colgroup", HTML_COLGROUP, HTML_IS_TABLE },
    { "dd", HTML_DD, HTML_IS_BLOCK | HTML_ENDS_P },
    { "del", HTML_DEL, HTML_IS_STRIKE },
    { "details", HTML_DETAILS, HTML_IS_BLOCK | HTML_ENDS_P },
    { "dfn", HTML_DFN, HTML_IS_ITALIC },
    { "dialog", HTML_DIALOG, HTML_IS_BLOCK | HTML_ENDS_P },
    { "dir", HTML_DIR, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "div", HTML_DIV, HTML_IS_BLOCK | HTML_ENDS_P },
    { "dl", HTML_DL, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "dt", HTML_DT, HTML_IS_BLOCK | HTML_ENDS_P | HTML_IS_BOLD },
    { "em", HTML_EM, HTML_IS_FORMAT | HTML_IS_ITALIC },
    { "embed", HTML_EMBED, HTML_IS_VOID },
    { "fieldset", HTML_FIELDSET, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "figcaption", HTML_FIGCAPTION, HTML_IS_BLOCK | HTML_ENDS_P },
    { "figure", HTML_FIGURE, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "font", HTML_FONT, HTML_IS_FORMAT },
    { "footer", HTML_FOOTER, HTML_IS_BLOCK | HTML_ENDS_P },
    { "form", HTML_FORM, HTML_IS_BLOCK | HTML_ENDS_P },
    { "frame", HTML_FRAME, HTML_IS_VOID },
    { "frameset", HTML_FRAMESET, HTML_IS_BLOCK },
    { "h1", HTML_H1, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "h2", HTML_H2, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "h3", HTML_H3, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "h4", HTML_H4, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "h5", HTML_H5, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "h6", HTML_H6, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "head", HTML_HEAD, 0 },
    { "header", HTML_HEADER, HTML_IS_BLOCK | HTML_ENDS_P },
    { "hgroup", HTML_HGROUP, HTML_IS_BLOCK | HTML_ENDS_P },
    { "hr", HTML_HR, HTML_IS_BLOCK | HTML_ENDS_P | HTML_IS_VOID },
    { "html", HTML_HTML, HTML_IS_BLOCK },
    { "i", HTML_I, HTML_IS_FORMAT | HTML_IS_ITALIC },
    { "iframe", HTML_IFRAME, HTML_IS_HIDDEN | HTML_IS_RAW },
    { "image", HTML_IMAGE, HTML_IS_VOID },
    { "img", HTML_IMG, HTML_IS_VOID },
    { "input", HTML_INPUT, HTML_IS_VOID },
    { "ins", HTML_INS, 0 },
    { "kbd", HTML_KBD, HTML_IS_CODE },
    { "keygen", HTML_KEYGEN, HTML_IS_VOID },
    { "label", HTML_LABEL, 0 },
    { "legend", HTML_LEGEND, HTML_IS_BLOCK },
    { "li", HTML_LI, HTML_IS_BLOCK | HTML_ENDS_P },
    { "link", HTML_LINK, HTML_IS_VOID },
    { "listing", HTML_LISTING, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS | HTML_IS_PRE },
    { "m:mathpr", HTML_M_MATHPR, HTML_IS_HIDDEN },
    { "main", HTML_MAIN, HTML_IS_BLOCK | HTML_ENDS_P },
    { "map", HTML_MAP, 0 },
    { "mark", HTML_MARK, 0 },
    { "marquee", HTML_MARQUEE, HTML_IS_BLOCK | HTML_IS_SCOPE },
    { "math", HTML_MATH, 0 },
    { "menu", HTML_MENU, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "meta", HTML_META, HTML_IS_VOID },
    { "nav", HTML_NAV, HTML_IS_BLOCK | HTML_ENDS_P },
    { "nobr", HTML_NOBR, 0 },
    { "noembed", HTML_NOEMBED, HTML_IS_HIDDEN | HTML_IS_RAW },
    { "noframes", HTML_NOFRAMES, HTML_IS_BLOCK },
    { "noscript", HTML_NOSCRIPT, 0 },
    { "o:officedocumentsettings", HTML_O_OFFICEDOCUMENTSETTINGS, HTML_IS_HIDDEN },
    { "o:p", HTML_O_P, 0 },
    { "object", HTML_OBJECT, HTML_IS_SCOPE },
    { "ol", HTML_OL, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "optgroup", HTML_OPTGROUP, 0 },
    { "option", HTML_OPTION, 0 },
    { "p", HTML_P, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "param", HTML_PARAM, HTML_IS_VOID },
    { "pre", HTML_PRE, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS | HTML_IS_PRE },
    { "q", HTML_Q, 0 },
    { "rp", HTML_RP, 0 },
    { "rt", HTML_RT, 0 },
    { "ruby", HTML_RUBY, 0 },
    { "s", HTML_S, HTML_IS_FORMAT | HTML_IS_STRIKE },
    { "samp", HTML_SAMP, HTML_IS_CODE },
    { "script", HTML_SCRIPT, HTML_IS_HIDDEN | HTML_IS_RAW },
    { "search", HTML_SEARCH, HTML_IS_BLOCK | HTML_ENDS_P },
    { "section", HTML_SECTION, HTML_IS_BLOCK | HTML_ENDS_P },
    { "select", HTML_SELECT, 0 },
    { "small", HTML_SMALL, HTML_IS_FORMAT },
    { "source", HTML_SOURCE, HTML_IS_VOID },
    { "span", HTML_SPAN, 0 },
    { "strike", HTML_STRIKE, HTML_IS_FORMAT | HTML_IS_STRIKE },
    { "strong", HTML_STRONG, HTML_IS_FORMAT | HTML_IS_BOLD },
    { "style", HTML_STYLE, HTML_IS_HIDDEN | HTML_IS_RAW },
    { "sub", HTML_SUB, 0 },
    { "summary", HTML_SUMMARY, HTML_IS_BLOCK | HTML_ENDS_P },
    { "sup", HTML_SUP, 0 },
    { "svg", HTML_SVG, HTML_IS_HIDDEN },
    { "table", HTML_TABLE, HTML_IS_BLOCK | HTML_ENDS_P | HTML_IS_SCOPE },
    { "tbody", HTML_TBODY, HTML_IS_TABLE },
    { "td", HTML_TD, HTML_IS_SCOPE | HTML_IS_TABLE },
    { "template", HTML_TEMPLATE, HTML_IS_SCOPE | HTML_IS_HIDDEN },
    { "textarea", HTML_TEXTAREA, HTML_IS_RAW | HTML_IS_REFERENCES },
    { "tfoot", HTML_TFOOT, HTML_IS_TABLE },
    { "th", HTML_TH, HTML_IS_SCOPE | HTML_IS_TABLE | HTML_IS_BOLD },
    { "thead", HTML_THEAD, HTML_IS_TABLE },
    { "title", HTML_TITLE, HTML_IS_HIDDEN | HTML_IS_RAW | HTML_IS_REFERENCES },
    { "tr", HTML_TR, HTML_IS_TABLE },
    { "track", HTML_TRACK, HTML_IS_VOID },
    { "tt", HTML_TT, HTML_IS_FORMAT | HTML_IS_CODE },
    { "u", HTML_U, HTML_IS_FORMAT },
    { "ul", HTML_UL, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS },
    { "v:imagedata", HTML_V_IMAGEDATA, 0 },
    { "var", HTML_VAR, HTML_IS_ITALIC },
    { "video", HTML_VIDEO, 0 },
    { "w:data", HTML_W_DATA, HTML_IS_HIDDEN },
    { "w:latentstyles", HTML_W_LATENTSTYLES, HTML_IS_HIDDEN },
    { "w:sdt", HTML_W_SDT, 0 },
    { "w:worddocument", HTML_W_WORDDOCUMENT, HTML_IS_HIDDEN },
    { "wbr", HTML_WBR, HTML_IS_VOID },
    { "xml", HTML_XML, HTML_IS_HIDDEN },
    { "xmp", HTML_XMP, HTML_IS_BLOCK | HTML_ENDS_P | HTML_HAS_MARGINS | HTML_IS_RAW | HTML_IS_PRE },
};

/* Sorted, in the order of enum html_attribute_name. */
static const char *const attributes[] = {
    "align",    "alt",    "background", "bgcolor", "border", "checked", "class",    "color", "colspan",
    "face",     "height", "hidden",     "href",    "id",     "name",    "reversed", "role",  "rowspan",
    "selected", "src",    "start",      "style",   "type",   "value",   "width",    "wrap",
};

_Static_assert(sizeof elements / sizeof elements[0] == HTML_NAME_COUNT - HTML_OTHER - 1, "one for each name");
_Static_assert(sizeof attributes / sizeof attributes[0] == HTML_ATTRIBUTE_COUNT, "one for each name");

static int compare_element(const void *name, const void *element)
{
    return strcmp(name, ((const struct element *)element)->name);
}

static int compare_attribute(const void *name, const void *attribute)
{
    return strcmp(name, *(const char *const *)attribute);
}

/* Lower case; false when it is longer than any name that we know. */
static int lower(const char *name, size_t len, char lower_out[static NAME_SIZE])
{
    if (len == 0 || len >= NAME_SIZE)
        return 0;
    for (size_t i = 0; i < len; i++)
        lower_out[i] = (char)tolower((unsigned char)name[i]);
    lower_out[len] = '\0';
    return 1;
}

enum html_name html_name_find(const char *name, size_t len)
{
    char key[NAME_SIZE];
    if (!lower(name, len, key))
        return HTML_OTHER;
    const struct element *element =
        bsearch(key, elements, sizeof elements / sizeof elements[0], sizeof elements[0], compare_element);
    return element ? element->element : HTML_OTHER;
}

unsigned html_name_flags(enum html_name name)
{
    return name > HTML_OTHER ? elements[name - HTML_OTHER - 1].flags : 0;
}

const char *html_name_text(enum html_name name)
{
    return name > HTML_OTHER ? elements[name - HTML_OTHER - 1].name : "";
}

enum html_attribute_name html_attribute_find(const char *name, size_t len)
{
    char key[NAME_SIZE];
    if (!lower(name, len, key))
        return HTML_ATTRIBUTE_COUNT;
    const char *const *found =
        bsearch(key, attributes, sizeof attributes / sizeof attributes[0], sizeof attributes[0], compare_attribute);
    return found ? (enum html_attribute_name)(found - attributes) : HTML_ATTRIBUTE_COUNT;
}
