/* gateway_config_edit_test.c - single values of a configuration's text are changed, and nothing else */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/config_edit.h"

static const char *edited(struct strbuf *text, const char *before, const struct config_place *place, const char *value)
{
    strbuf_clear(text);
    strbuf_add_str(text, before);
    if (value)
        config_edit_set(text, place, value);
    else
        (void)config_edit_remove(text, place);
    return text->data;
}

static void changes_one_value(void **state)
{
    (void)state;
    static const struct row {
        const char *before;
        struct config_place place;
        const char *value, *after;
    } rows[] = {
        { "domain = \"a\" # ours\n", { NULL, NULL, "domain" }, "\"b\"", "domain = \"b\" # ours\n" },
        { "domain='a'\nhostname=x\n", { NULL, NULL, "hostname" }, "y", "domain='a'\nhostname=y\n" },
        /* comments, quotes and other sections have no keys for us */
        { "# domain = 1\n/* domain = 2 */ // domain = 3\nx = \"domain = 4\"\ndomain = 5\n",
          { NULL, NULL, "domain" },
          "6",
          "# domain = 1\n/* domain = 2 */ // domain = 3\nx = \"domain = 4\"\ndomain = 6\n" },
        { "silo { alias = a }\nrelay { alias = b }\n",
          { "relay", NULL, "alias" },
          "c",
          "silo { alias = a }\nrelay { alias = c }\n" },
        { "silo { alias = a }\nalias = t\n", { NULL, NULL, "alias" }, "c", "silo { alias = a }\nalias = c\n" },
        /* lists */
        { "policy { admins = { \"a\", \"b\" } proof = dkim }\n",
          { "policy", NULL, "admins" },
          "{ \"c\" }",
          "policy { admins = { \"c\" } proof = dkim }\n" },
        { "policy {\n  admins = {\n    \"a }\",\n    # and\n    \"b\" }\n}\n",
          { "policy", NULL, "admins" },
          "{ }",
          "policy {\n  admins = { }\n}\n" },
        /* titles */
        { "listen a { address = x }\nlisten \"b\" { address = y }\n",
          { "listen", "b", "address" },
          "z",
          "listen a { address = x }\nlisten \"b\" { address = z }\n" },
        { "relay { url = x }\nrelay { url = y }\n",
          { "relay", NULL, "url" },
          "z",
          "relay { url = z }\nrelay { url = y }\n" },
        /* the last one counts */
        { "domain = a\ndomain = b\n", { NULL, NULL, "domain" }, "c", "domain = a\ndomain = c\n" },
        /* what is not there yet */
        { "# about\n\nsilo {\n}\n", { NULL, NULL, "domain" }, "a", "# about\n\ndomain = a\nsilo {\n}\n" },
        { "", { NULL, NULL, "domain" }, "a", "domain = a\n" },
        { "x = 1", { "silo", NULL, "alias" }, "a", "x = 1\n\nsilo {\n  alias = a\n}\n" },
        { "x = 1\n", { "listen", "mx", "tls" }, "none", "x = 1\n\nlisten mx {\n  tls = none\n}\n" },
        { "silo {\n  address = x\n}\n", { "silo", NULL, "alias" }, "a", "silo {\n  address = x\n  alias = a\n}\n" },
        { "silo { address = x }\n", { "silo", NULL, "alias" }, "a", "silo { address = x alias = a }\n" },
        { "silo {}\n", { "silo", NULL, "alias" }, "a", "silo { alias = a }\n" },
        /* gone */
        { "a = 1\nb = 2\nc = 3\n", { NULL, NULL, "b" }, NULL, "a = 1\nc = 3\n" },
        { "silo { a = 1 b = \"2\" c = 3 }\n", { "silo", NULL, "b" }, NULL, "silo { a = 1 c = 3 }\n" },
        { "a = 1\n", { NULL, NULL, "b" }, NULL, "a = 1\n" },
        /* of text that is no configuration something is made, and no more */
        { "silo {", { "silo", NULL, "a" }, "1", "silo { a = 1 " },
        { "a = \"", { NULL, NULL, "a" }, "1", "a = 1" },
        { "} = { \\ ( , ' ", { "x", NULL, "a" }, "1", "} = { \\ ( , ' \n\nx {\n  a = 1\n}\n" },
    };
    struct strbuf text;
    strbuf_init(&text, CONFIG_EDIT_MAX);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(edited(&text, rows[i].before, &rows[i].place, rows[i].value), rows[i].after);
    strbuf_free(&text);
}

static void quotes(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 100);
    config_edit_add_quoted(&text, "Bob \"the\" \\ Builder of ${HOME}");
    assert_string_equal(text.data, "\"Bob \\\"the\\\" \\\\ Builder of \\${HOME}\"");
    strbuf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_one_value),
        cmocka_unit_test(quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
