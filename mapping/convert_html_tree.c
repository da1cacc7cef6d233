#include "mapping/convert_html_tree.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_html_entity.h"
#include "mapping/convert_limits.h"

enum { PENDING_MAX = 16, PENDING_OF_A_KIND = 3 };

/* Formatting that goes on (or is over) with the next text. */
struct pending {
    enum html_name name;
    uint32_t attributes;
    uint8_t attribute_count;
    bool is_end;
    uint32_t begun_by; /* of an end: the node that it ends */
};

struct open_element {
    uint32_t node;
    enum html_name name; /* HTML_OTHER for the end of a format */
    unsigned flags;
    bool is_over; /* formatting whose end tag came while a block in it was open */
};

struct builder {
    struct html_tree *tree;
    struct open_element open[CONVERT_HTML_DEPTH_MAX + 1]; /* [0]: the root */
    unsigned depth;                                       /* the index of the innermost */
    unsigned open_count[HTML_NAME_COUNT];
    uint32_t too_deep[HTML_NAME_COUNT]; /* open, but not in the tree */
    struct pending pending[PENDING_MAX];
    unsigned pending_count;
    uint32_t raw_node; /* takes the next raw text */
};

/* ---- nodes ---- */

static uint32_t add_node(struct builder *builder, enum html_name name)
{
    struct html_tree *tree = builder->tree;
    if (tree->count == tree->capacity) {
        tree->capacity = tree->capacity > 0 ? tree->capacity * 2 : 256;
        tree->nodes = xreallocarray(tree->nodes, tree->capacity, sizeof *tree->nodes);
    }
    uint32_t number = tree->count++;
    uint32_t parent = builder->open[builder->depth].node;
    tree->nodes[number] = (struct html_node){ .name = (uint8_t)name, .parent = parent };
    if (number == 0)
        return number;
    if (tree->nodes[parent].first == HTML_NONE)
        tree->nodes[parent].first = number;
    else
        tree->nodes[tree->nodes[parent].last].next = number;
    tree->nodes[parent].last = number;
    return number;
}

static void push(struct builder *builder, uint32_t node, enum html_name name)
{
    builder->open[++builder->depth] =
        (struct open_element){ .node = node, .name = name, .flags = html_name_flags(name) };
    builder->open_count[name]++;
}

static enum html_name current_name(const struct builder *builder)
{
    return builder->open[builder->depth].name;
}

/* ---- formatting that outlives its block ---- */

static void add_pending(struct builder *builder, struct pending pending)
{
    unsigned same = 0;
    unsigned oldest = 0;
    for (unsigned i = builder->pending_count; i > 0; i--) {
        if (builder->pending[i - 1].name == pending.name && builder->pending[i - 1].is_end == pending.is_end) {
            same++;
            oldest = i - 1;
        }
    }
    if (same >= PENDING_OF_A_KIND || builder->pending_count == PENDING_MAX) {
        if (same == 0)
            oldest = 0;
        memmove(&builder->pending[oldest], &builder->pending[oldest + 1],
                (builder->pending_count - oldest - 1) * sizeof builder->pending[0]);
        builder->pending_count--;
    }
    builder->pending[builder->pending_count++] = pending;
}

static bool is_open(const struct builder *builder, uint32_t node)
{
    for (unsigned i = builder->depth; i > 0; i--) {
        if (builder->open[i].node == node)
            return true;
    }
    return false;
}

static bool has_room(const struct builder *builder)
{
    return builder->depth < CONVERT_HTML_DEPTH_MAX && builder->tree->count < CONVERT_HTML_ELEMENTS_MAX;
}

static void push_end_of_format(struct builder *builder, enum html_name name, uint32_t begun_by)
{
    if (!has_room(builder))
        return;
    uint32_t node = add_node(builder, name);
    builder->tree->nodes[node].ends_format = true;
    builder->tree->nodes[node].attributes = begun_by;
    push(builder, node, HTML_OTHER);
}

static void take_up_formats(struct builder *builder)
{
    for (unsigned i = 0; i < builder->pending_count; i++) {
        const struct pending *pending = &builder->pending[i];
        if (pending->is_end) {
            if (is_open(builder, pending->begun_by))
                push_end_of_format(builder, pending->name, pending->begun_by);
        } else if (has_room(builder)) {
            uint32_t node = add_node(builder, pending->name);
            builder->tree->nodes[node].attributes = pending->attributes;
            builder->tree->nodes[node].attribute_count = pending->attribute_count;
            push(builder, node, pending->name);
        }
    }
    builder->pending_count = 0;
}

static void keep_format(struct builder *builder, const struct open_element *element)
{
    const struct html_node *node = &builder->tree->nodes[element->node];
    if (node->ends_format)
        add_pending(builder, (struct pending){ .name = node->name, .is_end = true, .begun_by = node->attributes });
    else if ((element->flags & HTML_IS_FORMAT) && !element->is_over)
        add_pending(builder, (struct pending){ .name = element->name,
                                               .attributes = node->attributes,
                                               .attribute_count = node->attribute_count });
}

/* Ends the open elements from the innermost to the one at `index`. Formatting in it goes on behind, unless that is a
 * cell or the like. */
static void pop_to(struct builder *builder, unsigned index)
{
    bool keeps = !(builder->open[index].flags & (HTML_IS_SCOPE | HTML_IS_TABLE));
    unsigned top = builder->depth;
    for (unsigned i = index + 1; i <= top && keeps; i++)
        keep_format(builder, &builder->open[i]);
    if (!keeps)
        builder->pending_count = 0;
    for (; builder->depth >= index; builder->depth--)
        builder->open_count[builder->open[builder->depth].name]--;
    while (builder->depth > 0 && builder->open[builder->depth].is_over)
        builder->open_count[builder->open[builder->depth--].name]--;
}

/* ---- finding what a tag ends ---- */

/* Index of the innermost open element of that name, not looking outside of one with any of the flags or of the name
 * `outside`; 0: none. */
static unsigned find_open(const struct builder *builder, enum html_name name, unsigned flags, enum html_name outside)
{
    if (builder->open_count[name] == 0)
        return 0;
    for (unsigned i = builder->depth; i > 0; i--) {
        const struct open_element *element = &builder->open[i];
        if (element->name == name)
            return i;
        if ((element->flags & flags) || (outside != HTML_TEXT && element->name == outside))
            return 0;
    }
    return 0;
}

static void end_p(struct builder *builder)
{
    unsigned index = find_open(builder, HTML_P, HTML_IS_SCOPE, HTML_TEXT);
    if (index > 0)
        pop_to(builder, index);
}

static bool is_heading(enum html_name name)
{
    return name >= HTML_H1 && name <= HTML_H6;
}

static bool is_list(enum html_name name)
{
    return name == HTML_UL || name == HTML_OL || name == HTML_MENU || name == HTML_DIR;
}

/* An item ends the one before it, unless a list or cell lies between. */
static void end_item(struct builder *builder, enum html_name first, enum html_name second)
{
    for (unsigned i = builder->depth; i > 0; i--) {
        const struct open_element *element = &builder->open[i];
        if (element->name == first || element->name == second) {
            pop_to(builder, i);
            return;
        }
        if ((element->flags & HTML_IS_SCOPE) || is_list(element->name) || element->name == HTML_DL ||
            element->name == HTML_SELECT || element->name == HTML_RUBY || element->name == HTML_BLOCKQUOTE)
            return;
    }
}

/* Back to where a part of a table may begin: a row in a section or table, a cell in a row. false: in no table. */
static bool back_to_table(struct builder *builder, enum html_name name)
{
    unsigned table = find_open(builder, HTML_TABLE, 0, HTML_TEXT);
    if (table == 0)
        return false;
    bool is_cell = name == HTML_TD || name == HTML_TH;
    for (unsigned i = table + 1; i <= builder->depth; i++) {
        enum html_name open = builder->open[i].name;
        bool may_stay =
            (open == HTML_TR && is_cell) ||
            ((open == HTML_TBODY || open == HTML_THEAD || open == HTML_TFOOT) && (is_cell || name == HTML_TR));
        if (!may_stay) {
            pop_to(builder, i);
            break;
        }
    }
    builder->pending_count = 0;
    if (is_cell && current_name(builder) != HTML_TR && has_room(builder))
        push(builder, add_node(builder, HTML_TR), HTML_TR);
    return true;
}

/* ---- end tags ---- */

static void end_format(struct builder *builder, enum html_name name)
{
    for (unsigned i = builder->pending_count; i > 0; i--) {
        if (builder->pending[i - 1].name == name && !builder->pending[i - 1].is_end) {
            memmove(&builder->pending[i - 1], &builder->pending[i],
                    (builder->pending_count - i) * sizeof builder->pending[0]);
            builder->pending_count--;
            return;
        }
    }
    unsigned index = 0;
    bool has_block = false;
    for (unsigned i = builder->open_count[name] > 0 ? builder->depth : 0; i > 0 && index == 0; i--) {
        if (builder->open[i].flags & HTML_IS_SCOPE)
            return;
        if (builder->open[i].name == name && !builder->open[i].is_over)
            index = i;
        else
            has_block = has_block || (builder->open[i].flags & HTML_IS_BLOCK);
    }
    if (index == 0)
        return;
    if (!has_block) {
        pop_to(builder, index);
        return;
    }
    builder->open[index].is_over = true;
    push_end_of_format(builder, name, builder->open[index].node);
}

static unsigned find_ended(const struct builder *builder, enum html_name name)
{
    unsigned flags = html_name_flags(name);
    if (name == HTML_TABLE)
        return find_open(builder, name, 0, HTML_TEXT);
    if (flags & HTML_IS_TABLE)
        return find_open(builder, name, 0, HTML_TABLE);
    if (name == HTML_BODY || name == HTML_HTML)
        return find_open(builder, name, HTML_IS_SCOPE, HTML_BLOCKQUOTE);
    return find_open(builder, name, flags & HTML_IS_BLOCK ? HTML_IS_SCOPE : HTML_IS_SCOPE | HTML_IS_BLOCK, HTML_TEXT);
}

static void add_element(struct builder *builder, enum html_name name, struct html_token *token);

static void end_element(struct builder *builder, enum html_name name)
{
    unsigned flags = html_name_flags(name);
    if (name == HTML_BR)
        add_element(builder, name, NULL);
    if ((flags & (HTML_IS_VOID | HTML_IS_RAW)) || name == HTML_HEAD)
        return;
    if (builder->too_deep[name] > 0) {
        builder->too_deep[name]--;
        return;
    }
    if (flags & HTML_IS_FORMAT) {
        end_format(builder, name);
        return;
    }
    if (is_heading(name)) /* any heading's end tag ends any heading */
        for (enum html_name other = HTML_H1; other <= HTML_H6 && builder->open_count[name] == 0; other++)
            name = builder->open_count[other] > 0 ? other : name;
    unsigned index = find_ended(builder, name);
    if (index > 0)
        pop_to(builder, index);
}

/* ---- start tags and text ---- */

static void add_attributes(struct builder *builder, uint32_t number, struct html_token *token)
{
    struct html_tree *tree = builder->tree;
    struct html_attribute attribute;
    uint64_t seen = 0;
    tree->nodes[number].attributes = tree->attribute_count;
    while (token && html_token_next_attribute(token, &attribute)) {
        if (attribute.name == HTML_ATTRIBUTE_COUNT || (seen >> attribute.name & 1))
            continue;
        seen |= (uint64_t)1 << attribute.name;
        if (tree->attribute_count == tree->attribute_capacity) {
            tree->attribute_capacity = tree->attribute_capacity > 0 ? tree->attribute_capacity * 2 : 256;
            tree->attributes = xreallocarray(tree->attributes, tree->attribute_capacity, sizeof *tree->attributes);
        }
        tree->attributes[tree->attribute_count++] = attribute;
        tree->nodes[number].attribute_count++;
    }
}

static void add_element(struct builder *builder, enum html_name name, struct html_token *token)
{
    unsigned flags = html_name_flags(name);
    bool is_leaf = flags & (HTML_IS_VOID | HTML_IS_RAW);
    if (builder->tree->count >= CONVERT_HTML_ELEMENTS_MAX || (!is_leaf && builder->depth >= CONVERT_HTML_DEPTH_MAX)) {
        if (!is_leaf)
            builder->too_deep[name]++;
        builder->raw_node = HTML_NONE;
        return;
    }
    if (!(flags & (HTML_IS_BLOCK | HTML_IS_TABLE)))
        take_up_formats(builder);
    if (!has_room(builder) && !is_leaf) { /* the formats have taken the last */
        builder->too_deep[name]++;
        return;
    }
    uint32_t node = add_node(builder, name);
    add_attributes(builder, node, token);
    if (flags & HTML_IS_RAW)
        builder->raw_node = node;
    else if (!is_leaf && !(token && token->closes_itself && (name == HTML_OTHER || name == HTML_O_P)))
        push(builder, node, name);
}

static void start_element(struct builder *builder, struct html_token *token)
{
    enum html_name name = token->name == HTML_IMAGE ? HTML_IMG : token->name;
    unsigned flags = html_name_flags(name);
    if (name == HTML_HEAD)
        return;
    if (flags & HTML_ENDS_P)
        end_p(builder);
    if (is_heading(name) && is_heading(current_name(builder)))
        pop_to(builder, builder->depth);
    if (name == HTML_LI)
        end_item(builder, HTML_LI, HTML_LI);
    if (name == HTML_DT || name == HTML_DD)
        end_item(builder, HTML_DT, HTML_DD);
    if (name == HTML_OPTION || name == HTML_OPTGROUP)
        end_item(builder, HTML_OPTION, name);
    if (name == HTML_RT || name == HTML_RP)
        end_item(builder, HTML_RT, HTML_RP);
    if (name == HTML_A)
        end_format(builder, HTML_A);
    if ((flags & HTML_IS_TABLE) || name == HTML_CAPTION)
        (void)back_to_table(builder, name);
    add_element(builder, name, token);
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\0' || !strchr(" \t\r\n\f", text[i]))
            return false;
    }
    return true;
}

static void add_text(struct builder *builder, const struct html_token *token)
{
    bool is_raw = token->name != HTML_TEXT;
    if (is_raw && builder->raw_node == HTML_NONE)
        return;
    if (builder->tree->count >= CONVERT_HTML_ELEMENTS_MAX + CONVERT_HTML_TEXTS_MAX) {
        builder->tree->is_cut = true;
        return;
    }
    if (!is_raw && builder->pending_count > 0 && !is_blank(token->text, token->len))
        take_up_formats(builder);
    struct open_element current = builder->open[builder->depth];
    if (is_raw)
        builder->open[builder->depth].node = builder->raw_node;
    uint32_t number = add_node(builder, HTML_TEXT);
    builder->open[builder->depth] = current;
    struct html_node *node = &builder->tree->nodes[number];
    node->text = token->text;
    node->text_len = (uint32_t)token->len;
    node->is_raw = is_raw && !(html_name_flags(token->name) & HTML_IS_REFERENCES);
}

void html_tree_build(struct html_tree *tree, const char *text, size_t len)
{
    *tree = (struct html_tree){ 0 };
    struct builder *builder = xcalloc(1, sizeof *builder);
    builder->tree = tree;
    builder->open[0] = (struct open_element){ .node = add_node(builder, HTML_OTHER), .name = HTML_OTHER };
    struct html_tokens tokens;
    html_tokens_init(&tokens, text, len < UINT32_MAX ? len : UINT32_MAX);
    for (struct html_token token; html_tokens_next(&tokens, &token);) {
        if (token.kind == HTML_TOKEN_TEXT)
            add_text(builder, &token);
        else if (token.kind == HTML_TOKEN_START)
            start_element(builder, &token);
        else
            end_element(builder, token.name);
    }
    free(builder);
    for (uint32_t i = tree->count; i > 0; i--) {
        struct html_node *node = &tree->nodes[i - 1];
        node->end = node->last != HTML_NONE ? tree->nodes[node->last].end : i;
    }
}

void html_tree_free(struct html_tree *tree)
{
    free(tree->nodes);
    free(tree->attributes);
    *tree = (struct html_tree){ 0 };
}

/* ---- reading ---- */

const struct html_attribute *html_node_attribute(const struct html_tree *tree, const struct html_node *node,
                                                 enum html_attribute_name name)
{
    for (unsigned i = 0; i < node->attribute_count; i++) {
        const struct html_attribute *attribute = &tree->attributes[node->attributes + i];
        if (attribute->name == name)
            return attribute;
    }
    return NULL;
}

bool html_node_value_is(const struct html_tree *tree, const struct html_node *node, enum html_attribute_name name,
                        const char *value)
{
    const struct html_attribute *attribute = html_node_attribute(tree, node, name);
    return attribute && attribute->len == strlen(value) && strncasecmp(attribute->value, value, attribute->len) == 0;
}

bool html_node_value(const struct html_tree *tree, const struct html_node *node, enum html_attribute_name name,
                     struct strbuf *out)
{
    const struct html_attribute *attribute = html_node_attribute(tree, node, name);
    if (attribute)
        convert_html_entity_add_text(out, attribute->value, attribute->len, true);
    return attribute != NULL;
}

long html_node_number(const struct html_tree *tree, const struct html_node *node, enum html_attribute_name name,
                      long max)
{
    const struct html_attribute *attribute = html_node_attribute(tree, node, name);
    size_t i = 0;
    while (attribute && i < attribute->len && (attribute->value[i] == ' ' || attribute->value[i] == '+'))
        i++;
    if (!attribute || i == attribute->len || !isdigit((unsigned char)attribute->value[i]))
        return -1;
    long number = 0;
    for (; i < attribute->len && isdigit((unsigned char)attribute->value[i]) && number <= max; i++)
        number = number * 10 + (attribute->value[i] - '0');
    return number <= max ? number : -1;
}

void html_node_text(const struct html_node *node, struct strbuf *out)
{
    if (node->is_raw)
        strbuf_add(out, node->text, node->text_len);
    else
        convert_html_entity_add_text(out, node->text, node->text_len, false);
}
